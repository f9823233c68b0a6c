"""The queue of packets: both bounds hold after every push, and the newest packet is never the one dropped."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tocsin.bounded import PacketQueue


def test_a_full_queue_drops_its_oldest() -> None:
    queue = PacketQueue(2, 100)
    assert [queue.push(data) for data in (b"a", b"b", b"c")] == [0, 0, 1]
    assert queue.take_all() == [b"b", b"c"]


def test_one_large_packet_makes_room_by_dropping_several_small_ones() -> None:
    queue = PacketQueue(100, 10)
    for _ in range(10):
        queue.push(b"x")
    assert queue.push(b"y" * 8) == 8
    assert (len(queue), queue.size) == (3, 10)


def test_a_packet_longer_than_the_bound_is_queued_alone() -> None:
    queue = PacketQueue(100, 10)
    queue.push(b"x")
    assert queue.push(b"y" * 11) == 1
    assert queue.take_all() == [b"y" * 11]


def test_a_packet_that_was_put_back_is_the_oldest_again() -> None:
    queue = PacketQueue(10, 100)
    queue.push(b"a")
    queue.push(b"b")
    queue.put_back(queue.pop())
    assert (queue.pop(), queue.pop(), queue.size) == (b"a", b"b", 0)


@given(st.lists(st.binary(max_size=40)), st.integers(1, 5), st.integers(1, 60))
def test_the_bounds_hold_whatever_comes(packets: list[bytes], most: int, size: int) -> None:
    queue, dropped = PacketQueue(most, size), 0
    for number, data in enumerate(packets, 1):
        dropped += queue.push(data)
        assert len(queue) <= most
        assert queue.size <= size or len(queue) == 1
        assert len(queue) + dropped == number
    count, total = len(queue), queue.size
    left = queue.take_all()
    assert left == packets[len(packets) - count :]
    assert total == sum(map(len, left))
    assert (len(queue), queue.size, queue.clear()) == (0, 0, 0)
