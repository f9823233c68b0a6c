"""What the flags of the cluster become."""

from __future__ import annotations

import pytest

from tocsin.gossip.config import GossipConfig
from tocsin.node.cluster.settings import CLEAR_MEMBERS, ClusterSettings
from tocsin.node.config.arguments import parse_flags

USUAL = GossipConfig().max_members


@pytest.mark.parametrize(
    ("argv", "members"),
    [
        (["--cluster.transport=udp"], CLEAR_MEMBERS),
        (["--cluster.transport=udp", "--cluster.keyring-file=keys.json"], USUAL),
        (["--cluster.keyring-file=keys.json", "--no-cluster.keyring-verify-incoming"], CLEAR_MEMBERS),
        (["--cluster.keyring-file=keys.json", "--no-cluster.keyring-verify-outgoing"], CLEAR_MEMBERS),
        (["--cluster.transport=udp-to-tls", "--cluster.tls-config=tls.yml"], CLEAR_MEMBERS),
        (["--cluster.tls-config=tls.yml"], USUAL),
    ],
)
def test_in_clear_text_where_anybody_invents_members_there_are_few(argv: list[str], members: int) -> None:
    settings = ClusterSettings.of_flags(parse_flags(argv), name="a", incarnation=1, restored=())
    assert settings.gossip_config().max_members == members
