"""A member that lacks something is helped soon, and a storm of losses makes no storm of exchanges."""

from __future__ import annotations

import itertools
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tocsin.node.cluster.resyncs import CALM, MAX_RUNNING, MAXIMUM_PAUSE, PAUSE_OF_ALL, Resyncs


def resyncs() -> Resyncs:
    return Resyncs(Random(1))


def test_the_first_begins_at_once() -> None:
    needs = resyncs()
    needs.want("a", 5.0)
    assert needs.next_timeout() == 0.0
    assert needs.due(5.0) == ["a"]
    assert needs.due(5.0) == []
    assert needs.next_timeout() is None


def test_what_is_missed_meanwhile_needs_one_more_after_a_pause() -> None:
    needs = resyncs()
    needs.want("a", 0.0)
    needs.due(0.0)
    for _ in range(100):
        needs.want("a", 0.1)
    assert needs.due(0.1) == []
    needs.finished("a", success=True, now=0.2)
    assert needs.due(0.2) == []
    when = needs.next_timeout()
    assert when is not None
    assert needs.due(when) == ["a"]
    assert needs.statistics.wanted == 2


def test_a_failed_one_is_tried_again_ever_more_seldom() -> None:
    needs = resyncs()
    needs.want("a", 0.0)
    now, times = 0.0, []
    for _ in range(10):
        assert needs.due(now) == ["a"]
        times.append(now)
        needs.finished("a", success=False, now=now)
        when = needs.next_timeout()
        assert when is not None
        now = when
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert pauses[0] <= 1.25
    assert pauses[3] > pauses[0]
    assert max(pauses) <= 1.25 * MAXIMUM_PAUSE
    assert needs.statistics.failed == 10


def test_after_a_calm_while_it_is_quick_again() -> None:
    needs = resyncs()
    now = 0.0
    for _ in range(6):
        needs.want("a", now)
        now = max(now, needs.next_timeout() or 0.0)
        needs.due(now)
        needs.finished("a", success=True, now=now)
    now += 2 * CALM + MAXIMUM_PAUSE
    needs.want("a", now)
    assert needs.due(now) == ["a"]
    needs.finished("a", success=False, now=now)
    when = needs.next_timeout()
    assert when is not None
    assert when - now <= 1.25


def test_only_so_many_run_at_the_same_time() -> None:
    needs = resyncs()
    names = [f"node-{number}" for number in range(MAX_RUNNING + 3)]
    for name in names:
        needs.want(name, 0.0)
    assert needs.due(0.0) == names[:MAX_RUNNING]
    assert needs.next_timeout() is None
    needs.finished(names[0], success=True, now=0.0)
    assert needs.due(0.0) == [names[MAX_RUNNING]]


def test_one_that_is_gone_is_forgotten() -> None:
    needs = resyncs()
    needs.want("a", 0.0)
    needs.due(0.0)
    needs.forget("a")
    needs.finished("a", success=False, now=0.0)
    assert needs.next_timeout() is None


@settings(max_examples=many(100))
@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(0, 2), st.booleans()), max_size=80))
def test_whoever_needs_one_gets_one_and_nobody_gets_many(steps: list[tuple[str, float, bool]]) -> None:
    needs = resyncs()
    now, wanted = 0.0, set[str]()
    running: dict[str, bool] = {}
    started = dict.fromkeys("abcdefgh", 0)
    for name, pause, success in steps:
        now += pause
        needs.want(name, now)
        wanted.add(name)
        for one in needs.due(now):
            wanted.discard(one)
            running[one] = success
            started[one] += 1
        assert len(running) <= MAX_RUNNING
        for one, well in list(running.items())[:2]:
            del running[one]
            needs.finished(one, success=well, now=now)
            if not well:
                wanted.add(one)
    assert all(count <= 2 + now / 0.75 for count in started.values())
    for _ in range(200):
        for one in running:
            needs.finished(one, success=True, now=now)
        running.clear()
        when = needs.next_timeout()
        if when is None:
            break
        now = max(now, when)
        for one in needs.due(now):
            wanted.discard(one)
            running[one] = True
    assert not wanted


def test_after_a_failed_one_all_wait_the_longer_the_more_there_are() -> None:
    """Who invents members must not have our whole list sent to each of them, one after the other."""
    needs = resyncs()
    for number in range(3000):
        needs.want(f"invented-{number}", 0.0)
    begun = 0
    now = 0.0
    while now < 10.0:
        for each in needs.due(now):
            begun += 1
            needs.finished(each, success=False, now=now)
        due = needs.next_timeout()
        assert due is not None
        assert due > now
        now = due
    assert begun <= MAX_RUNNING * 10.0 / (3 * PAUSE_OF_ALL) + MAX_RUNNING
