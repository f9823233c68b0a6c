"""What a transport shows of its connections. Plain values; times are the event loop's, in seconds."""

from __future__ import annotations

from tocsin.dataclass import dataclass
from tocsin.gossip.address import Address


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """One open TLS connection."""

    address: Address
    """Where it was dialled to, or what the peer calls itself; for others where it comes from."""
    dialled: bool
    """By us."""
    protocol: str
    """What ALPN has chosen; empty: Alertmanager's framing."""
    tls_version: str
    cipher: str
    certificate: bytes
    """What the peer has shown, DER; empty: none."""
    verified_name: str
    """The name or address for which it was verified; empty where the peer dialled."""
    since: float


@dataclass(frozen=True, slots=True)
class RefusalView:
    """Peers of one host that were refused, or that refused us, for one reason."""

    host: str
    reason: str
    text: str
    """Of the last one, for people."""
    by_peer: bool
    count: int
    last: float


@dataclass(frozen=True, slots=True)
class TrustView:
    """Whom one side trusts: the clients that dial us, or the servers that we dial."""

    authorities: tuple[bytes, ...]
    """DER; none: the system's."""
    allowed_names: tuple[str, ...]
    """Of these one is needed; none: any will do."""
    required: bool
    """A certificate must be shown and verified."""
    revocations_from: float | None
    """When the oldest of the revocation lists was issued, Unix time; None: there is no list."""
    revocations_until: float | None
    """When the first of them ought to have been replaced, Unix time."""
