"""The buffer of a reader says once when to stop reading, and once when to go on."""

from __future__ import annotations

from tocsin.bounded import ReadBuffer


def test_the_owner_stops_once_at_the_limit_and_goes_on_below_it() -> None:
    buffer = ReadBuffer(10)
    assert [buffer.push(b"x" * 4) for _ in range(4)] == [False, False, True, False]
    assert buffer.paused
    assert buffer.pop() == (b"xxxx", False)
    assert buffer.pop() == (b"xxxx", True)
    assert not buffer.paused
    assert buffer.pop() == (b"xxxx", False)
    assert buffer.size == 4


def test_clearing_it_leaves_the_owner_paused() -> None:
    buffer = ReadBuffer(1)
    assert buffer.push(b"x")
    buffer.clear()
    assert (len(buffer), buffer.size, buffer.paused) == (0, 0, True)
