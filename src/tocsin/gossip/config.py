"""Settings of the gossip library, with memberlist's presets. Times are seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class GossipConfig:
    """Defaults are memberlist's LAN profile (``DefaultLANConfig``)."""

    probe_interval: float = 1.0
    probe_timeout: float = 0.5
    indirect_checks: int = 3
    suspicion_multiplier: int = 4
    suspicion_max_timeout_multiplier: int = 6
    retransmit_multiplier: int = 4
    """Of the membership queue; ``user_retransmit_multiplier`` is of the application's queue."""
    user_retransmit_multiplier: int = 4
    gossip_interval: float = 0.2
    gossip_nodes: int = 3
    gossip_to_the_dead_time: float = 30.0
    push_pull_interval: float = 30.0
    stream_timeout: float = 10.0
    awareness_max: int = 8
    dead_node_reclaim_time: float = 0.0
    packet_size: int = 1400
    """Of a packet with broadcasts on board, as a datagram may be long."""
    gossip_bytes: int | None = None
    """What a gossip round may send to one member; None: one packet of ``packet_size``. Over a stream a packet
    has no such limit, and a backlog need not wait for round after round."""
    eager_members: int = 8
    """An application's broadcast goes to all others at once while they are at most so many, else to
    ``gossip_nodes`` of them; the gossip rounds that follow repair."""
    meta_max_size: int = 512
    delegate_versions: tuple[int, int, int] = (0, 0, 0)
    """Least, greatest and spoken version of the application's own protocol; members whose ranges do not meet
    refuse each other's states. serf's are (2, 5, 5)."""
    compression: bool = False
    """Sending LZW. Receiving it is always on; sending plain is always legal and costs less CPU."""
    checksums: bool = True
    stream_ping: bool = True
    """Fall back to a ping over a stream when the packet ping was not acked."""
    label: bytes = b""
    max_members: int = 16384
    """Known members, dead ones included; joins past it are refused and counted."""
    max_broadcasts: int = 4096
    """Messages in each broadcast queue."""
    max_broadcast_bytes: int = 16 * 1024 * 1024

    @classmethod
    def lan(cls) -> GossipConfig:
        """memberlist's ``DefaultLANConfig``."""
        return cls()

    @classmethod
    def wan(cls) -> GossipConfig:
        """memberlist's ``DefaultWANConfig``: slower, more patient."""
        return replace(
            cls(),
            stream_timeout=30.0,
            suspicion_multiplier=6,
            push_pull_interval=60.0,
            probe_timeout=3.0,
            probe_interval=5.0,
            gossip_nodes=4,
            gossip_interval=0.5,
            gossip_to_the_dead_time=60.0,
        )

    @classmethod
    def local(cls) -> GossipConfig:
        """memberlist's ``DefaultLocalConfig``: loopback."""
        return replace(
            cls(),
            stream_timeout=1.0,
            indirect_checks=1,
            retransmit_multiplier=2,
            suspicion_multiplier=3,
            push_pull_interval=15.0,
            probe_timeout=0.2,
            probe_interval=1.0,
            gossip_interval=0.1,
            gossip_to_the_dead_time=15.0,
        )
