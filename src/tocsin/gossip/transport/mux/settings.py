"""Bounds of a ``tocsin/1`` session, its events, and what it counts. Times are seconds, sizes bytes."""

from __future__ import annotations

from collections import Counter
from dataclasses import field

from tocsin.dataclass import dataclass
from tocsin.gossip.wire.mux import Hello, MuxCode


@dataclass(frozen=True, slots=True, kw_only=True)
class MuxConfig:
    """Each bound has a counter in :class:`MuxStatistics`."""

    max_streams: int = 256
    """That the peer may have open; our application may hold twice as many, cut ones included."""
    stream_window: int = 256 * 1024
    """Unread bytes that a stream may hold."""
    connection_window: int = 1024 * 1024
    """Unread bytes that all streams may hold together."""
    max_packet: int = 4 * 1024 * 1024
    max_queued_packets: int = 1024
    """Not yet given to the network; a full queue drops its oldest."""
    max_queued_bytes: int = 4 * 1024 * 1024
    max_control_frames: int = 1024
    """Answers that wait for a peer that does not read."""
    frames_at_once: int = 64
    """Taken in one call of ``receive``: a read can hold thousands of small frames."""
    hello_timeout: float = 10.0
    """From the first byte to START."""
    heartbeat_interval: float = 2.0
    """Of silence before a PING, and between PINGs."""
    heartbeat_misses: int = 2
    """Unanswered PINGs after which the peer is taken for gone: a silence of three intervals."""


@dataclass(slots=True)
class MuxStatistics:
    """Counters, shared by all sessions of a node."""

    streams_opened: int = 0
    streams_accepted: int = 0
    streams_refused: Counter[str] = field(default_factory=Counter)
    """Streams that were not to be: "peer_limit" (not opened, the peer allows no more), "stalled" (not opened,
    the peer reads nothing), "closing" (not opened, GOAWAY), "held" (of the peer, refused: our application
    holds as many), "refused" (ours, refused by the peer)."""
    heartbeats_missed: int = 0
    packets_dropped: Counter[str] = field(default_factory=Counter)
    """"queue_full", "too_big" for the peer."""
    frames_ignored: int = 0
    """Of unknown types."""
    errors: Counter[str] = field(default_factory=Counter)
    """Connections that a broken rule or a reached bound ended, by ``MuxCode`` in lower case."""


@dataclass(frozen=True, slots=True)
class HelloReceived:
    """The peer said who it is. The accepting side answers with its own HELLO; one of both sends START."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class Started:
    """Packets and streams may flow now."""


@dataclass(frozen=True, slots=True)
class PacketReceived:
    """One packet; may be empty."""

    data: bytes


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The peer opened a stream."""

    stream: int


@dataclass(frozen=True, slots=True)
class StreamChanged:
    """The reader or the writer of a stream may go on: check again."""

    stream: int


@dataclass(frozen=True, slots=True)
class GoingAway:
    """The peer opens nothing new from here on. Emitted once."""

    code: MuxCode
    text: str


MuxEvent = HelloReceived | Started | PacketReceived | StreamOpened | StreamChanged | GoingAway
