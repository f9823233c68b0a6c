"""Nodes far apart: nobody is taken for dead, and fewer are suspected than with fixed timeouts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulation.regions import DISTANCES, Distance, play
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.peer_statistics import PeerStatistics

LAN = GossipConfig()
FAR = DISTANCES["250 ms each way, 1 % lost"]


@pytest.mark.parametrize("distance", DISTANCES.values(), ids=DISTANCES.keys())
def test_for_some_time_nobody_is_taken_for_dead_and_a_death_is_noticed(distance: Distance) -> None:
    figures = play(1, distance, LAN, 20)
    assert figures.deaths == 0


def test_fewer_are_suspected_than_with_the_configured_timeouts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = play(1, FAR, LAN, 30)
    monkeypatch.setattr(PeerStatistics, "bound", lambda *_: 0.0)
    fixed = play(1, FAR, LAN, 30)
    assert measured.suspicions < fixed.suspicions


@pytest.mark.slow
@pytest.mark.parametrize("config", [LAN, GossipConfig.wan()], ids=["lan", "wan"])
@pytest.mark.parametrize("distance", DISTANCES.values(), ids=DISTANCES.keys())
def test_for_an_hour_nobody_is_taken_for_dead(config: GossipConfig, distance: Distance) -> None:
    figures = play(1, distance, replace(config, push_pull_interval=60.0), 3600)
    assert figures.deaths == 0
