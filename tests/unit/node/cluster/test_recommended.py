"""The recommended peer timeout: enough for a log entry that is lost three times in a row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.node.cluster.recommended import LEAST, LOST, peer_timeout

BOUNDS = st.lists(st.floats(0, 60))


@pytest.mark.parametrize(
    ("bounds", "seconds"),
    [
        ([], 0.0),
        ([0.0], 0.0),  # of the node itself
        ([0.0, 0.051], LEAST),
        ([0.0, 0.13, 0.2, 0.3], 2.8),
        ([0.55], 4.8),
    ],
)
def test_it_follows_the_slowest_peer(bounds: list[float], seconds: float) -> None:
    assert peer_timeout(bounds, 0.2) == pytest.approx(seconds)


@given(BOUNDS, st.floats(0.001, 10))
def test_retransmissions_fit_into_it(bounds: list[float], interval: float) -> None:
    seconds = peer_timeout(bounds, interval)
    if seconds:
        assert seconds >= max(bounds) + sum(2**number * max(bounds) for number in range(LOST))


@given(BOUNDS, BOUNDS)
def test_more_peers_never_make_it_shorter(some: list[float], more: list[float]) -> None:
    assert peer_timeout(some + more, 0.2) >= peer_timeout(some, 0.2)
