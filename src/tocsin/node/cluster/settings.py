"""What a cluster is made with, and its statistics. Plain values."""

from __future__ import annotations

from collections import Counter
from dataclasses import field, replace
from typing import Self

from tocsin.alerting.timestamp import in_seconds
from tocsin.dataclass import dataclass
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.discovery.sources import Target
from tocsin.node.cluster.transports import PACKET_BOUND, packet_bytes
from tocsin.node.config.flags import NodeFlags

GOSSIP_BYTES = 64 * 1024
"""Over TLS a packet has no MTU."""
MEMBERS = 1024
"""Members at most. A cluster of Alertmanagers is small; in clear text anybody can invent members, with a
keyring whoever has its key, and each takes time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """The ``--cluster.*`` flags that concern membership. Times are seconds."""

    name: str
    incarnation: int = 1
    peers: tuple[str, ...] = ()
    gossip: GossipConfig = field(default_factory=GossipConfig)
    settle_timeout: float = 60.0
    reconnect_interval: float = 10.0
    reconnect_timeout: float = 6 * 3600.0
    peers_resolve_timeout: float = 15.0
    discovery_interval: float = 15.0
    dns_servers: tuple[tuple[str, int], ...] = ()
    restored: tuple[Target, ...] = ()
    """The peers that a previous run found last."""
    static_membership: bool = False
    """Membership is what discovery lists and can be reached; else gossip's."""

    @classmethod
    def of_flags(cls, flags: NodeFlags, *, name: str, incarnation: int, restored: tuple[Target, ...]) -> Self:
        """As the flags say, whose nanoseconds become seconds here."""
        profile = GossipConfig.profile(flags.cluster_profile or "lan")
        return cls(
            name=name,
            incarnation=incarnation,
            peers=tuple(peer for peer in flags.cluster_peer if peer),
            gossip=replace(
                profile,
                probe_interval=in_seconds(flags.cluster_probe_interval),
                probe_timeout=in_seconds(flags.cluster_probe_timeout),
                gossip_interval=in_seconds(flags.cluster_gossip_interval),
                push_pull_interval=in_seconds(flags.cluster_pushpull_interval),
                stream_timeout=in_seconds(flags.cluster_tcp_timeout),
                packet_size=packet_bytes(flags),
                gossip_bytes=None if flags.cluster_transport in PACKET_BOUND else GOSSIP_BYTES,
                label=flags.cluster_label.encode(),
                bind_names=flags.cluster_tls_bind_names,
                max_members=MEMBERS,
            ),
            settle_timeout=in_seconds(flags.cluster_settle_timeout),
            reconnect_interval=in_seconds(flags.cluster_reconnect_interval),
            reconnect_timeout=in_seconds(flags.cluster_reconnect_timeout),
            peers_resolve_timeout=in_seconds(flags.cluster_peers_resolve_timeout),
            discovery_interval=in_seconds(flags.cluster_discovery_interval),
            dns_servers=flags.cluster_dns_server,
            restored=restored,
            static_membership=flags.cluster_membership == "discovery",
        )

    def gossip_config(self) -> GossipConfig:
        """As Alertmanager widens gossip with the number of configured peers (wire 4.3)."""
        wide = max(3, len(self.peers) // 2)
        nodes = max(self.gossip.gossip_nodes, wide)
        return replace(self.gossip, user_retransmit_multiplier=wide, gossip_nodes=nodes)


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """One member as the API shows it."""

    name: str
    address: str


@dataclass(slots=True)
class ClusterStatistics:
    """What the node's metrics show of the cluster, beside the gossip library's own counters."""

    peers_joined: int = 0
    peers_left: int = 0
    peers_updated: int = 0
    name_conflicts: int = 0
    reconnections: int = 0
    reconnections_failed: int = 0
    refresh_joins: int = 0
    refresh_joins_failed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Refused packets, messages and merges, by reason."""
    full_states_sent: int = 0
    full_state_bytes_sent: int = 0
