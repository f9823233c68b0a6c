"""When an acknowledgement ends, and what it silences."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.replicas import HOUR, NOW
from tocsin.alerting.acknowledge import (
    ANNOTATION,
    HOLD,
    UNKNOWN_HOLD,
    Acknowledgements,
    Standing,
    is_acknowledgement,
    matchers_of_alert,
    matchers_of_group,
)
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import parse_matchers
from tocsin.alerting.route import RouteConfig, build_route
from tocsin.alerting.silence import Silence, Silences
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.errors import ValidationError

FIRING = Standing(firing=True, said=True)
ENDED = Standing(firing=False, said=True)
UNHEARD = Standing(firing=False, said=False)


def ends_after(*standings: Standing | None, wait: Nanoseconds = 0) -> int | None:
    """Seconds from the last of the standings, a second apart, to the end; None: not within an hour."""
    machine = Acknowledgements()
    for second, standing in enumerate(standings):
        if machine.evaluate({"a": standing}, second * SECOND, wait):
            return second - len(standings) + 1
    for second in range(len(standings), 3600):
        if machine.evaluate({"a": standings[-1]}, second * SECOND, wait):
            return second - len(standings) + 1
    return None


def test_it_ends_a_while_after_its_last_alert() -> None:
    assert ends_after(FIRING, ENDED) == HOLD // SECOND
    assert ends_after(FIRING, UNHEARD) == UNKNOWN_HOLD // SECOND
    assert ends_after(FIRING, FIRING) is None


def test_an_alert_that_fires_again_keeps_it() -> None:
    flapping = [FIRING, *[ENDED] * 5] * 20
    assert ends_after(*flapping, FIRING) is None
    assert ends_after(*flapping, FIRING, ENDED) == HOLD // SECOND


def test_a_node_that_knows_no_alert_ends_nothing() -> None:
    assert ends_after(None) is None
    assert ends_after(None, FIRING, None) is None, "forgotten while it fired"
    assert ends_after(None, FIRING, ENDED, None) == HOLD // SECOND - 1, "forgotten after it has ended"
    assert ends_after(None, ENDED) == HOLD // SECOND, "it began anew, and was told of the end"


def test_later_members_act_later() -> None:
    assert ends_after(FIRING, ENDED, wait=15 * SECOND) == HOLD // SECOND + 15


def test_a_clock_that_is_set_back_makes_it_wait_from_then_on() -> None:
    machine = Acknowledgements()
    assert machine.evaluate({"a": ENDED}, 5 * HOUR) == []
    assert machine.evaluate({"a": ENDED}, HOUR) == []
    assert machine.evaluate({"a": ENDED}, HOUR + HOLD) == ["a"]
    assert machine.evaluate({"a": ENDED}, HOUR + HOLD + SECOND) == ["a"], "until it is done"
    assert machine.evaluate({}, HOUR + 2 * HOLD) == []


@given(
    st.lists(st.sampled_from([FIRING, ENDED, None]), min_size=1, max_size=40),
    st.lists(st.integers(0, 3), min_size=3, max_size=3),
)
@example(story=[ENDED] * 11 + [FIRING], delays=[0, 0, 0])  # Fires again a second after it was ended.
@example(story=[ENDED] * 10 + [FIRING], delays=[0, 0, 0])  # Fires again in the second in which it would end.
def test_of_three_nodes_one_ends_it_if_they_hear_of_each_other(
    story: list[Standing | None], delays: list[int]
) -> None:
    """Nodes get reports a few seconds apart, and silences within a second: no more than the first acts."""
    nodes = [Acknowledgements() for _ in range(3)]
    ended_by: list[int] = []
    unknown: list[Standing | None] = [None]
    seen = [unknown * delay + story for delay in delays]
    for second in range(len(story) + 100):
        in_force = not ended_by
        for number, machine in enumerate(nodes):
            standing = seen[number][min(second, len(seen[number]) - 1)]
            standings = {"a": standing} if in_force else {}
            wait = number * 15 * SECOND
            if machine.evaluate(standings, second * SECOND, wait):
                ended_by.append(number)
                began = second - (HOLD + wait) // SECOND
                assert began >= 0
                quiet = [seen[number][min(each, len(seen[number]) - 1)] for each in range(began, second + 1)]
                assert FIRING not in quiet, "it has seen nothing fire for as long as it is to wait"
    assert len(ended_by) <= 1
    if FIRING not in story and ENDED not in story:
        assert ended_by == []
    if story[-1] is ENDED:
        assert ended_by == [0]


def test_a_group_is_told_by_its_route_and_its_labels() -> None:
    root = build_route(
        RouteConfig(
            receiver="all",
            routes=(
                RouteConfig(
                    matchers=parse_matchers('team=~"db|web"'),
                    group_by=("alertname", "cluster"),
                    routes=(RouteConfig(matchers=parse_matchers('severity="page"')),),
                ),
                RouteConfig(matchers=parse_matchers('team=""'), group_by=()),
            ),
        )
    )
    leaf, empty = root.children[0].children[0], root.children[1]
    found = matchers_of_group(leaf, Labels({"alertname": "Down"}))
    assert [str(each) for each in found] == [
        'alertname="Down"',
        'cluster=""',
        'severity="page"',
        'team=~"db|web"',
    ]
    with pytest.raises(ValidationError, match="acknowledge the alerts"):
        matchers_of_group(empty, Labels())
    assert [str(each) for each in matchers_of_alert(Labels({"b": "1", "a": "2"}))] == ['a="2"', 'b="1"']


def acknowledgement(stamp: Nanoseconds, **annotations: str) -> Silence:
    return Silence(
        id="",
        matcher_sets=(parse_matchers('a="b"'),),
        starts_at=stamp,
        ends_at=stamp + HOUR,
        annotations=Labels({ANNOTATION: "true", **annotations}),
    )


def test_the_silences_know_which_of_them_are_acknowledgements() -> None:
    one, other = (Silences(120 * HOUR, random=Random(name)) for name in "ab")
    identifier, changes = one.set(acknowledgement(NOW), NOW)
    other.merge(b"".join(changes), NOW)
    assert one.acknowledgements == other.acknowledgements == {identifier}
    known = one.get(identifier)
    assert known is not None
    assert is_acknowledgement(known.annotations)
    one.expire(identifier, NOW + SECOND)
    one.gc(NOW + 1000 * HOUR)
    assert one.acknowledgements == set()
