"""Changes on their way: gathered, superseded, bounded, paced, and never silently lost."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tocsin.node.cluster.outbound import (
    BACKLOG_RETRY,
    BATCH_BYTES,
    INTERVAL,
    LONGEST_INTERVAL,
    MAX_BACKLOG,
    MAX_MISSED,
    Batch,
    OutboundQueue,
)


def free(member: str) -> int:
    return 0


def everyone(member: str) -> bool:
    return True


def sent(outbound: OutboundQueue, now: float = 0.0) -> list[Batch]:
    """Everything that leaves when nothing holds it up, from ``now`` on."""
    found: list[Batch] = []
    while (when := outbound.next_timeout()) is not None:
        now = max(now, when)
        found += outbound.batches(now, free)
    return found


def test_changes_of_the_same_moment_leave_in_one_batch_to_each_member() -> None:
    outbound = OutboundQueue()
    for change in (b"one,", b"two,", b"three"):
        outbound.add(["a", "b"], "sil", None, change)
    assert outbound.batches(1.0, free) == [
        Batch("a", "sil", b"one,two,three", 3),
        Batch("b", "sil", b"one,two,three", 3),
    ]
    assert outbound.next_timeout() is None
    assert outbound.statistics.sent == {"sil": 6}


def test_the_first_leaves_at_once_and_the_next_after_the_interval() -> None:
    outbound = OutboundQueue()
    outbound.add(["a"], "sil", None, b"1")
    assert outbound.next_timeout() == 0.0
    outbound.batches(10.0, free)
    for change in (b"2", b"3"):
        outbound.add(["a"], "sil", None, change)
    assert outbound.next_timeout() == 10.0 + INTERVAL
    assert outbound.batches(10.0 + INTERVAL / 2, free) == []
    assert outbound.batches(10.0 + INTERVAL, free) == [Batch("a", "sil", b"23", 2)]


def test_the_more_come_the_longer_they_gather_but_not_while_some_are_left() -> None:
    outbound = OutboundQueue()
    for count, wait in ((1, INTERVAL), (2, 2 * INTERVAL), (500, LONGEST_INTERVAL)):
        for number in range(count):
            outbound.add(["a"], "sil", number, b"a change")
        now = outbound.next_timeout() or 0.0
        [batch] = outbound.batches(now, free)
        assert batch.entries == count
        outbound.add(["a"], "sil", "next", b"next")
        assert outbound.next_timeout() == now + wait
        outbound.batches(now + wait, free)
    for number in range(3):
        outbound.add(["a"], "sil", number, bytes(BATCH_BYTES // 2))
    now = outbound.next_timeout() or 0.0
    [batch] = outbound.batches(now, free)
    assert batch.entries == 2
    assert outbound.next_timeout() == now + INTERVAL


def test_a_newer_change_takes_the_place_of_the_queued_older_one() -> None:
    outbound = OutboundQueue()
    outbound.add(["a"], "sil", "x", b"x1")
    outbound.add(["a"], "sil", "y", b"y1")
    outbound.add(["a"], "nfl", "x", b"another x")
    outbound.add(["a"], "sil", "x", b"x2")
    assert outbound.queued.changes == 3
    assert outbound.queued.bytes == len(b"x2y1another x")
    assert [batch.data for batch in outbound.batches(0.0, free)] == [b"x2y1", b"another x"]
    assert outbound.statistics.superseded["sil"] == 1
    assert outbound.queued.bytes == outbound.queued.changes == 0


def test_kinds_of_state_do_not_wait_for_each_other() -> None:
    outbound = OutboundQueue()
    for number in range(200):
        outbound.add(["a"], "sil", number, bytes(1000))
    outbound.add(["a"], "nfl", "group", b"sent to the pager")
    assert [batch.key for batch in outbound.batches(0.0, free)] == ["sil", "nfl"]


def test_batches_are_bounded_but_a_single_large_change_still_goes() -> None:
    outbound = OutboundQueue()
    sizes = [BATCH_BYTES - 10, 10, 1, BATCH_BYTES + 1000, 5]
    for number, size in enumerate(sizes):
        outbound.add(["a"], "sil", number, bytes(size))
    assert [len(batch.data) for batch in sent(outbound)] == [BATCH_BYTES, 1, BATCH_BYTES + 1000, 5]
    assert outbound.statistics.sent_large["sil"] == 2


def test_a_go_peers_handler_queue_is_never_overrun() -> None:
    """It holds 1,024 messages and is emptied far more often than each 200 ms."""
    outbound = OutboundQueue(max_changes=100_000)
    times: list[float] = []
    now = 0.0
    for tick in range(600):
        now = tick * 0.001
        for kind in ("sil", "nfl", "intent"):
            for number in range(20):
                outbound.add(["go"], kind, (tick, number), bytes(300))
        times += [now] * len(outbound.batches(now, free))
    most = max(sum(start <= when < start + 0.2 for when in times) for start in set(times))
    assert 30 <= most <= 128


def test_a_member_that_takes_nothing_holds_up_nobody_else_and_its_changes_are_still_superseded() -> None:
    outbound = OutboundQueue()
    waiting = {"stuck": MAX_BACKLOG + 1, "well": 0}
    for version in range(3):
        outbound.add(["stuck", "well"], "sil", "x", b"%d" % version)
        assert outbound.batches(float(version), waiting.__getitem__) == [
            Batch("well", "sil", b"%d" % version, 1)
        ]
    assert outbound.queued.changes == 1
    assert outbound.next_timeout() == pytest.approx(2.0 + BACKLOG_RETRY)
    assert outbound.batches(3.0, free) == [Batch("stuck", "sil", b"2", 1)]


@pytest.mark.parametrize(("bounds", "size"), [({"max_changes": 3}, 1), ({"max_bytes": 30}, 10)])
def test_a_full_queue_is_emptied_and_asks_for_an_exchange_of_states(
    bounds: dict[str, int], size: int
) -> None:
    outbound = OutboundQueue(**bounds)
    for number in range(3):
        outbound.add(["a", "b"], "sil", number, bytes(size))
    outbound.batches(0.0, {"a": MAX_BACKLOG + 1, "b": 0}.__getitem__)
    assert outbound.missed(everyone) == []
    outbound.add(["a", "b"], "sil", "one too many", bytes(size))
    assert outbound.statistics.dropped == {"sil": 4}
    assert outbound.queued.changes == 1  # for b
    assert outbound.missed(everyone) == ["a"]
    assert outbound.missed(everyone) == []


def test_a_failed_sending_asks_for_an_exchange_once_the_member_is_live() -> None:
    outbound = OutboundQueue()
    outbound.lost("a")
    assert outbound.missed(lambda member: False) == []
    assert outbound.missed(everyone) == ["a"]


def test_one_that_died_costs_nothing_and_gets_an_exchange_when_it_is_back() -> None:
    outbound = OutboundQueue()
    outbound.add(["a"], "sil", "x", b"1")
    outbound.failed("a")
    assert outbound.queued.changes == outbound.queued.bytes == 0
    assert outbound.statistics.abandoned == {"sil": 1}
    assert outbound.next_timeout() is None
    assert outbound.missed(everyone) == ["a"]


def test_one_that_left_is_forgotten() -> None:
    outbound = OutboundQueue()
    outbound.add(["a"], "sil", "x", b"1")
    outbound.lost("a")
    outbound.forget("a")
    assert outbound.next_timeout() is None
    assert outbound.missed(everyone) == []


def test_the_dead_that_are_remembered_are_bounded() -> None:
    outbound = OutboundQueue()
    for number in range(MAX_MISSED + 10):
        outbound.failed(f"life {number}")
    missed = outbound.missed(everyone)
    assert (len(missed), missed[0]) == (MAX_MISSED, "life 10")


def test_repairs_wait_for_their_tick_and_fill_up_what_leaves_then() -> None:
    outbound = OutboundQueue()
    outbound.add(["a"], "sil", "x", b"x,", repair_at=0.2)
    outbound.add(["a"], "sil", "y", b"y,", repair_at=0.3)  # leaves with the first
    assert outbound.next_timeout() == 0.2
    outbound.add(["a"], "sil", "z", b"z,")
    assert outbound.batches(0.1, free) == [Batch("a", "sil", b"z,", 1)]
    outbound.add(["a"], "sil", "x", b"newer x,")  # no use in repairing what is out of date
    assert outbound.batches(0.2, free) == [Batch("a", "sil", b"newer x,y,", 2)]
    assert outbound.next_timeout() is None


def test_repairs_never_push_out_what_is_fresh() -> None:
    outbound = OutboundQueue(max_changes=2)
    outbound.add(["a"], "sil", "x", b"x")
    outbound.add(["a"], "sil", "y", b"y")
    outbound.add(["a"], "sil", "z", b"z", repair_at=0.0)
    assert outbound.statistics.repairs_dropped == {"sil": 1}
    assert outbound.missed(everyone) == []
    assert outbound.batches(0.0, free) == [Batch("a", "sil", b"xy", 2)]


MEMBERS = ("a", "b")
Step = tuple[str, object]
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.tuples(st.sampled_from("xyz"), st.integers(1, 60))),
        st.tuples(st.just("repair"), st.tuples(st.sampled_from("xyz"), st.integers(1, 60))),
        st.tuples(st.just("send"), st.sets(st.sampled_from(MEMBERS))),
        st.tuples(st.just("lose"), st.sampled_from(MEMBERS)),
    ),
    max_size=50,
)


def newest(batches: Iterable[Batch], known: dict[str, dict[str, int]]) -> None:
    """Merge as a member would: of each name the latest version."""
    for batch in batches:
        for entry in batch.data.decode().split(";")[:-1]:
            name, version, _ = entry.split(",")
            state = known[batch.member]
            state[name] = max(state.get(name, 0), int(version))


@settings(max_examples=many(200))
@given(STEPS)
def test_no_change_is_lost_for_a_live_member_it_is_sent_or_an_exchange_brings_it(steps: list[Step]) -> None:
    outbound = OutboundQueue(max_changes=4, max_bytes=150)
    truth: dict[str, int] = {}
    known: dict[str, dict[str, int]] = {member: {} for member in MEMBERS}
    now = 0.0
    for version, (kind, value) in enumerate(steps, 1):
        now += 0.01
        if kind in ("change", "repair"):
            assert isinstance(value, tuple)
            name, size = value
            if kind == "repair" and name not in truth:
                continue
            truth[name] = version if kind == "change" else truth[name]
            change = b"%s,%d,%s;" % (name.encode(), truth[name], b"-" * size)
            outbound.add(MEMBERS, "sil", name, change, repair_at=now if kind == "repair" else None)
        elif kind == "send":
            assert isinstance(value, set)
            open_to = value
            newest(outbound.batches(now, lambda m: 0 if m in open_to else MAX_BACKLOG + 1), known)  # noqa: B023
        else:
            assert isinstance(value, str)
            outbound.batches(now, lambda m: 0 if m == value else MAX_BACKLOG + 1)  # noqa: B023
            outbound.lost(value)
        assert outbound.queued.changes <= 2 * 4
        assert outbound.queued.bytes <= 2 * 150
    newest(sent(outbound, now), known)
    for member in outbound.missed(everyone):
        known[member].update(truth)
    assert known == dict.fromkeys(MEMBERS, truth)
    assert outbound.queued.changes == outbound.queued.bytes == 0
