"""Where packets are datagrams: what fits one goes in one, and again; more goes by stream, one at a time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.node.cluster.test_courier import everyone, free, sent
from tocsin.node.cluster.courier import INTERVAL, PARCEL_BYTES, REPEATS, Courier, Parcel

ROOM = 1000
AFTER = 0.2


def datagrams(**bounds: int) -> Courier:
    return Courier(packet_bytes=ROOM, repeat_after=AFTER, **bounds)


def test_what_fits_a_datagram_goes_in_one_and_is_repeated() -> None:
    courier = datagrams()
    courier.add(["a"], "sil", "x", b"x1")
    assert courier.parcels(10.0, free) == [Parcel("a", "sil", b"x1", 1)]
    for number in range(1, REPEATS + 1):
        assert not courier.busy
        due = courier.next_timeout()
        assert due is not None
        assert due == pytest.approx(10.0 + number * AFTER)
        assert courier.parcels(due, free) == [Parcel("a", "sil", b"x1", 1)]
        assert courier.statistics.repeated == {"sil": number}
    assert courier.next_timeout() is None


def test_a_newer_change_ends_the_repeats_of_the_older() -> None:
    courier = datagrams()
    courier.add(["a"], "sil", "x", b"x1")
    courier.parcels(0.0, free)
    courier.add(["a"], "sil", "x", b"x2")
    assert [parcel.data for parcel in sent(courier, 1.0)] == [b"x2"] * (1 + REPEATS)


def test_more_than_a_datagram_holds_goes_by_stream_and_only_once() -> None:
    courier = datagrams()
    for number in range(4):
        courier.add(["a"], "sil", number, bytes([number]) * 400)
    [parcel] = courier.parcels(0.0, free)
    assert (parcel.reliable, parcel.entries, len(parcel.data)) == (True, 4, 1600)
    assert courier.next_timeout() is None
    courier.delivered("a", 0.5)
    assert courier.next_timeout() is None
    assert courier.statistics.sent == {"sil": 4}


def test_a_single_large_change_goes_by_stream_also_as_a_repair() -> None:
    courier = datagrams()
    courier.add(["a"], "sil", "large", bytes(ROOM + 1), repair_at=0.0)
    [parcel] = courier.parcels(0.0, free)
    assert parcel.reliable


def test_while_a_stream_is_under_way_the_member_s_changes_gather_and_nobody_else_waits() -> None:
    courier = datagrams()
    courier.add(["a"], "sil", "large", bytes(5000))
    [first] = courier.parcels(0.0, free)
    assert first.reliable
    assert courier.busy
    courier.add(["a", "b"], "sil", "small", b"small")
    courier.add(["a"], "nfl", "group", b"group")
    assert [parcel.member for parcel in courier.parcels(1.0, free)] == ["b"]
    courier.delivered("a", 2.0)
    found = courier.parcels(2.0, free)
    assert {(parcel.member, parcel.key) for parcel in found if parcel.member == "a"} == {
        ("a", "sil"),
        ("a", "nfl"),
    }


def test_a_failed_stream_names_the_member_for_an_exchange_of_states() -> None:
    courier = datagrams()
    courier.add(["a"], "sil", "large", bytes(5000))
    courier.parcels(0.0, free)
    courier.undelivered("a", "sil", 1.0)
    assert courier.missed(everyone) == ["a"]
    assert courier.statistics.undelivered == {"sil": 1}
    courier.add(["a"], "sil", "next", b"next")
    assert [parcel.data for parcel in courier.parcels(1.0, free)] == [b"next"]


def test_the_outcome_for_a_member_that_went_meanwhile_is_harmless() -> None:
    courier = datagrams()
    courier.add(["a"], "sil", "large", bytes(5000))
    courier.parcels(0.0, free)
    courier.forget("a")
    courier.delivered("a", 1.0)
    courier.undelivered("a", "sil", 1.0)
    assert not courier.busy


def test_a_full_queue_forgets_its_repeats_too() -> None:
    courier = datagrams(max_changes=2)
    for number in range(2):
        courier.add(["a"], "sil", number, b"small")
    courier.parcels(0.0, free)
    for number in range(10, 13):
        courier.add(["a"], "sil", number, b"more")
    assert courier.missed(everyone) == ["a"]
    assert {parcel.data for parcel in sent(courier, 1.0)} == {b"moremore"}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 20), st.integers(1, 3000), st.booleans()), max_size=60
    )
)
def test_every_change_leaves_and_no_packet_is_larger_than_a_datagram(
    changes: list[tuple[str, int, int, bool]],
) -> None:
    courier = datagrams()
    latest: dict[tuple[str, int], bytes] = {}
    fresh: set[tuple[str, int]] = set()
    for number, (member, name, size, repair) in enumerate(changes):
        change = b"%05d" % number + bytes(size)
        courier.add([member], "sil", name, change, repair_at=0.0 if repair else None)
        if not (repair and (member, name) in fresh):  # What is on its way needs no repair.
            latest[member, name] = change
        if not repair:
            fresh.add((member, name))
    now = 0.0
    received: dict[str, bytes] = {"a": b"", "b": b""}
    while (when := courier.next_timeout()) is not None:
        now = max(now, when)
        for parcel in courier.parcels(now, free):
            received[parcel.member] += parcel.data
            if parcel.reliable:
                assert len(parcel.data) <= PARCEL_BYTES
                courier.delivered(parcel.member, now + INTERVAL)
            else:
                assert len(parcel.data) <= ROOM
    for (member, _), change in latest.items():
        assert change[:5] in received[member]
    assert courier.queued.changes == courier.queued.bytes == 0
