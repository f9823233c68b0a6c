"""The newest records stay, within three bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tocsin.alerting.record.ring import Bounds, Ring

BOUNDS = Bounds(entries=3, size=100, age=50)


def test_the_oldest_go_when_there_are_too_many() -> None:
    ring = Ring(BOUNDS)
    gone = [ring.put(ring.number(), at, 10, at) for at in range(5)]
    assert gone == [[], [], [], [1], [2]]
    assert (len(ring), ring.size, ring.oldest) == (3, 30, 2)


def test_the_oldest_go_when_they_are_too_large_together() -> None:
    ring = Ring(BOUNDS)
    assert ring.put(1, 0, 60, 0) == []
    assert ring.put(2, 1, 60, 1) == [1]
    assert ring.put(3, 2, 101, 2) == [2, 3]
    assert (len(ring), ring.size, ring.oldest) == (0, 0, None)


def test_the_oldest_go_with_time() -> None:
    ring = Ring(BOUNDS)
    ring.put(1, 0, 1, 0)
    ring.put(2, 10, 1, 10)
    assert ring.trim(50) == []
    assert ring.trim(51) == [1]
    assert ring.trim(61) == [2]


def test_a_record_that_grows_keeps_its_place() -> None:
    ring = Ring(BOUNDS)
    ring.put(1, 0, 10, 0)
    ring.put(2, 0, 10, 0)
    assert ring.put(1, 0, 95, 0) == [1]
    assert ring.size == 10
    assert ring.put(1, 0, 20, 0) == [1], "what has gone does not come back"


def test_nothing_is_kept_where_nothing_may_be() -> None:
    assert Ring(Bounds(entries=0, size=100, age=0)).put(1, 0, 1, 0) == [1]


def test_no_age_is_no_bound() -> None:
    ring = Ring(Bounds(entries=3, size=100, age=0))
    ring.put(1, 0, 1, 0)
    assert ring.trim(1 << 62) == []


def test_numbers_go_on_after_a_restart() -> None:
    ring = Ring(BOUNDS)
    assert ring.restore([(4, 0, 10), (7, 40, 10), (9, 45, 10)], 60) == [4]
    assert (ring.number(), len(ring), ring.size) == (10, 2, 20)


def test_a_record_that_is_none_gives_its_place_back() -> None:
    ring = Ring(BOUNDS)
    ring.put(1, 0, 60, 0)
    ring.drop(1)
    ring.drop(7)
    assert (len(ring), ring.size) == (0, 0)


steps = st.lists(
    st.tuples(st.integers(1, 12) | st.none(), st.integers(0, 40), st.integers(-5, 30)), max_size=60
)


@given(st.builds(Bounds, entries=st.integers(0, 5), size=st.integers(0, 90), age=st.integers(0, 60)), steps)
def test_the_bounds_hold_whatever_comes(bounds: Bounds, story: list[tuple[int | None, int, int]]) -> None:
    ring = Ring(bounds)
    kept: dict[int, tuple[int, int]] = {}
    now = 0
    for again, size, passed in story:
        now += passed
        number = again if again is not None and again in kept else ring.number()
        at = kept[number][0] if number in kept else now
        kept[number] = at, size
        for gone in ring.put(number, at, size, now):
            del kept[gone]
        assert (len(ring), ring.size) == (len(kept), sum(size for _, size in kept.values()))
        assert len(kept) <= bounds.entries
        assert ring.size <= bounds.size
        assert all(each in ring for each in kept)
        oldest = ring.oldest
        assert oldest is None or not bounds.age or now - oldest <= bounds.age
