from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tocsin.bounded import Timers


def test_timers_fire_in_order_of_time_then_of_arming() -> None:
    timers: Timers[str, float] = Timers()
    timers.set("late", 3.0)
    timers.set("first", 1.0)
    timers.set("second", 1.0)
    assert timers.next_timeout() == 1.0
    assert timers.pop_due(0.9) is None
    assert [timers.pop_due(2.0), timers.pop_due(2.0), timers.pop_due(2.0)] == ["first", "second", None]
    assert timers.next_timeout() == 3.0


def test_a_timer_that_is_moved_or_cancelled_does_not_fire_at_its_old_time() -> None:
    timers: Timers[str, float] = Timers()
    timers.set("moved", 1.0)
    timers.set("moved", 5.0)
    timers.set("cancelled", 2.0)
    timers.cancel("cancelled")
    timers.cancel("never armed")
    assert timers.pop_due(4.9) is None
    assert timers.pop_due(5.0) == "moved"
    assert timers.next_timeout() is None
    assert "moved" not in timers


def test_rearming_for_ever_does_not_grow_the_heap() -> None:
    timers: Timers[str, float] = Timers()
    for tick in range(10_000):
        timers.set("busy", float(tick))
    assert len(timers) == 1
    assert timers.heap_size < 100


@given(st.lists(st.tuples(st.integers(0, 9), st.one_of(st.none(), st.integers(0, 50)))))
def test_timers_agree_with_a_plain_dictionary(steps: list[tuple[int, int | None]]) -> None:
    timers: Timers[int, float] = Timers()
    model: dict[int, int] = {}
    for name, when in steps:
        if when is None:
            timers.cancel(name)
            model.pop(name, None)
        else:
            timers.set(name, when)
            model[name] = when
        assert timers.next_timeout() == (min(model.values()) if model else None)
    fired = []
    while (due := timers.pop_due(100)) is not None:
        fired.append(due)
    assert sorted(fired) == sorted(model)
    assert [model[name] for name in fired] == sorted(model.values())
