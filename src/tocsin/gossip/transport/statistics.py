"""What a transport counts. Plain numbers: the node makes metrics of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import field

from tocsin.dataclass import dataclass
from tocsin.gossip.transport.mux.settings import MuxStatistics


@dataclass(slots=True)
class TransportStatistics:
    """Counters only grow; the gauges are marked. Keys of the counters by reason come from fixed sets."""

    connections_inbound: int = 0
    """Gauge: accepted connections open now, handshaking ones included."""
    connections_outbound: int = 0
    """Gauge: destinations with a packet link: open, being dialled, or resting after a failure."""
    connections_mux: int = 0
    """Gauge: connections of either direction that speak ``tocsin/1``."""
    connections_open: int = 0
    """Gauge: connections after their handshake, of either direction, for packets and for streams."""
    handshakes_inbound_pending: int = 0
    """Gauge."""
    peers_in_clear: int = 0
    """Gauge: destinations of a migrating node that are not known to take TLS."""
    trials_postponed: int = 0
    """Of TLS with peers of a migrating node, because too many were under way."""
    dials: int = 0
    dial_failures: Counter[str] = field(default_factory=Counter)
    """By reason: "connect", "timeout", "refused"."""
    handshakes: int = 0
    """Completed, both directions."""
    resumptions: int = 0
    """Completed handshakes that resumed a session."""
    refusals: Counter[str] = field(default_factory=Counter)
    """We refused a peer, by :data:`tocsin.tls.refusal.REASONS`."""
    refused_by_peer: Counter[str] = field(default_factory=Counter)
    """A peer refused us, by the same reasons."""
    connections_rejected: Counter[str] = field(default_factory=Counter)
    """Inbound connections closed for a bound: "total", "host", "handshakes", "host_share", "first_frame",
    "frame_bytes", "idle"."""
    throttled: Counter[str] = field(default_factory=Counter)
    """Times that work for a peer had to wait because it had used up its share: "peer" (packets, streams),
    "host" (handshakes), "strangers" (handshakes of all unverified hosts together, from which no peer was
    accepted yet)."""
    connections_lost: Counter[str] = field(default_factory=Counter)
    """Established connections that ended out of order: "read", "write_timeout", "heartbeat", "hello"."""
    connections_cut: Counter[str] = field(default_factory=Counter)
    """Open connections whose peer is trusted no longer: its certificate, by the same reasons as refusals."""
    connections_renewed: int = 0
    """Connections replaced because certificates, authorities or revocation lists had changed."""
    renewals_failed: int = 0
    """Attempts at that which failed; the old connection stays until the time for it is over."""
    packets_sent: int = 0
    packets_received: int = 0
    packet_bytes_sent: int = 0
    packet_bytes_received: int = 0
    packets_dropped: Counter[str] = field(default_factory=Counter)
    """Packets not sent: "queue_full", "backoff", "dial", "lost", "evicted", "empty", "too_big", "closed".
    Over UDP "dial" is a datagram that was refused on its way: nobody listens there."""
    frames_refused: int = 0
    """Inbound frames that are not the protocol or past a limit; each ended its connection."""
    packets_ignored: int = 0
    """Inbound packets without content."""
    packets_shed: Counter[str] = field(default_factory=Counter)
    """Datagrams received over UDP, sealed or not, or DTLS, and not read, as too many waited: "peer" (of a
    member's source), "strangers" (of all others)."""
    receive_buffer_bytes: int = 0
    """Gauge: what the system gave a UDP socket to hold what we have not read yet."""
    receive_buffer_drops: int = 0
    """Datagrams that the kernel dropped because that buffer was full."""
    streams_opened: int = 0
    streams_accepted: int = 0
    connections_evicted: int = 0
    """Outbound connections closed to make room."""
    connections_idled: int = 0
    """Outbound connections closed because they were idle."""
    mux_duplicates: int = 0
    """``tocsin/1`` connections that we turned away because the same peer has another in use."""
    mux: MuxStatistics = field(default_factory=MuxStatistics)
    """What happens on ``tocsin/1`` connections."""

    def parts(self) -> dict[str, tuple[object, tuple[str, ...]]]:
        """Counters of parts of the transport, by name: a dataclass, and the names of its gauges."""
        return {"mux": (self.mux, ())}
