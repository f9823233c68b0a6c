"""Settings of the gossip library, with memberlist's presets. Times are seconds."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Final

from tocsin.dataclass import dataclass
from tocsin.errors import UserError
from tocsin.gossip.profiles import PROFILES


@dataclass(frozen=True, slots=True, kw_only=True)
class GossipConfig:
    """Defaults are memberlist's LAN profile (``DefaultLANConfig``).

    Times are seconds, sizes bytes; the rest are counts. :class:`~tocsin.errors.UserError` when made with a
    value out of its bounds (:data:`BOUNDS`).
    """

    probe_interval: float = 1.0
    """Seconds from one probe to the next; 0: no probes."""
    probe_timeout: float = 0.5
    """Seconds to wait for the ack of a direct ping; more than 0."""
    indirect_checks: int = 3
    """Members that are asked to ping one that did not answer; 0 or more."""
    suspicion_multiplier: int = 4
    """Scales how long a suspicion lasts; 1 or more (wire 2.4)."""
    suspicion_max_timeout_multiplier: int = 6
    """Times its minimum that a suspicion lasts at most; 1 or more."""
    retransmit_multiplier: int = 4
    """Scales into how many packets membership updates go; 1 or more (wire 2.5)."""
    user_retransmit_multiplier: int = 4
    """The same for the application's broadcasts."""
    gossip_interval: float = 0.2
    """Seconds between gossip rounds; more than 0."""
    gossip_nodes: int = 3
    """Members that a gossip round sends to; 1 or more."""
    gossip_to_the_dead_time: float = 30.0
    """Seconds that a dead member still gets gossip, and is remembered; 0 or more."""
    push_pull_interval: float = 30.0
    """Seconds between push/pulls; 0: none but joins."""
    stream_timeout: float = 10.0
    """Seconds to open a stream, and again for what goes over it; more than 0."""
    awareness_max: int = 8
    """Health scores, from 0 on; 1 or more (wire 2.3)."""
    dead_node_reclaim_time: float = 0.0
    """Seconds after which the name of a dead member may move to another address; 0: never."""
    packet_size: int = 1400
    """Bytes of a packet with broadcasts on board, as long as a datagram may be; 512 to 65507."""
    gossip_bytes: int | None = None
    """Bytes that a gossip round may send to one member; None: one packet of ``packet_size``. Over a stream a
    packet has no such limit, and a backlog need not wait for round after round."""
    eager_members: int = 8
    """An application's broadcast goes to all others at once while they are at most so many, else to
    ``gossip_nodes`` of them; the gossip rounds that follow repair."""
    meta_max_size: int = 512
    """Bytes of a member's meta; 0 to 512."""
    delegate_versions: tuple[int, int, int] = (0, 0, 0)
    """Minimum, maximum and spoken version of the application's own protocol; members whose ranges do not meet
    refuse each other's states. serf's are (2, 5, 5)."""
    compression: bool = False
    """Sending LZW. Receiving it is always on; sending plain is always legal and costs less CPU."""
    checksums: bool = True
    """Send a checksum with packets, to members that understand one."""
    stream_ping: bool = True
    """Fall back to a ping over a stream when the packet ping was not acked."""
    label: bytes = b""
    """Keeps clusters apart: members with another label are refused; at most 255 bytes (wire 1.7)."""
    max_members: int = 16384
    """Known members, dead ones included; joins past it are refused and counted."""
    bind_names: bool = False
    """A member's name must be one of the names in its certificate (docs/identity-and-rotation.md)."""
    max_newcomers: int = 1024
    """Newcomers that were announced and have not answered yet. The bounds on newcomers and joins hold where
    the transport authenticates peers."""
    max_newcomers_per_peer: int = 128
    """Brought by the holders of one certificate."""
    max_members_per_host: int = 128
    """Members and newcomers at one IP address; newcomers past it are refused."""
    newcomer_timeout: float = 15.0
    """A newcomer that does not answer for so long is forgotten."""
    join_burst: int = 128
    """Joins that are answered at once, for each certificate and address, beside ``join_rate`` a second."""
    join_rate: float = 4.0
    """Joins a second; 0 or more."""
    max_broadcasts: int = 4096
    """Messages in each broadcast queue."""
    max_broadcast_bytes: int = 16 * 1024 * 1024
    """Bytes in each broadcast queue."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value, (minimum, maximum) = getattr(self, field.name), BOUNDS.get(field.name, (None, None))
            if value is None or minimum is None or maximum is None:
                continue
            whole = field.type == "int"
            fit = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
            if not fit or not (minimum <= value <= maximum):
                kind = "a whole number" if whole else "a number"
                raise UserError(f"{field.name} is {kind} from {minimum:g} to {maximum:g}, not {value!r}")
        if len(self.label) > 255:
            raise UserError(f"label has at most 255 bytes, not {len(self.label)}")

    @classmethod
    def profile(cls, name: str) -> GossipConfig:
        """The preset of that name: ``lan``, ``wan`` or ``local`` (:mod:`tocsin.gossip.profiles`).

        :class:`~tocsin.errors.UserError` for another name.
        """
        if name not in PROFILES:
            raise UserError(f"a profile is one of {', '.join(PROFILES)}, not {name!r}")
        return replace(cls(), **PROFILES[name])

    @classmethod
    def lan(cls) -> GossipConfig:
        """memberlist's ``DefaultLANConfig``: one site."""
        return cls.profile("lan")

    @classmethod
    def wan(cls) -> GossipConfig:
        """For sites far apart: more patient, and with fewer packets. memberlist's ``DefaultWANConfig`` is
        more patient still, which it has to be as it measures no round trips."""
        return cls.profile("wan")

    @classmethod
    def local(cls) -> GossipConfig:
        """memberlist's ``DefaultLocalConfig``: loopback."""
        return cls.profile("local")


_SOON: Final = 0.001
_YEAR: Final = 366 * 86_400.0
_MANY: Final = 2**31 - 1

BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "probe_interval": (0, _YEAR),
    "probe_timeout": (_SOON, _YEAR),
    "indirect_checks": (0, 1024),
    "suspicion_multiplier": (1, 1000),
    "suspicion_max_timeout_multiplier": (1, 1000),
    "retransmit_multiplier": (1, 1000),
    "user_retransmit_multiplier": (1, 1000),
    "gossip_interval": (_SOON, _YEAR),
    "gossip_nodes": (1, 1024),
    "gossip_to_the_dead_time": (0, _YEAR),
    "push_pull_interval": (0, _YEAR),
    "stream_timeout": (_SOON, _YEAR),
    "awareness_max": (1, 1000),
    "dead_node_reclaim_time": (0, _YEAR),
    "packet_size": (512, 65_507),
    "gossip_bytes": (512, _MANY),
    "eager_members": (0, _MANY),
    "meta_max_size": (0, 512),
    "max_members": (1, _MANY),
    "max_newcomers": (0, _MANY),
    "max_newcomers_per_peer": (0, _MANY),
    "max_members_per_host": (1, _MANY),
    "newcomer_timeout": (_SOON, _YEAR),
    "join_burst": (0, _MANY),
    "join_rate": (0, _MANY),
    "max_broadcasts": (1, _MANY),
    "max_broadcast_bytes": (1, _MANY),
}
"""Minimum and maximum of each number of :class:`GossipConfig`. A timer of 0 s would never let others run."""
