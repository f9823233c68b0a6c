"""The comparison of a node in shadow: single cases, and its bounds."""

from __future__ import annotations

import pytest

from tests.support.routing import T0, alert, one_receiver, one_route
from tocsin.alerting.alert import Alert
from tocsin.alerting.decisions import Decision, Muted, MutedAlert, Withheld
from tocsin.alerting.effects import FlushFinished
from tocsin.alerting.group import Flush
from tocsin.alerting.integration import Integration
from tocsin.alerting.labels import Labels
from tocsin.alerting.nflog import Entry, NotificationLog, Receiver
from tocsin.alerting.shadow import compared as places
from tocsin.alerting.shadow import results, shadow, texts
from tocsin.alerting.shadow.shadow import SLACK, Shadow
from tocsin.alerting.timestamp import SECOND, Nanoseconds

HOUR = 3600 * SECOND
INTERVAL = 300 * SECOND
PEER_TIMEOUT = 15 * SECOND
HOOK = Integration("hook", "webhook", 0, True)
KEY = '{}:{alertname="A"}'
ROUTE = one_route()
CONFIG = one_receiver(ROUTE)
BOUND = INTERVAL + PEER_TIMEOUT + SLACK
PATIENCE = 2 * INTERVAL + PEER_TIMEOUT + SLACK


def an_alert(name: str = "a") -> Alert:
    return alert(alertname="A", instance=name)


def number(name: str = "a") -> int:
    return an_alert(name).labels.hash


class Bench:
    """A shadow, and both sides as we tell it."""

    def __init__(self, **bounds: int) -> None:
        self.log = NotificationLog(100 * HOUR)
        self.shadow = Shadow(self.log, peer_timeout=PEER_TIMEOUT, **bounds)
        self.shadow.members(1)
        self.shadow.configured(CONFIG, changed=False)
        self.shadow.begin(T0)

    def flush(self, at: Nanoseconds, *names: str, ended: tuple[str, ...] = (), key: str = KEY) -> Flush:
        alerts = [an_alert(name) for name in names]
        alerts += [alert(alertname="A", instance=name, ends_at=at - 1) for name in ended]
        return Flush(
            group_key=key,
            route_id="{}",
            group_labels=Labels({"alertname": "A"}),
            options=ROUTE.options,
            alerts=tuple(alerts),
            now=at,
            deadline=at + INTERVAL,
        )

    def ours(
        self,
        at: Nanoseconds,
        *firing: str,
        resolved: tuple[str, ...] = (),
        key: str = KEY,
        to: Integration = HOOK,
    ) -> Entry:
        flush = self.flush(at, *firing, ended=resolved, key=key)
        entry = self.shadow.stage(
            to.log_receiver,
            key,
            [number(each) for each in firing],
            [number(each) for each in resolved],
            at,
            HOUR,
            self.shadow.query(to.log_receiver, key),
        )
        decided: list[Decision | FlushFinished] = [
            Withheld(flush, to, at, entry, "new alerts added"),
            FlushFinished(flush, True, ""),
        ]
        assert self.shadow.decided(decided, at) == [entry]
        return entry

    def theirs(
        self,
        at: Nanoseconds,
        *firing: str,
        resolved: tuple[str, ...] = (),
        key: str = KEY,
        receiver: Receiver = HOOK.log_receiver,
        heard: Nanoseconds | None = None,
    ) -> Entry:
        previous = self.log.query(receiver, key)
        entry = self.log.stage(
            receiver,
            key,
            [number(each) for each in firing],
            [number(each) for each in resolved],
            at,
            HOUR,
            previous,
        )
        assert self.log.put(entry, at)
        self.shadow.heard(entry, previous, at if heard is None else heard)
        return entry

    def wait(self, until: Nanoseconds) -> None:
        while (due := self.shadow.next_timeout()) is not None and due <= until:
            self.shadow.handle_timeout(due)

    @property
    def counts(self) -> dict[str, int]:
        return {result: count for (result, _), count in self.shadow.results.counts.items()}


@pytest.mark.parametrize("apart", [-BOUND, -SECOND, 0, SECOND, BOUND])
def test_the_same_at_about_the_same_time_agrees_whoever_is_first(apart: Nanoseconds) -> None:
    bench = Bench()
    for side, at in sorted(
        {"ours": T0 + HOUR, "theirs": T0 + HOUR + apart}.items(), key=lambda each: each[1]
    ):
        (bench.ours if side == "ours" else bench.theirs)(at, "a")
    assert bench.counts == {"agreed": 1}
    assert bench.shadow.next_timeout() is None
    assert not bench.shadow.drain()
    found = bench.shadow.results.of("hook/webhook[0]", KEY, T0 + HOUR)
    assert found is not None
    assert (found.result, found.ours, found.theirs) == ("agreed", T0 + HOUR, T0 + HOUR + apart)


@pytest.mark.parametrize("apart", [BOUND + 1, PATIENCE])
def test_the_same_past_the_bound_is_late(apart: Nanoseconds) -> None:
    bench = Bench()
    bench.ours(T0, "a")
    bench.theirs(T0 + apart, "a")
    assert bench.counts == {"late": 1}
    (found,) = bench.shadow.drain()
    assert f"{apart // SECOND} s later" in found.why
    assert not found.differs


def test_what_nobody_else_sent_is_missing_and_named() -> None:
    bench = Bench()
    bench.ours(T0, "a", "b")
    bench.theirs(T0 + SECOND, "b")
    bench.wait(T0 + PATIENCE + SECOND)
    assert bench.counts == {"missing": 1, "late": 1}
    missing, late = sorted(bench.shadow.drain(), key=lambda each: each.result, reverse=True)
    assert missing.alerts == ('{alertname="A", instance="a"} fires',)
    assert "leaves out" in missing.why
    assert late.why == "this node would have notified the same, put together otherwise"


def test_what_this_node_would_not_have_sent_is_extra_and_says_what_muted_it_here() -> None:
    bench = Bench()
    flush = bench.flush(T0, "a", "b")
    muted = Muted(flush, T0, "silence", (MutedAlert(an_alert("a"), ("id-1",)),))
    bench.shadow.decided([muted], T0)
    bench.ours(T0, "b")
    bench.shadow.decided([Muted(flush, T0, "silence", muted.alerts), FlushFinished(flush, True, "")], T0)
    bench.theirs(T0, "a", "b")
    bench.wait(T0 + PATIENCE)
    extra = next(each for each in bench.shadow.results.differences if each.result == "extra")
    assert extra.alerts == ('{alertname="A", instance="a"}: silenced by id-1 here',)
    assert extra.differs


def test_an_entry_of_no_route_of_ours_is_named_soon() -> None:
    bench = Bench()
    bench.theirs(T0, "a", key='{}/{team="db"}:{alertname="A"}')
    bench.theirs(T0, "a", receiver=Receiver("pager", "webhook", 0))
    bench.theirs(T0, "a", receiver=Receiver("hook", "webhook", 1))
    bench.wait(T0 + PEER_TIMEOUT + SLACK)
    assert [each.why for each in bench.shadow.results.differences] == [
        'no route of this node\'s configuration leads the group {}/{team="db"}:{alertname="A"} to hook',
        "this node's configuration has no pager/webhook[0]",
        "this node's configuration has no hook/webhook[1]",
    ]


def test_what_came_between_their_flush_and_ours_is_late_and_no_difference() -> None:
    bench = Bench()
    bench.theirs(T0, "a")
    bench.ours(T0 + SECOND, "a", "b")
    bench.theirs(T0 + INTERVAL, "a", "b")
    bench.wait(T0 + 3 * INTERVAL + PATIENCE)
    assert bench.counts == {"agreed": 1, "late": 1}
    assert not any(each.differs for each in bench.shadow.results.differences)


def test_a_notification_that_they_send_twice_is_extra() -> None:
    bench = Bench()
    bench.ours(T0, "a")
    bench.theirs(T0, "a")
    bench.theirs(T0 + 15 * SECOND, "a")
    bench.wait(T0 + PATIENCE + 15 * SECOND)
    assert bench.counts == {"agreed": 1, "extra": 1}
    assert bench.shadow.results.differences[0].why == "they have notified it again"


def test_a_reminder_of_ours_that_they_do_not_send_is_missing() -> None:
    bench = Bench()
    bench.ours(T0, "a")
    bench.theirs(T0, "a")
    bench.ours(T0 + 4 * HOUR, "a")
    bench.wait(T0 + 4 * HOUR + PATIENCE)
    assert bench.counts == {"agreed": 1, "missing": 1}


def test_a_reminder_that_is_overtaken_by_what_comes_next_is_no_difference() -> None:
    """The alert ended between their flush and ours, just when the group was to be reminded of it."""
    bench = Bench()
    bench.ours(T0, "a")
    bench.theirs(T0, "a")
    bench.theirs(T0 + 4 * HOUR, resolved=("a",))
    bench.ours(T0 + 4 * HOUR + SECOND // 10, "a")
    bench.ours(T0 + 4 * HOUR + INTERVAL, resolved=("a",))
    bench.wait(T0 + 4 * HOUR + INTERVAL + PATIENCE)
    assert bench.counts == {"agreed": 2, "late": 1}
    assert not any(each.differs for each in bench.shadow.results.differences)


def test_a_reminder_in_place_of_news_that_come_apart_is_no_difference() -> None:
    """Two alerts end while both sides flush: they see none of it, this node sees one."""
    bench = Bench()
    bench.ours(T0, "a", "b")
    bench.theirs(T0, "a", "b")
    bench.theirs(T0 + 4 * HOUR, "a", "b")
    bench.ours(T0 + 4 * HOUR, "a", resolved=("b",))
    bench.theirs(T0 + 4 * HOUR + INTERVAL, resolved=("a", "b"))
    bench.ours(T0 + 4 * HOUR + INTERVAL, resolved=("a",))
    bench.wait(T0 + 4 * HOUR + INTERVAL + PATIENCE)
    assert not any(each.differs for each in bench.shadow.results.differences)
    assert bench.counts["late"] == 4


def test_the_flow_goes_on_from_what_it_would_have_sent_and_from_theirs_once_they_agree() -> None:
    bench = Bench()
    before = bench.log.stage(HOOK.log_receiver, KEY, [number()], [], T0 - HOUR, HOUR, None)
    bench.log.put(before, T0)
    assert bench.shadow.query(HOOK.log_receiver, KEY) == before  # from before it compared
    own = bench.ours(T0 + SECOND, "a", "b")
    assert bench.shadow.query(HOOK.log_receiver, KEY) is own
    theirs = bench.theirs(T0 + 2 * SECOND, "a", "b")
    assert bench.shadow.query(HOOK.log_receiver, KEY) is theirs
    other = bench.theirs(T0 + 3 * SECOND, "c")
    assert bench.shadow.query(HOOK.log_receiver, KEY) is theirs
    bench.wait(T0 + PATIENCE + 3 * SECOND)
    assert bench.counts == {"agreed": 1, "extra": 1}
    assert bench.shadow.query(HOOK.log_receiver, KEY) is theirs
    bench.shadow.configured(CONFIG, changed=False)
    assert bench.shadow.query(HOOK.log_receiver, KEY) is theirs
    bench.shadow.configured(CONFIG, changed=True)
    assert bench.shadow.query(HOOK.log_receiver, KEY) == other


def test_entries_from_before_it_began_are_no_notifications() -> None:
    bench = Bench()
    bench.theirs(T0 - SECOND, "a")
    assert not bench.counts
    assert bench.shadow.next_timeout() is None


def test_what_is_heard_after_a_partition_is_not_compared() -> None:
    bench = Bench()
    late = bench.theirs(T0 + SECOND, "a", heard=T0 + 2 * PATIENCE)
    assert bench.shadow.statistics.not_compared == {"heard too late": 1}
    assert bench.shadow.query(HOOK.log_receiver, KEY) is late


def test_alone_it_compares_nothing() -> None:
    bench = Bench()
    bench.ours(T0, "a")
    bench.shadow.members(0)
    bench.ours(T0 + SECOND, "b")
    assert bench.shadow.next_timeout() is None
    assert bench.shadow.statistics.not_compared == {"alone": 2}
    bench.shadow.members(2)
    bench.ours(T0 + 2 * SECOND, "c")
    assert bench.shadow.statistics.pending == 1


# -- bounds


def test_notifications_that_wait_are_bounded() -> None:
    bench = Bench(max_pending=2)
    for place in range(3):
        bench.ours(T0 + place, "a", key=f"{KEY}{place}")
    assert bench.shadow.statistics.pending == 2
    assert bench.shadow.statistics.not_compared == {"too many pending": 1}


def test_alerts_in_notifications_that_wait_are_bounded() -> None:
    bench = Bench(max_pending_alerts=3)
    bench.ours(T0, "a", "b")
    bench.theirs(T0, "c", "d")
    assert bench.shadow.statistics.pending == 1
    assert bench.shadow.statistics.not_compared == {"too many pending": 1}


def test_groups_are_bounded() -> None:
    bench = Bench(max_tracked=2)
    for place in range(3):
        bench.ours(T0 + place, "a", key=f"{KEY}{place}")
    assert bench.shadow.statistics.groups_forgotten == 1
    assert bench.shadow.statistics.not_compared == {"too many groups": 1}
    assert bench.shadow.query(HOOK.log_receiver, f"{KEY}0") is None  # what the log says
    assert bench.shadow.query(HOOK.log_receiver, f"{KEY}2") is not None


def test_what_is_kept_of_compared_notifications_is_bounded_over_all_groups(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One member can log many alerts for many groups, again and again."""
    monkeypatch.setattr(places, "MAX_RECENT_BYTES", 4 * places.ENTRY_BYTES)
    bench = Bench()
    for place in range(8):
        for again in range(4):
            bench.ours(T0 + again, f"a{again}", key=f"{KEY}{place}")
            bench.theirs(T0 + again, f"a{again}", key=f"{KEY}{place}")
    assert bench.counts == {"agreed": 32}
    kept = sum(len(each.recent) for each in bench.shadow._compared.values())
    assert 0 < kept < 4


def test_groups_are_bounded_in_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "MAX_TRACKED_BYTES", 4 * places.ENTRY_BYTES)
    bench = Bench()
    for place in range(8):
        bench.ours(T0 + place, "a", key=f"{KEY}{place}")
    assert len(bench.shadow._compared) < 4
    assert bench.shadow.statistics.groups_forgotten > 4


def test_an_entry_of_others_with_a_huge_key_is_not_compared() -> None:
    bench = Bench()
    bench.theirs(T0, "a", key=KEY + "k" * shadow.MAX_ENTRY_REST)
    assert bench.shadow.statistics.pending == 0
    assert bench.shadow.statistics.not_compared == {"too long a key": 1}


def test_what_is_remembered_of_flushes_is_bounded_in_bytes_over_all_groups(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(texts, "MAX_BYTES", 40_000)
    groups = texts.Groups(100)
    bench = Bench()
    for number in range(20):
        flush = bench.flush(T0, *[f"a{each}" for each in range(50)], key=f"{KEY}{number}")
        by = tuple([f"silence {each} of group {number}" for each in range(8)])
        muted = tuple([MutedAlert(each, by) for each in flush.alerts])
        groups.flushed(flush, Muted(flush, T0, "silence", muted))
        groups.flushed(flush)
    assert len(groups) == 3
    seen = groups.get((ROUTE.options.receiver, f"{KEY}19"))
    assert seen is not None
    assert "silenced by silence 0 of group 19" in seen.describe(flush.alerts[7].labels.hash)
    assert groups.get((ROUTE.options.receiver, f"{KEY}0")) is None
    distinct = {id(text) for flushed in seen._flushed for text in flushed.muted.values()}
    assert len(distinct) == 1, "one text for all that the same silences mute"


def test_differences_are_bounded() -> None:
    bench = Bench(max_differences=2)
    for place in range(3):
        bench.ours(T0 + place, "a", key=f"{KEY}{place}")
    bench.wait(T0 + PATIENCE + 3)
    assert bench.counts == {"missing": 3}
    assert bench.shadow.statistics.differences == 2
    assert bench.shadow.statistics.differences_forgotten == 1


def test_receivers_by_which_is_counted_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MAX_COUNTED", 2)
    bench = Bench()
    for place in range(4):
        bench.theirs(T0, "a", receiver=Receiver(f"r{place}", "webhook", 0))
    bench.wait(T0 + PATIENCE)
    assert {receiver for _, receiver in bench.shadow.results.counts} == {"r0", "r1", results.OTHERS}


def test_alerts_that_are_named_are_bounded() -> None:
    bench = Bench()
    bench.ours(T0, *[f"i{each}" for each in range(25)])
    bench.wait(T0 + PATIENCE)
    (found,) = bench.shadow.results.differences
    assert found.firing == 25
    assert (len(found.alerts), found.more) == (10, 15)
