"""Bounds and deadlines of the DTLS transport, and what it counts. Times are seconds, sizes bytes."""

from __future__ import annotations

from collections import Counter
from dataclasses import field
from typing import Final

from tocsin.dataclass import dataclass
from tocsin.gossip.transport.statistics import TransportStatistics
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.transport.udp.shares import ShareSettings

RECORD_OVERHEAD: Final = 37
"""Header 13, nonce 8, tag 16: AES-GCM in DTLS 1.2, the longest of the suites that are used."""
ENVELOPE_BYTES: Final = 3
"""Before a packet: its kind and the sender's port."""
MTU: Final = 1400
"""Of a datagram's payload: what memberlist counts on for its packets as well."""
PACKET_BYTES: Final = MTU - RECORD_OVERHEAD - ENVELOPE_BYTES
"""The longest packet that a datagram of the default :data:`MTU` holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DTLSTransportConfig:
    """Every bound has a counter in :class:`DTLSTransportStatistics`."""

    tls: TLSTransportConfig
    """Addresses, streams, and packets longer than a datagram. Its ``handshake_timeout``, ``close_timeout``,
    ``max_queued_packets``, ``max_queued_bytes``, ``backoff_*``, ``handshake_patience`` and the shares of
    handshakes hold for datagrams too."""
    mtu: int = MTU
    """Longest payload of a datagram that we send."""
    max_datagram_bytes: int = 4096
    """Longest datagram that is processed; a longer one is dropped and counted."""
    attempt_timeout: float = 4.0
    """Of one attempt at a handshake that we began. Others follow until the handshake's time is over: a record
    that was altered on its way can leave an attempt in a state from which nothing leads on."""
    max_attempts: int = 5
    shares: ShareSettings = field(default_factory=ShareSettings)
    """Of the processor, for received datagrams before anything in them is verified, on each socket."""
    max_late_packets: int = 256
    """Of each peer, that wait because it has used up its share (``peer_share`` of :attr:`tls`); more are
    dropped and counted."""
    retransmit_minimum: float = 0.25
    """Until a flight of the handshake is sent again; doubled each time."""
    retransmit_maximum: float = 2.0
    max_outbound_associations: int = 1024
    """The least recently used makes room."""
    max_inbound_associations: int = 4096
    """Established ones; the least recently heard makes room."""
    max_inbound_associations_per_host: int = 64
    """A peer that restarted leaves one behind; the least recently heard of the host makes room."""
    max_inbound_handshakes: int = 512
    max_inbound_handshakes_per_host: int = 32
    outbound_idle_timeout: float = 300.0
    inbound_idle_timeout: float = 900.0
    association_lifetime: float = 3600.0
    """After so long certificates are verified anew: the dialling side renews, the other insists a tenth
    later."""
    renew_grace: float = 30.0
    """After certificates or authorities were changed, how long associations made under the old ones are
    accepted."""
    lost_state_replies: int = 50
    """A second, to addresses that send data without an association."""
    packets_at_once: int = 64
    """Taken from a queue in one iteration of the event loop, so that a burst does not overflow the peer's
    socket."""

    @property
    def max_packet_bytes(self) -> int:
        """The longest packet that travels as a datagram."""
        return self.mtu - RECORD_OVERHEAD - ENVELOPE_BYTES


@dataclass(slots=True)
class DTLSStatistics:
    """Counters only grow; the gauges are marked."""

    associations_inbound: int = 0
    """Gauge: established ones of peers that dialled."""
    associations_outbound: int = 0
    """Gauge: established ones that we dialled."""
    handshakes_inbound_pending: int = 0
    """Gauge."""
    handshakes_outbound_pending: int = 0
    """Gauge."""
    queued_packets: int = 0
    """Gauge: waiting for a handshake, all destinations together."""
    queued_bytes: int = 0
    """Gauge."""
    handshakes: int = 0
    """Completed, both directions."""
    handshakes_rejected: Counter[str] = field(default_factory=Counter)
    """For a bound: "handshakes", "host"; "share": the source, or all that are not known, began too many of
    late, and "stalled": it gave way to another one."""
    handshake_records_refused: int = 0
    """Of a handshake, past what is kept of one."""
    associations_evicted: Counter[str] = field(default_factory=Counter)
    """Closed to make room: "total", "host", "outbound"."""
    associations_ended: Counter[str] = field(default_factory=Counter)
    """"idle", "lifetime", "certificates", "peer", "renewed", "unanswered"."""
    renewals: int = 0
    """Handshakes begun while an association still works."""
    retransmissions: int = 0
    """Flights of a handshake sent again, by timer or because the peer repeated its own."""
    cookies_sent: int = 0
    """Answers to a first hello, for which nothing is kept."""
    cookies_refused: int = 0
    """Hellos whose cookie is not ours, not for that address, or too old."""
    lost_state_sent: int = 0
    """Answers to data without an association."""
    lost_state_received: int = 0
    """A peer said that it does not know our association."""
    datagrams_dropped: Counter[str] = field(default_factory=Counter)
    """Sealed and not sent, because the system did not take them: "queue_full", "dial", "lost", "closed"."""
    datagrams_sent: int = 0
    datagrams_received: int = 0
    datagram_bytes_sent: int = 0
    datagram_bytes_received: int = 0
    datagrams_ignored: Counter[str] = field(default_factory=Counter)
    """"malformed", "too_long", "unknown", "not_packet"; "share": packets of a peer of which too
    many wait for it."""
    reloads_failed: int = 0
    """Changed files that TLS can use and DTLS cannot; the old ones stay in use."""
    records_ignored: int = 0
    """Of data, that no association of the address could open: replayed, altered, or of an old association."""


@dataclass(slots=True)
class DTLSTransportStatistics(TransportStatistics):
    """Those of streams and packets, whatever way they took, and those of DTLS alone."""

    dtls: DTLSStatistics = field(default_factory=DTLSStatistics)

    def parts(self) -> dict[str, tuple[object, tuple[str, ...]]]:
        """Those of TLS, and DTLS."""
        gauges = (
            "associations_inbound",
            "associations_outbound",
            "handshakes_inbound_pending",
            "handshakes_outbound_pending",
            "queued_bytes",
            "queued_packets",
        )
        # Not super(): a dataclass with slots is a new class, which the zero-argument form does not know.
        return {**TransportStatistics.parts(self), "dtls": (self.dtls, gauges)}
