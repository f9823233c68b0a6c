"""Bounds and deadlines of the TLS transport. Times are seconds, sizes bytes."""

from __future__ import annotations

from tocsin.dataclass import dataclass
from tocsin.gossip.address import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSTransportConfig:
    """Every bound has a counter in :class:`~tocsin.gossip.transport.statistics.TransportStatistics`."""

    listen_address: Address
    """Port 0 takes a free one."""
    advertise_address: Address | None = None
    """Where others reach us, sent with each packet; needed when listening on a wildcard. Port 0 means the
    bound port."""
    dial_timeout: float = 10.0
    """For packet connections; a stream brings its own."""
    handshake_timeout: float = 10.0
    write_timeout: float = 10.0
    """Seconds without progress; also the kernel's limit for unacknowledged data."""
    read_timeout: float = 10.0
    """Of one read on a stream."""
    close_timeout: float = 2.0
    """How long an orderly close waits for the peer."""
    first_frame_timeout: float = 10.0
    """From an inbound handshake to a whole first frame, and from a frame's first byte to its last; a second
    more for each kilobyte that has come."""
    inbound_idle_timeout: float = 900.0
    """Generous: a Go peer never notices that we closed, and loses its next packet."""
    outbound_idle_timeout: float = 300.0
    max_outbound_connections: int = 1024
    """Kept-alive packet connections; the least recently used makes room."""
    max_queued_packets: int = 1024
    """For each destination; a full queue drops its oldest."""
    max_queued_bytes: int = 4 * 1024 * 1024
    max_frame_bytes: int = 4 * 1024 * 1024
    max_frame_bytes_per_host: int = 16 * 1024 * 1024
    """Of frames that are not whole, or not delivered yet, on all connections that a host made to us; the one
    that goes past it is closed. An honest frame is delivered within moments."""
    offer_alpn: bool = True
    """Offer and choose ``tocsin/1``; with False Alertmanager's framing is spoken to all."""
    max_mux_streams: int = 256
    """That a peer may have open on one ``tocsin/1`` connection."""
    heartbeat_interval: float = 2.0
    """Of silence on a ``tocsin/1`` connection; after three the peer is taken for gone."""
    max_inbound_connections: int = 4096
    max_inbound_connections_per_host: int = 256
    max_inbound_handshakes: int = 512
    peer_share: float = 0.2
    """Of a processor, that packets and streams of one peer (one certificate on one host) may go on taking."""
    peer_burst: float = 0.5
    """Seconds that they may take at once after a rest."""
    host_share: float = 0.1
    """The same for handshakes with one source (an IPv4 address, an IPv6 /64), which are dear and come before
    any certificate."""
    unverified_share: float = 0.3
    """The same for those with all sources together from which no peer was accepted yet."""
    handshake_patience: float = 3.0
    """Seconds after which a stalled handshake of an unverified host is closed, when no slot is free."""
    host_burst: float = 2.0
    max_host_debt: float = 1.0
    """Seconds that a source may be behind with that; then its connections are turned away."""
    backoff_minimum: float = 0.1
    backoff_maximum: float = 3.0
    """Short, so that a peer that came back is reached within a few probes."""
    max_sessions: int = 2048
    """Resumable TLS sessions kept, one for each destination."""
    session_lifetime: float = 3600.0
    """After a full handshake; then the peer's certificate is verified again."""
    reload_interval: float = 5.0
    """Between checks of the certificate files and of the peers' expiry."""
    renewal_time: float = 20.0
    """Within which connections made under older files are replaced; a connection that cannot be is closed."""
