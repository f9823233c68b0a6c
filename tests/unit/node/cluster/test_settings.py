"""What the flags of the cluster become."""

from __future__ import annotations

import pytest

from tocsin.gossip.config import GossipConfig
from tocsin.node.cluster.settings import MEMBERS, ClusterSettings
from tocsin.node.config.arguments import parse_flags


@pytest.mark.parametrize(
    "argv",
    [
        ["--cluster.transport=udp"],
        ["--cluster.transport=udp", "--cluster.keyring-file=keys.json"],
        ["--cluster.transport=udp-to-tls", "--cluster.tls-config=tls.yml"],
        ["--cluster.tls-config=tls.yml"],
        ["--cluster.tls-config=tls.yml", "--cluster.profile=wan"],
    ],
)
def test_a_node_has_few_members_whoever_may_invent_them(argv: list[str]) -> None:
    settings = ClusterSettings.of_flags(parse_flags(argv), name="a", incarnation=1, restored=())
    assert settings.gossip_config().max_members == MEMBERS < GossipConfig().max_members
