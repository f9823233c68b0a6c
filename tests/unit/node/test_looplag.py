"""The turns of the event loop are measured, and only those."""

from __future__ import annotations

import asyncio
import gc
import selectors
import socket
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from tocsin.node.garbage import FREEZE_STEP, HeapKeeper
from tocsin.node.looplag import EVENTS_AT_ONCE, LagCollector, LagSelector, lag_of, measured_loop


def test_a_turn_lasts_from_one_wait_to_the_next() -> None:
    times: Iterator[float] = iter([1.0, 1.5, 7.0, 7.015])
    lag = LagSelector(clock=lambda: next(times))
    for _ in range(3):  # returns at 1, called at 1.5 (returns at 7), called at 7.015
        try:
            lag.select(0)
        except StopIteration:
            break
    assert lag.longest == 0.5
    assert sum(lag.counts) == 2
    lag.reset()
    assert (sum(lag.counts), lag.longest) == (0, 0.0)
    lag.close()


@pytest.mark.parametrize("held", ["while it waits", "while it works"])
def test_a_stall_is_told_before_what_has_become_due_is_done(held: str) -> None:
    lag = LagSelector()
    told: list[float] = []
    lag.on_stall = told.append
    reads = iter([0.0, 0.0, 5.0] if held == "while it waits" else [0.0, 5.0, 5.0])
    lag._clock = lambda: next(reads)
    lag.select(0.02)
    assert not told
    lag.select(0.02)
    assert told == ([pytest.approx(4.98)] if held == "while it waits" else [5.0])
    assert lag.stalls == 1
    lag.close()


def test_of_much_that_is_ready_at_once_some_is_served_in_a_turn() -> None:
    lag = LagSelector()
    pairs = [socket.socketpair() for _ in range(3 * EVENTS_AT_ONCE)]
    for ours, theirs in pairs:
        lag.register(ours, selectors.EVENT_READ)
        theirs.send(b"x")
    first = lag.select(None)
    assert len(first) == EVENTS_AT_ONCE
    known = {key.fd for key, _ in first}
    gone = next(ours for ours, _ in pairs if ours.fileno() not in known)
    changed = next(ours for ours, _ in pairs if ours.fileno() not in known and ours is not gone)
    number = gone.fileno()
    lag.unregister(gone)
    lag.modify(changed, selectors.EVENT_WRITE)
    rest = lag.select(None) + lag.select(None)
    # Nothing is said of what is no longer asked for: not of another socket by the number of a closed one.
    assert len(rest) == len({key.fd for key, _ in rest}) == 2 * EVENTS_AT_ONCE - 2
    assert not {number, changed.fileno()} & {key.fd for key, _ in rest}
    assert not known & {key.fd for key, _ in rest}
    assert len(lag.select(0)) == EVENTS_AT_ONCE  # All were read by nobody, and are ready still.
    lag.close()
    for pair in pairs:
        for each in pair:
            each.close()


def test_waiting_for_long_is_no_stall() -> None:
    reads = iter([30.0, 30.0, 90.0])
    lag = LagSelector(clock=lambda: next(reads))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        lag.register(ours, selectors.EVENT_READ)
        theirs.send(b"x")
        lag.select(30.0)
        lag.select(None)
    assert lag.stalls == 0
    lag.close()


def test_a_measured_loop_shows_its_turns() -> None:
    with asyncio.Runner(loop_factory=measured_loop) as runner:
        runner.run(asyncio.sleep(0.001))
        lag = lag_of(runner.get_loop())
        assert lag is not None
        registry = CollectorRegistry()
        registry.register(LagCollector(lag))
        text, turns = generate_latest(registry).decode(), sum(lag.counts)
    assert f'tocsin_event_loop_lag_seconds_bucket{{le="+Inf"}} {float(turns)}' in text
    assert "tocsin_event_loop_lag_max_seconds" in text


def test_the_heap_is_frozen_only_at_a_new_high() -> None:
    keeper = HeapKeeper()
    try:
        for count in (1, FREEZE_STEP, FREEZE_STEP + 1, 10, FREEZE_STEP, 2 * FREEZE_STEP):
            keeper.entries(count)
        assert keeper.freezes == 2
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
