"""The comparison, with what chance makes of it: sides that decide alike differ nowhere, and one that is
configured otherwise is found."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.beside import Beside
from tests.support.routing import T0, alert, one_receiver, one_route
from tests.unit.alerting.shadow.test_shadow import PATIENCE, Bench
from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import SECOND, ZERO, Nanoseconds

MINUTE = 60 * SECOND
ROUTE = one_route(group_wait=10 * SECOND, group_interval=60 * SECOND, repeat_interval=10 * MINUTE + 1)
CONFIG = one_receiver(ROUTE)


@dataclass(frozen=True)
class Event:
    """After ``wait`` the alert ``name`` fires or has ended."""

    wait: Nanoseconds
    name: str
    fires: bool


def reported(event: Event, now: Nanoseconds) -> Alert:
    found = alert(alertname="A", instance=event.name, starts_at=now, updated_at=now)
    return replace(found, ends_at=ZERO if event.fires else now)


events = st.builds(
    Event,
    wait=st.integers(1, 200_000).map(lambda each: each * SECOND // 1000),
    name=st.sampled_from("abc"),
    fires=st.booleans(),
)


class Mutes:
    """Mutes one alert while it is on."""

    def __init__(self) -> None:
        self.on = False

    def mutes(self, labels: Labels, _now: Nanoseconds, /) -> tuple[str, ...]:
        return ("a silence",) if self.on and labels.get("instance") == "b" else ()

    def muting(self, labels: Labels, now: Nanoseconds, _most: int, /) -> Steps[tuple[str, ...]]:
        return self.mutes(labels, now)
        yield


@settings(max_examples=15, deadline=None)
@given(story=st.lists(events, max_size=12), silenced=st.sets(st.integers(0, 11)))
def test_a_shadow_that_is_configured_as_the_others_agrees_on_everything(
    story: list[Event], silenced: set[int]
) -> None:
    silence = Mutes()
    beside = Beside(CONFIG, CONFIG, T0, silences=(silence, silence))
    for place, event in enumerate(story):
        beside.pass_time(event.wait)
        silence.on = place in silenced
        beside.post(reported(event, beside.now))
    beside.pass_time(15 * MINUTE)
    assert not beside.judged
    assert beside.counts.get("agreed", 0) >= len(
        beside.sent
    )  # and one for each entry of which nobody is told
    assert beside.shadow.statistics.pending <= 1  # what is sent just now
    assert not beside.shadow.statistics.not_compared


@settings(max_examples=15, deadline=None)
@given(story=st.lists(events, min_size=1, max_size=10), theirs=st.booleans())
def test_what_one_side_mutes_and_the_other_does_not_is_found(story: list[Event], theirs: bool) -> None:
    silences = Mutes(), Mutes()
    silences[0 if theirs else 1].on = True
    beside = Beside(CONFIG, CONFIG, T0, silences=silences)
    for event in story:
        beside.pass_time(event.wait)
        beside.post(reported(event, beside.now))
    beside.pass_time(15 * MINUTE)
    differs = [each for each in beside.judged if each.differs]
    told_of_b = any(
        '"b"' in str(each.labels) for attempt in beside.sent for each in attempt.notification.alerts
    )
    if theirs:
        assert all(each.result == "missing" for each in differs if '"b"' in "".join(each.alerts))
    elif told_of_b:
        assert any('instance="b"' in "".join(each.alerts) for each in differs if each.result == "extra")
        assert "silenced by a silence here" in "".join(["".join(each.alerts) for each in differs])


notices = st.lists(
    st.tuples(
        st.integers(1, 900).map(lambda each: each * SECOND),
        st.sets(st.sampled_from("abc")),
        st.sets(st.sampled_from("de")),
        st.sampled_from(("ours", "theirs", "both")),
    ),
    max_size=15,
)


def played(story: list[tuple[Nanoseconds, set[str], set[str], str]], *, swapped: bool) -> Bench:
    bench = Bench()
    now = T0
    for wait, firing, resolved, who in story:
        now += wait
        bench.wait(now)
        if who == "both" or (who == "ours") is not swapped:
            bench.ours(now, *sorted(firing), resolved=tuple(sorted(resolved)))
        if who == "both" or (who == "theirs") is not swapped:
            bench.theirs(now, *sorted(firing), resolved=tuple(sorted(resolved)))
    bench.wait(now + PATIENCE)
    return bench


@settings(max_examples=40, deadline=None)
@given(story=notices)
def test_each_notification_is_judged_once_and_the_sides_are_equal(
    story: list[tuple[Nanoseconds, set[str], set[str], str]],
) -> None:
    bench = played(story, swapped=False)
    judged = bench.shadow.results.differences
    alone = [each for each in judged if each.differs or "otherwise" in each.why]
    pairs = sum(bench.shadow.results.counts.values()) - len(alone)
    assert 2 * pairs + len(alone) == sum(2 if who == "both" else 1 for *_, who in story)
    assert bench.shadow.statistics.pending == 0
    assert bench.shadow.next_timeout() is None
    counts, other = bench.counts, played(story, swapped=True).counts
    swapped = {"missing": "extra", "extra": "missing"}
    assert {swapped.get(result, result): count for result, count in counts.items()} == other


@settings(max_examples=25, deadline=None)
@given(story=notices)
def test_what_both_tell_at_once_agrees(story: list[tuple[Nanoseconds, set[str], set[str], str]]) -> None:
    bench = played([(*each[:3], "both") for each in story], swapped=False)
    assert bench.counts == ({"agreed": len(story)} if story else {})
