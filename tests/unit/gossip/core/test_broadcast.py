from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tocsin.gossip.core.broadcast import BroadcastQueue, transmit_limit


@pytest.mark.parametrize(
    ("count", "limit"), [(0, 0), (1, 4), (9, 4), (10, 8), (99, 8), (100, 12), (999, 12), (1000, 16)]
)
def test_the_transmit_limit_grows_with_the_logarithm(count: int, limit: int) -> None:
    assert transmit_limit(4, count) == limit


def queue(max_messages: int = 100, max_bytes: int = 10_000) -> BroadcastQueue:
    return BroadcastQueue(max_messages, max_bytes)


def test_a_message_goes_into_exactly_so_many_packets() -> None:
    broadcasts = queue()
    broadcasts.add(b"news")
    assert [broadcasts.take(100, 3, 255) for _ in range(4)] == [[b"news"], [b"news"], [b"news"], []]
    assert len(broadcasts) == broadcasts.size == 0


def test_the_largest_that_fits_goes_first_and_the_newest_among_equals() -> None:
    broadcasts = queue()
    for message in (b"aaaa", b"bbbb", b"cccccccc", b"d" * 50):
        broadcasts.add(message)
    # 2 bytes for each part: 8 + 2, 4 + 2, then 4 bytes are left and nothing fits
    assert broadcasts.take(20, 9, 255) == [b"cccccccc", b"bbbb"]
    # what was sent less often comes first
    assert broadcasts.take(20, 9, 255) == [b"aaaa", b"cccccccc"]


def test_an_older_message_does_not_become_newest_by_being_sent() -> None:
    broadcasts = queue()
    broadcasts.add(b"old1")
    broadcasts.add(b"new2")
    assert broadcasts.take(6, 9, 255) == [b"new2"]
    assert broadcasts.take(6, 9, 255) == [b"old1"]
    assert broadcasts.take(6, 9, 255) == [b"new2"]


def test_a_newer_message_replaces_the_older_of_its_name() -> None:
    broadcasts = queue()
    broadcasts.add(b"version 1", "node")
    broadcasts.add(b"unnamed")
    assert broadcasts.take(100, 5, 255) == [b"version 1", b"unnamed"]
    broadcasts.add(b"version 2", "node")
    assert broadcasts.holds("node")
    assert len(broadcasts) == 2
    assert broadcasts.take(11, 5, 255) == [b"version 2"]
    for _ in range(5):
        broadcasts.take(100, 5, 255)
    assert not broadcasts.holds("node")


def test_no_more_parts_than_a_compound_can_count() -> None:
    broadcasts = queue(1000, 10_000)
    for number in range(300):
        broadcasts.add(b"%d" % number)
    assert len(broadcasts.take(100_000, 1, 255)) == 255
    assert len(broadcasts.take(100_000, 1, 255)) == 45


def test_a_full_queue_drops_from_the_back_and_counts() -> None:
    broadcasts = queue(max_messages=3)
    broadcasts.add(b"sent once")
    broadcasts.take(100, 9, 255)
    for message in (b"long one", b"ab", b"cd"):
        broadcasts.add(message)
    assert broadcasts.dropped == 1  # the one sent already, though it is the longest
    broadcasts.add(b"ef")
    assert broadcasts.dropped == 2  # the oldest of the smallest
    assert broadcasts.take(100, 9, 255) == [b"long one", b"ef", b"cd"]


def test_bytes_are_bounded_too() -> None:
    broadcasts = queue(max_bytes=100)
    for _ in range(20):
        broadcasts.add(b"x" * 30)
    assert broadcasts.size == 90
    assert broadcasts.dropped == 17
    broadcasts.add(b"y" * 101)  # can never fit: all the rest goes before it, then itself
    assert broadcasts.size <= 100


def test_a_long_queue_fills_packets_with_its_largest() -> None:
    broadcasts = queue(20_000, 10_000_000)
    for number in range(20_000):
        broadcasts.add(b"x" * (50 + number % 200), str(number))
    sizes = Counter(tuple(map(len, broadcasts.take(1400, 4, 255))) for _ in range(20))
    assert sizes == {(249, 249, 249, 249, 249, 143): 20}
    assert len(broadcasts) == 20_000


@settings(max_examples=many(150))
@given(
    st.lists(
        st.one_of(
            st.tuples(st.binary(max_size=30), st.one_of(st.none(), st.sampled_from("abc"))),
            st.integers(0, 80),
        ),
        max_size=60,
    )
)
def test_the_queue_agrees_with_sorting_the_whole_list(steps: list[tuple[bytes, str | None] | int]) -> None:
    broadcasts = queue(1000, 100_000)
    model: list[list[object]] = []  # [transmits, length, identifier, name, message]
    for identifier, step in enumerate(steps):
        if isinstance(step, tuple):
            message, name = step
            model = [row for row in model if name is None or row[3] != name]
            model.append([0, len(message), identifier, name, message])
            broadcasts.add(message, name)
            continue
        budget, expected = step, []
        order = sorted(model, key=lambda row: (row[0], -row[1], -row[2]))  # type: ignore[operator]
        for row in order:
            if len(row[4]) + 2 <= budget:  # type: ignore[arg-type]
                budget -= len(row[4]) + 2  # type: ignore[arg-type]
                expected.append(row)
        assert broadcasts.take(step, 3, 255) == [row[4] for row in expected]
        for row in expected:
            row[0] += 1  # type: ignore[operator]
        model = [row for row in model if row[0] < 3]  # type: ignore[operator]
    assert len(broadcasts) == len(model)
    assert broadcasts.size == sum(len(row[4]) for row in model)  # type: ignore[misc, arg-type]


def test_the_fresh_are_those_never_sent() -> None:
    broadcasts = queue()
    broadcasts.add(b"old")
    assert broadcasts.take_fresh(100, 2, 255) == [b"old"]
    broadcasts.add(b"new")
    assert broadcasts.take_fresh(100, 2, 255) == [b"new"]
    assert broadcasts.take_fresh(100, 2, 255) == []
    assert broadcasts.take(100, 2, 255) == [b"new", b"old"]
    assert len(broadcasts) == 0
