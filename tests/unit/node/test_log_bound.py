"""What a peer can provoke does not fill the log."""

from __future__ import annotations

from tocsin.node.log_bound import INTERVAL, MAX_KEYS, LogBound


class World:
    def __init__(self, lines: int = 1, total: int = 32) -> None:
        self.now = 0.0
        self.bound = LogBound(lines=lines, total=total, now=lambda: self.now)


def test_one_line_for_a_peer_and_the_next_tells_how_many_were_left_out() -> None:
    world = World()
    assert world.bound.admit("refused", "10.0.0.1") == {}
    for _ in range(7):
        assert world.bound.admit("refused", "10.0.0.1") is None
    assert world.bound.admit("refused", "10.0.0.2") == {}
    assert world.bound.admit("joined", "10.0.0.1") == {}
    assert world.bound.statistics.lines_left_out == 7
    world.now = INTERVAL
    assert world.bound.admit("refused", "10.0.0.1") == {"left_out": 7}
    assert world.bound.admit("refused", "10.0.0.1") is None
    world.now = 2 * INTERVAL
    assert world.bound.admit("refused", "10.0.0.1") == {"left_out": 1}
    world.now = 3 * INTERVAL
    assert world.bound.admit("refused", "10.0.0.1") == {}


def test_a_peer_that_claims_to_be_many_has_no_more() -> None:
    world = World(lines=2, total=5)
    said = [world.bound.admit(f"10.0.{n // 250}.{n % 250}") for n in range(5 * MAX_KEYS)]
    assert len([one for one in said if one is not None]) == 5
    assert world.bound.statistics.lines_left_out == 5 * MAX_KEYS - 5
    assert len(world.bound._windows) == MAX_KEYS
    world.now = INTERVAL
    assert world.bound.admit("10.9.9.9") == {}
