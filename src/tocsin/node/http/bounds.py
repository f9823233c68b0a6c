"""Bounds of the HTTP server, for one client and for all together, and counters of what was refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import field

from tocsin.dataclass import dataclass

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
"""Reasons for which we close connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPBounds:
    """Times are seconds, sizes bytes. A bound that ends a connection counts it in :class:`HTTPStatistics`."""

    connections: int = 512
    """Connections of all clients. When more come, the one that has been idle longest is closed."""
    connections_per_address: int = 256
    """Connections of one address (of IPv6: one /64), likewise. Clients behind one proxy or NAT share this."""
    patience: float = 5.0
    """A connection that has been idle for less is closed only for an address with fewer than ``few``
    connections. So a client that reconnects all the time is mostly refused, which is cheap."""
    few: int = 8
    handshake: float = 10.0
    """From the accepted connection to the end of the TLS handshake."""
    handshakes: int = 64
    """TLS handshakes under way; each takes half a megabyte. Past it the oldest of the address that has most
    is closed; or else the new one waits for ``patience``, and is closed if there is no slot then."""
    handshakes_per_second: float = 150.0
    """Of all clients together, and after a rest ``handshakes_burst`` at once: each takes 2 ms of the event
    loop, so 0.3 of a processor at most. Later ones wait, and are closed if that would take longer than
    ``handshake``."""
    handshakes_burst: int = 300
    handshakes_per_second_of_address: float = 50.0
    """The same for one address (of IPv6: one /64), so that it does not make the others wait."""
    handshakes_burst_of_address: int = 100
    first_byte: float = 30.0
    """From there to the connection's first byte: browsers open connections that they use a little later."""
    headers: float = 10.0
    """From a request's first byte to the end of its headers."""
    header_bytes: int = 64 * 1024
    """Request line and headers of one request; what came in the same read may go past it."""
    header_count: int = 200
    body_window: float = 10.0
    """A body must bring ``body_window_bytes`` in each such window, or end."""
    body_window_bytes: int = 10 * 1024
    body_pieces: int = 1024
    """Pieces in which a body may come, the first of each read not counted, and one more for each 64 bytes of
    it: each takes some microseconds of the event loop, and 40,000 of a byte come in one read."""
    bodies_bytes: int = 128 << 20
    """Bodies under way, of all requests; two of the largest of each of four Prometheus servers fit."""
    unread_bytes: int = 256 * 1024
    """Bytes of a body that still comes after the answer was sent."""
    answer_window: float = 30.0
    """A client must read ``answer_window_bytes`` of its answer in each such window, or the rest of it."""
    answer_window_bytes: int = 10 * 1024
    answers_bytes: int = 256 << 20
    """Answers that clients have not read yet, of all connections; past it the connection with most is
    closed."""
    keep_alive: float = 300.0
    """Between requests. Longer than Prometheus' intervals, so that its connections are reused."""
    linger: float = 10.0
    """From a close to the abort, for clients that do not read the rest."""
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
            malformed=0,
            body_pieces=0,
            header_bytes=0,
            header_count=0,
            pipelined=0,
            bodies_bytes=0,
            rate_limit=0,
        )
    )
    bodies_bytes: int = 0
    """Held of bodies under way."""
    password_checks: Counter[str] = field(
        default_factory=lambda: Counter(right=0, wrong=0, remembered=0, too_many=0)
    )
    password_checks_waiting: int = 0


GAUGES = ("connections", "bodies_bytes", "password_checks_waiting")
