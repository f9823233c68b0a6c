"""What one client, and all of them together, may take of the HTTP server; and counts of what was refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

_CLOSED = (
    "evicted",
    "handshake",
    "plain_http",
    "client_certificate",
    "first_byte",
    "headers",
    "body",
    "unread_body",
    "answer",
    "answers_bytes",
    "keep_alive",
    "linger",
)
"""Why connections are ended by us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPBounds:
    """Times are seconds, sizes bytes. A bound that ends a connection counts it in :class:`HTTPStatistics`."""

    connections: int = 512
    """At once, of all clients. When more come, the one goes that waited longest with no request."""
    connections_per_address: int = 256
    """Of one address (of IPv6: one /64), the same way. Clients behind one proxy or NAT share this."""
    patience: float = 5.0
    """One that waited for less gives way only to an address with fewer than ``few`` connections. So who
    connects anew all the time is mostly refused, which is cheap."""
    few: int = 8
    handshake: float = 10.0
    """From the accepted connection to the end of the TLS handshake."""
    handshakes: int = 64
    """Under way at once; each costs half a megabyte. The oldest goes, of the address that has most;
    or else the new one waits for ``patience``, and goes if there is no slot then."""
    handshakes_per_second: float = 150.0
    """Of all clients together, and after a rest ``handshakes_burst`` at once: each takes 2 ms of the event
    loop, so 0.3 of a processor at most. Later ones wait in line, and go if that would take longer than
    ``handshake``."""
    handshakes_burst: int = 300
    handshakes_per_second_of_address: float = 50.0
    """The same of one address (of IPv6: one /64), so that one alone does not make the others wait."""
    handshakes_burst_of_address: int = 100
    first_byte: float = 30.0
    """From there to a connection's first byte: browsers open connections that they use a little later."""
    headers: float = 10.0
    """From a request's first byte to the end of its headers, however they trickle."""
    header_bytes: int = 64 * 1024
    """Request line and headers of one request; what came in the same read may go past it."""
    header_count: int = 200
    body_window: float = 10.0
    """A body must bring ``body_window_bytes`` in each of these, or end."""
    body_window_bytes: int = 10 * 1024
    bodies_bytes: int = 128 << 20
    """Bodies under way, of all requests; two of the largest of each of four Prometheus servers fit."""
    unread_bytes: int = 256 * 1024
    """Of a body that goes on coming although the answer was given."""
    answer_window: float = 30.0
    """A client must take ``answer_window_bytes`` of its answer in each of these, or the rest of it."""
    answer_window_bytes: int = 10 * 1024
    answers_bytes: int = 256 << 20
    """Answers that clients have not taken yet, of all connections; past it the largest goes."""
    keep_alive: float = 300.0
    """Between requests. Longer than Prometheus' intervals, so that its connections are reused."""
    linger: float = 10.0
    """From a close to the end by force, for clients that do not read what is left."""
    pipelined: int = 16
    """Requests of one connection that wait for the answer to the one before."""


@dataclass(slots=True)
class HTTPStatistics:
    """Counts since the start, by reason; ``connections`` is of the moment."""

    connections: int = 0
    connections_accepted: int = 0
    connections_refused: Counter[str] = field(
        default_factory=lambda: Counter(total=0, address=0, handshakes=0, descriptors=0)
    )
    handshakes_delayed: int = 0
    """Those that waited in line, past the rate."""
    connections_closed: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(_CLOSED, 0)))
    requests_refused: Counter[str] = field(
        default_factory=lambda: Counter(
            malformed=0, header_bytes=0, header_count=0, pipelined=0, bodies_bytes=0, rate_limit=0
        )
    )
    bodies_bytes: int = 0
    """Held of bodies under way."""
    password_checks: Counter[str] = field(
        default_factory=lambda: Counter(right=0, wrong=0, remembered=0, too_many=0)
    )
    password_checks_waiting: int = 0


GAUGES = ("connections", "bodies_bytes", "password_checks_waiting")
