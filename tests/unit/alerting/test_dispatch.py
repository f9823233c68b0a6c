"""The dispatcher: when groups are flushed, with what, and when they end."""

from __future__ import annotations

import pytest

from tests.support.routing import T0, alert, one_route, route_config
from tocsin.alerting import dispatch, group
from tocsin.alerting.dispatch import BATCH_GROUPS, Dispatcher
from tocsin.alerting.group import Flush
from tocsin.alerting.inhibit import Inhibitor, InhibitRule
from tocsin.alerting.route import build_route
from tocsin.alerting.timestamp import SECOND, ZERO, Nanoseconds

MINUTE = 60 * SECOND


def _flushes(dispatcher: Dispatcher, now: Nanoseconds) -> list[Flush]:
    dispatcher.handle_timeout(now)
    return dispatcher.drain()


def _names(flush: Flush) -> list[str]:
    return [alert.labels.value("n") for alert in flush.alerts]


def test_a_group_waits_for_companions_of_its_first_alert() -> None:
    dispatcher = Dispatcher(one_route(), now=T0)
    assert dispatcher.next_timeout() is None
    dispatcher.insert(alert(alertname="A", n="2"), T0)
    dispatcher.insert(alert(alertname="A", n="1"), T0 + 29 * SECOND)
    dispatcher.insert(alert(alertname="B"), T0 + 29 * SECOND)
    assert dispatcher.next_timeout() == T0 + 30 * SECOND
    assert _flushes(dispatcher, T0 + 30 * SECOND - 1) == []
    (flush,) = _flushes(dispatcher, T0 + 30 * SECOND)
    assert flush.group_key == '{}:{alertname="A"}'
    assert dict(flush.group_labels) == {"alertname": "A"}
    assert _names(flush) == ["1", "2"]
    assert flush.now == T0 + 30 * SECOND
    assert flush.deadline == flush.now + 5 * MINUTE
    assert dispatcher.next_timeout() == T0 + 59 * SECOND, "B has its own timer"


def test_an_alert_that_has_fired_for_longer_than_the_wait_goes_out_at_once() -> None:
    dispatcher = Dispatcher(one_route(), now=T0)
    dispatcher.insert(alert(alertname="A", starts_at=T0 - 30 * SECOND), T0)
    assert dispatcher.next_timeout() == T0 + 30 * SECOND, "exactly the wait is not longer"
    dispatcher.insert(alert(alertname="B", starts_at=T0 - 30 * SECOND - 1), T0)
    assert dispatcher.next_timeout() == T0
    assert len(_flushes(dispatcher, T0)) == 1
    dispatcher.insert(alert(alertname="A", n="old", starts_at=T0 - MINUTE), T0)
    assert dispatcher.next_timeout() == T0 + 30 * SECOND, "it does not hurry a group that exists"


def test_afterwards_it_is_flushed_every_group_interval() -> None:
    dispatcher = Dispatcher(one_route(), now=T0)
    dispatcher.insert(alert(alertname="A"), T0)
    now = T0 + 30 * SECOND
    for round_ in range(3):
        late = 7 * (round_ % 2)
        (flush,) = _flushes(dispatcher, now + late)
        dispatcher.flushed(flush, now + SECOND, success=True)
        now += 5 * MINUTE
        assert dispatcher.next_timeout() == now, "lateness does not add up"
    (flush,) = _flushes(dispatcher, now + 60 * MINUTE)
    assert dispatcher.next_timeout() == now + 65 * MINUTE, "after a long sleep one flush is enough"


def test_a_large_group_is_made_ready_in_steps_and_others_are_flushed_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatch, "BATCH_ALERTS", 4)
    monkeypatch.setattr(group, "COPIED_AT_ONCE", 2)
    monkeypatch.setattr(group, "MANY", 2)
    dispatcher = Dispatcher(one_route(group_wait=0), now=T0)
    for number in range(7):
        dispatcher.insert(alert(alertname="A", n=str(number)), T0)
    dispatcher.insert(alert(alertname="B"), T0 + 1)
    assert _flushes(dispatcher, T0) == []
    assert dispatcher.next_timeout() == T0, "due again at once"
    (other,) = _flushes(dispatcher, T0 + 1)
    assert other.group_labels["alertname"] == "B"
    dispatcher.insert(alert(alertname="A", n="late"), T0 + 1)
    late = T0 + 2
    while not (flushes := _flushes(dispatcher, late)):
        assert (due := dispatcher.next_timeout()) is not None
        assert due <= late
        late += 1
    (flush,) = flushes
    assert _names(flush) == [*"0123456", "late"], "what came before it was sorted is in it"
    assert (flush.now, flush.due) == (T0, T0)
    assert dispatcher.next_timeout() == T0 + 5 * MINUTE
    assert dispatcher.current(flush, late) is not None
    dispatcher.flushed(flush, late, success=True)
    assert dispatcher.statistics.flushes == 2


def test_a_flush_has_the_group_interval_but_never_less_than_ten_seconds() -> None:
    dispatcher = Dispatcher(one_route(group_wait=0, group_interval=SECOND), now=T0)
    dispatcher.insert(alert(alertname="A"), T0)
    (flush,) = _flushes(dispatcher, T0)
    assert flush.deadline == T0 + 10 * SECOND
    assert dispatcher.next_timeout() == T0 + SECOND


def test_firing_alerts_have_no_end_in_a_flush_and_resolved_ones_keep_theirs() -> None:
    dispatcher = Dispatcher(one_route(group_wait=0), now=T0)
    dispatcher.insert(alert(alertname="A", n="1", ends_at=T0 + MINUTE), T0)
    dispatcher.insert(alert(alertname="A", n="2", ends_at=T0), T0)
    (flush,) = _flushes(dispatcher, T0)
    assert [alert.ends_at for alert in flush.alerts] == [ZERO, T0]
    (group,) = dispatcher.groups()
    assert [alert.ends_at for alert in group.alerts] == [T0 + MINUTE, T0], "the group keeps what was reported"


def test_a_group_ends_when_its_alerts_have_been_sent_as_resolved() -> None:
    dispatcher = Dispatcher(one_route(group_wait=0), now=T0)
    dispatcher.insert(alert(alertname="A"), T0)
    (flush,) = _flushes(dispatcher, T0)
    dispatcher.flushed(flush, T0, success=True)
    assert len(dispatcher) == 1
    dispatcher.insert(alert(alertname="A", ends_at=T0 + SECOND), T0 + SECOND)
    (flush,) = _flushes(dispatcher, T0 + 5 * MINUTE)
    dispatcher.flushed(flush, T0 + 5 * MINUTE, success=True)
    assert len(dispatcher) == 0
    assert dispatcher.groups() == []
    assert dispatcher.next_timeout() is None
    dispatcher.insert(alert(alertname="A", starts_at=T0 + 6 * MINUTE), T0 + 6 * MINUTE)
    assert dispatcher.next_timeout() == T0 + 6 * MINUTE, "a new group, though its label set is remembered"


def test_after_a_failure_resolved_alerts_are_kept_and_sent_again() -> None:
    dispatcher = Dispatcher(one_route(group_wait=0), now=T0)
    dispatcher.insert(alert(alertname="A", ends_at=T0), T0)
    (flush,) = _flushes(dispatcher, T0)
    dispatcher.flushed(flush, T0 + SECOND, success=False)
    (again,) = _flushes(dispatcher, T0 + 5 * MINUTE)
    assert again.alerts == flush.alerts


def test_an_alert_that_fires_anew_during_the_flush_is_not_deleted() -> None:
    dispatcher = Dispatcher(one_route(group_wait=0), now=T0)
    dispatcher.insert(alert(alertname="A", ends_at=T0), T0)
    (flush,) = _flushes(dispatcher, T0)
    dispatcher.insert(alert(alertname="A", starts_at=T0 + SECOND), T0 + SECOND)
    dispatcher.flushed(flush, T0 + 2 * SECOND, success=True)
    (again,) = _flushes(dispatcher, T0 + 5 * MINUTE)
    assert [alert.ends_at for alert in again.alerts] == [ZERO]


def test_an_alert_that_resolves_during_the_flush_is_told_of_by_the_next() -> None:
    dispatcher = Dispatcher(one_route(group_wait=0), now=T0)
    dispatcher.insert(alert(alertname="A", ends_at=T0 + SECOND), T0)
    (flush,) = _flushes(dispatcher, T0)
    dispatcher.flushed(flush, T0 + 2 * SECOND, success=True)
    (again,) = _flushes(dispatcher, T0 + 5 * MINUTE)
    assert [alert.ends_at for alert in again.alerts] == [T0 + SECOND]


def test_a_group_that_is_still_notifying_is_flushed_again_only_afterwards() -> None:
    dispatcher = Dispatcher(one_route(group_wait=0), now=T0)
    dispatcher.insert(alert(alertname="A"), T0)
    (flush,) = _flushes(dispatcher, T0)
    assert _flushes(dispatcher, T0 + 5 * MINUTE) == []
    assert dispatcher.next_timeout() is None, "nothing to do until the flush is over"
    dispatcher.flushed(flush, T0 + 6 * MINUTE, success=False)
    assert dispatcher.next_timeout() == T0 + 6 * MINUTE
    assert len(_flushes(dispatcher, T0 + 6 * MINUTE)) == 1
    assert dispatcher.next_timeout() == T0 + 11 * MINUTE


def test_the_end_of_a_flush_that_is_not_under_way_is_ignored() -> None:
    dispatcher, other = (Dispatcher(one_route(group_wait=0), now=T0) for _ in range(2))
    for one in (dispatcher, other):
        one.insert(alert(alertname="A", ends_at=T0), T0)
    (flush,) = _flushes(dispatcher, T0)
    (foreign,) = _flushes(other, T0)
    dispatcher.flushed(foreign, T0, success=True)
    assert len(dispatcher) == 1
    dispatcher.flushed(flush, T0, success=True)
    dispatcher.flushed(flush, T0, success=True)
    assert len(dispatcher) == 0


def test_an_alert_is_in_a_group_of_each_route_it_matches() -> None:
    route = build_route(
        route_config(
            "",
            route_config('a="1"', receiver="x", continue_=True),
            route_config('a="1"', receiver="y", group_by_all=True),
            receiver="r",
        )
    )
    dispatcher = Dispatcher(route, now=T0)
    dispatcher.insert(alert(a="1", b="2"), T0)
    groups = dispatcher.groups()
    assert [(group.receiver, group.key, group.id) for group in groups] == [
        ("x", '{}/{a="1"}:{}', '{}/{a="1"}/0'),
        ("y", '{}/{a="1"}:{a="1", b="2"}', '{}/{a="1"}/1'),
    ]
    assert [dict(group.labels) for group in groups] == [{}, {"a": "1", "b": "2"}]


def test_nothing_is_flushed_before_the_start_delay_is_over() -> None:
    dispatcher = Dispatcher(one_route(group_wait=0), now=T0, start_delay=MINUTE)
    dispatcher.insert(alert(alertname="A"), T0)
    assert dispatcher.next_timeout() == T0 + MINUTE
    assert len(_flushes(dispatcher, T0 + MINUTE)) == 1


def test_alerts_beyond_the_limit_of_groups_are_left_out_until_there_is_room() -> None:
    dispatcher = Dispatcher(one_route(group_wait=0), now=T0, max_groups=1)
    dispatcher.insert(alert(alertname="A", ends_at=T0), T0)
    dispatcher.insert(alert(alertname="B"), T0)
    dispatcher.insert(alert(alertname="A", n="1", ends_at=T0), T0)
    assert dispatcher.statistics.group_limit_reached == 1
    (flush,) = _flushes(dispatcher, T0)
    assert len(flush.alerts) == 2
    dispatcher.flushed(flush, T0, success=True)
    dispatcher.insert(alert(alertname="B"), T0)
    assert [dict(group.labels) for group in dispatcher.groups()] == [{"alertname": "B"}]
    assert dispatcher.statistics.group_limit_reached == 1
    assert dispatcher.statistics.alerts == 4


def test_what_is_remembered_of_label_sets_is_bounded() -> None:
    dispatcher = Dispatcher(one_route(), now=T0, max_placements=2)
    for n in "12312":
        dispatcher.insert(alert(alertname="A", n=n), T0)
    assert len(dispatcher._placements) == 2
    assert len(dispatcher.groups()[0].alerts) == 3


@pytest.mark.parametrize("groups", [BATCH_GROUPS * 3 + 1])
def test_many_groups_that_are_due_at_once_are_flushed_in_batches(groups: int) -> None:
    dispatcher = Dispatcher(one_route(group_wait=0), now=T0)
    for number in range(groups):
        dispatcher.insert(alert(alertname=str(number)), T0)
    sizes = []
    while (due := dispatcher.next_timeout()) is not None and due <= T0:
        sizes.append(len(_flushes(dispatcher, T0)))
    assert sizes == [BATCH_GROUPS] * 3 + [1]
    assert dispatcher.statistics.flushes == groups


def test_groups_with_equal_labels_and_receiver_come_as_their_routes_children_first() -> None:
    tree = build_route(
        route_config(
            "",
            route_config("", route_config('x="1"', continue_=True), route_config('x=~".*"'), continue_=True),
            route_config(""),
            receiver="hook",
            group_by=("alertname",),
        )
    )
    dispatcher = Dispatcher(tree, now=T0)
    dispatcher.insert(alert(alertname="A", x="2"), T0)
    dispatcher.insert(alert(alertname="A", x="1"), T0)
    assert [group.id for group in dispatcher.groups()] == [
        '{}/{}/0/{x="1"}/0',
        '{}/{}/0/{x=~".*"}/1',
        "{}/{}/1",
    ]


def test_what_is_remembered_of_alerts_that_are_gone_can_be_forgotten() -> None:
    """Their labels may take megabytes; what comes back is put into its groups all the same."""
    dispatcher = Dispatcher(one_route(), now=T0)
    inhibitor = Inhibitor([InhibitRule(source_matchers=(), target_matchers=())])
    one = alert(alertname="A", text="x" * 1000)
    dispatcher.insert(one, T0)
    inhibitor.put(one)
    dispatcher.forget([one])
    inhibitor.forget([one])
    assert dispatcher.placed(one.labels) == ()
    assert not inhibitor._placements
    dispatcher.insert(one, T0)
    inhibitor.put(one)
    assert len(dispatcher) == 1
    assert len(dispatcher.placed(one.labels)) == 1
    assert len(inhibitor) == 1
