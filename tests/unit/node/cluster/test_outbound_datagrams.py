"""Where packets are datagrams: what fits one goes in one, and again; more goes by stream, one at a time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tests.unit.node.cluster.test_outbound import everyone, free, sent
from tocsin.node.cluster.outbound import BATCH_BYTES, INTERVAL, REPEATS, Batch, OutboundQueue

ROOM = 1000
AFTER = 0.2


def datagrams(**bounds: int) -> OutboundQueue:
    return OutboundQueue(packet_bytes=ROOM, repeat_after=AFTER, **bounds)


def test_what_fits_a_datagram_goes_in_one_and_is_repeated() -> None:
    outbound = datagrams()
    outbound.add(["a"], "sil", "x", b"x1")
    assert outbound.batches(10.0, free) == [Batch("a", "sil", b"x1", 1)]
    for number in range(1, REPEATS + 1):
        assert not outbound.busy
        due = outbound.next_timeout()
        assert due is not None
        assert due == pytest.approx(10.0 + number * AFTER)
        assert outbound.batches(due, free) == [Batch("a", "sil", b"x1", 1)]
        assert outbound.statistics.repeated == {"sil": number}
    assert outbound.next_timeout() is None


def test_a_newer_change_ends_the_repeats_of_the_older() -> None:
    outbound = datagrams()
    outbound.add(["a"], "sil", "x", b"x1")
    outbound.batches(0.0, free)
    outbound.add(["a"], "sil", "x", b"x2")
    assert [batch.data for batch in sent(outbound, 1.0)] == [b"x2"] * (1 + REPEATS)


def test_more_than_a_datagram_holds_goes_by_stream_and_only_once() -> None:
    outbound = datagrams()
    for number in range(4):
        outbound.add(["a"], "sil", number, bytes([number]) * 400)
    [batch] = outbound.batches(0.0, free)
    assert (batch.reliable, batch.entries, len(batch.data)) == (True, 4, 1600)
    assert outbound.next_timeout() is None
    outbound.delivered("a", 0.5)
    assert outbound.next_timeout() is None
    assert outbound.statistics.sent == {"sil": 4}


def test_a_single_large_change_goes_by_stream_also_as_a_repair() -> None:
    outbound = datagrams()
    outbound.add(["a"], "sil", "large", bytes(ROOM + 1), repair_at=0.0)
    [batch] = outbound.batches(0.0, free)
    assert batch.reliable


def test_while_a_stream_is_under_way_the_member_s_changes_gather_and_nobody_else_waits() -> None:
    outbound = datagrams()
    outbound.add(["a"], "sil", "large", bytes(5000))
    [first] = outbound.batches(0.0, free)
    assert first.reliable
    assert outbound.busy
    outbound.add(["a", "b"], "sil", "small", b"small")
    outbound.add(["a"], "nfl", "group", b"group")
    assert [batch.member for batch in outbound.batches(1.0, free)] == ["b"]
    outbound.delivered("a", 2.0)
    found = outbound.batches(2.0, free)
    assert {(batch.member, batch.key) for batch in found if batch.member == "a"} == {
        ("a", "sil"),
        ("a", "nfl"),
    }


def test_a_failed_stream_names_the_member_for_an_exchange_of_states() -> None:
    outbound = datagrams()
    outbound.add(["a"], "sil", "large", bytes(5000))
    outbound.batches(0.0, free)
    outbound.undelivered("a", "sil", 1.0)
    assert outbound.missed(everyone) == ["a"]
    assert outbound.statistics.undelivered == {"sil": 1}
    outbound.add(["a"], "sil", "next", b"next")
    assert [batch.data for batch in outbound.batches(1.0, free)] == [b"next"]


def test_the_outcome_for_a_member_that_went_meanwhile_is_harmless() -> None:
    outbound = datagrams()
    outbound.add(["a"], "sil", "large", bytes(5000))
    outbound.batches(0.0, free)
    outbound.forget("a")
    outbound.delivered("a", 1.0)
    outbound.undelivered("a", "sil", 1.0)
    assert not outbound.busy


def test_a_full_queue_forgets_its_repeats_too() -> None:
    outbound = datagrams(max_changes=2)
    for number in range(2):
        outbound.add(["a"], "sil", number, b"small")
    outbound.batches(0.0, free)
    for number in range(10, 13):
        outbound.add(["a"], "sil", number, b"more")
    assert outbound.missed(everyone) == ["a"]
    assert {batch.data for batch in sent(outbound, 1.0)} == {b"moremore"}


@settings(max_examples=many(200))
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 20), st.integers(1, 3000), st.booleans()), max_size=60
    )
)
def test_every_change_leaves_and_no_packet_is_larger_than_a_datagram(
    changes: list[tuple[str, int, int, bool]],
) -> None:
    outbound = datagrams()
    latest: dict[tuple[str, int], bytes] = {}
    fresh: set[tuple[str, int]] = set()
    for number, (member, name, size, repair) in enumerate(changes):
        change = b"%05d" % number + bytes(size)
        outbound.add([member], "sil", name, change, repair_at=0.0 if repair else None)
        if not (repair and (member, name) in fresh):  # What is on its way needs no repair.
            latest[member, name] = change
        if not repair:
            fresh.add((member, name))
    now = 0.0
    received: dict[str, bytes] = {"a": b"", "b": b""}
    while (when := outbound.next_timeout()) is not None:
        now = max(now, when)
        for batch in outbound.batches(now, free):
            received[batch.member] += batch.data
            if batch.reliable:
                assert len(batch.data) <= BATCH_BYTES
                outbound.delivered(batch.member, now + INTERVAL)
            else:
                assert len(batch.data) <= ROOM
    for (member, _), change in latest.items():
        assert change[:5] in received[member]
    assert outbound.queued.changes == outbound.queued.bytes == 0
