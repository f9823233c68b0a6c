"""From flags to a cluster's settings."""

from __future__ import annotations

import pytest

from tocsin.gossip.config import GossipConfig
from tocsin.node.cluster.settings import ClusterSettings
from tocsin.node.config.arguments import parse_flags


def settings(*argv: str) -> ClusterSettings:
    return ClusterSettings.of_flags(parse_flags(argv), name="a", incarnation=1, restored=())


def test_without_a_profile_gossip_is_alertmanagers() -> None:
    gossip = settings().gossip
    assert gossip.push_pull_interval == 60
    assert (gossip.suspicion_multiplier, gossip.probe_interval) == (4, 1)


@pytest.mark.parametrize("name", ["lan", "wan", "local"])
def test_a_profile_says_what_has_no_flag_too(name: str) -> None:
    gossip, preset = settings(f"--cluster.profile={name}").gossip, GossipConfig.profile(name)
    for setting in ("suspicion_multiplier", "indirect_checks", "retransmit_multiplier", "probe_interval"):
        assert getattr(gossip, setting) == getattr(preset, setting)


def test_a_flag_wins_over_the_profile() -> None:
    assert settings("--cluster.profile=wan", "--cluster.probe-interval=7s").gossip.probe_interval == 7


def test_gossip_is_widened_with_the_peers_and_never_narrowed() -> None:
    assert settings("--cluster.profile=wan").gossip_config().gossip_nodes == 4
    many = [f"--cluster.peer=192.0.2.{number}:9094" for number in range(12)]
    assert settings(*many).gossip_config().gossip_nodes == 6
