"""One side of a ``tocsin/1`` connection: bytes and ``now`` in; bytes and events out. No I/O.

Life: *greeting* (HELLO each way, then START by one side), *open*, closing (GOAWAY each way, streams go on to
their ends), finished. docs/tocsin-1.md has the rules; who sends START is the caller's decision.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from tocsin.errors import TransportError
from tocsin.gossip.transport.mux.heartbeat import Heartbeat
from tocsin.gossip.transport.mux.outgoing import BATCH, Outgoing
from tocsin.gossip.transport.mux.settings import (
    GoingAway,
    HelloReceived,
    MuxConfig,
    MuxEvent,
    MuxStatistics,
    PacketReceived,
    Started,
    StreamChanged,
    StreamOpened,
)
from tocsin.gossip.transport.mux.stream import MuxStream, widen
from tocsin.gossip.wire import mux as wire
from tocsin.gossip.wire.mux import MAX_WINDOW, Hello, MuxCode, MuxError

_IN_GREETING: Final = frozenset({wire.HELLO, wire.START, wire.PING, wire.PONG, wire.GOAWAY})
_KNOWN: Final = frozenset(range(wire.HELLO, wire.GOAWAY + 1))


class MuxSession:
    """``dialler`` opens streams with odd numbers, the other side with even ones."""

    def __init__(
        self, config: MuxConfig, now: float, *, dialler: bool, statistics: MuxStatistics | None = None
    ) -> None:
        self.config = config
        self.statistics: MuxStatistics = statistics if statistics is not None else MuxStatistics()
        self.dialler = dialler
        self.peer: Hello | None = None
        self.open: bool = False
        """START was sent or received."""
        self.goaway_received: bool = False
        self._hello_deadline = now + config.hello_timeout
        self._hello_sent = False
        self._goaway: bytes | None = None
        self._goaway_sent = False
        self._decoder = wire.MuxFrameDecoder()
        self._events: deque[MuxEvent] = deque()
        self._outgoing = Outgoing(config, self.statistics)
        self._control = self._outgoing.control
        self._heartbeat = Heartbeat(config, self.statistics, now)
        self._assembling: list[bytes] = []
        self._assembled = 0
        self._streams: dict[int, MuxStream] = {}
        self._held: set[int] = set()
        self._grants: dict[int, MuxStream] = {}
        self._next_stream = 1 if dialler else 2
        self._last_peer_stream = 0
        self._own_streams = 0
        self._credit = config.connection_window
        self._owed = 0

    # -- greeting and GOAWAY

    def send_hello(
        self, *, instance: bytes, address: str, sequence: int, current: int, two_way: bool
    ) -> None:
        """Send HELLO: the dialler at once, the other side when it has received one."""
        config = self.config
        hello = Hello(
            instance=instance,
            address=address,
            sequence=sequence,
            current=current,
            two_way=two_way,
            max_streams=min(config.max_streams, 0xFFFF),
            stream_window=config.stream_window,
            connection_window=config.connection_window,
            max_packet=config.max_packet,
        )
        self._hello_sent = True
        self._control.append(wire.encode_hello(hello))

    def start(self) -> None:
        """Send START: from here on packets and streams may flow."""
        self._control.append(wire.encode_frame(wire.START, 0, 0))
        self.open = True

    def send_goaway(self, code: MuxCode = MuxCode.NONE, text: str = "") -> None:
        """Take nothing new; GOAWAY follows what is queued. Idempotent."""
        if self._goaway is None:
            self._goaway = wire.encode_reason(wire.GOAWAY, 0, code, text)

    @property
    def goaway_queued(self) -> bool:
        """:meth:`send_goaway` was called."""
        return self._goaway is not None

    @property
    def closing(self) -> bool:
        """Nothing new can be sent."""
        return self._goaway is not None or self.goaway_received

    @property
    def finished(self) -> bool:
        """Both sides have sent GOAWAY and nothing is under way: the connection can be closed."""
        return self._goaway_sent and self.goaway_received and not self._streams and not self._control

    @property
    def streams(self) -> int:
        """Open in either direction."""
        return len(self._streams)

    # -- packets

    def send_packet(self, data: bytes) -> bool:
        """Queue a packet; false (and counted) if it cannot be sent. A full queue drops its oldest."""
        if self.closing or self.peer is None:
            return False
        if len(data) > self.peer.max_packet:
            self.statistics.packets_dropped["too_big"] += 1
            return False
        self._outgoing.queue_packet(data)
        return True

    @property
    def queued_packet_bytes(self) -> int:
        """Bytes of packets that are not packed into records yet."""
        return self._outgoing.packet_bytes

    def take_packets(self) -> list[bytes]:
        """Those of which nothing was sent, given back: for another connection, or to count them as lost."""
        return self._outgoing.take_packets()

    def take_sent(self) -> tuple[int, int]:
        """How many packets, and bytes of them, :meth:`data_to_send` has given since the last call."""
        return self._outgoing.take_sent()

    # -- streams

    def open_stream(self) -> MuxStream:
        """A new stream; :class:`TransportError` if there can be none now."""
        refused = self.statistics.streams_refused
        if self.peer is None or not self.open or self.closing:
            refused["closing"] += 1
            raise TransportError("the connection is closing")
        if self._own_streams >= self.peer.max_streams:
            refused["peer_limit"] += 1
            raise TransportError(f"the peer allows {self.peer.max_streams} streams, all are open")
        if len(self._control) >= self.config.max_control_frames // 2:
            refused["stalled"] += 1
            raise TransportError("the peer reads nothing")
        stream = MuxStream(self._next_stream, self.peer.stream_window, self.config.stream_window)
        self._next_stream += 2
        self._own_streams += 1
        self._streams[stream.identifier] = stream
        self._control.append(wire.encode_frame(wire.OPEN, 0, stream.identifier))
        self.statistics.streams_opened += 1
        return stream

    def stream(self, identifier: int) -> MuxStream | None:
        """An open stream."""
        return self._streams.get(identifier)

    def write(self, stream: MuxStream, data: bytes | memoryview) -> None:
        """Queue data. Ask ``stream.writable`` first: it says whether to wait."""
        if data and not stream.error and not stream.end_queued:
            stream.queue(data)
            self._outgoing.schedule(stream)

    def finish(self, stream: MuxStream) -> None:
        """Nothing more will be written; everything written arrives. Idempotent."""
        if not stream.error and not stream.end_queued:
            stream.end_queued = True
            self._outgoing.schedule(stream)

    def read(self, stream: MuxStream) -> bytes:
        """What is unread, possibly nothing; gives the peer room for as much."""
        data = stream.take()
        if data:
            self._give_back(len(data))
            if not stream.end_received and not stream.error:
                stream_window = self.config.stream_window
                if (stream_window - stream.credit) * 2 >= stream_window:
                    self._grants[stream.identifier] = stream
        return data

    def reset(self, stream: MuxStream, code: MuxCode = MuxCode.NONE, text: str = "") -> None:
        """Cut a stream; what is unread is dropped."""
        if not stream.over:
            self._control.append(wire.encode_reason(wire.RESET, stream.identifier, code, text))
            self._give_back(stream.cut(text or "the stream was aborted"))
            self._remove(stream)

    def let_go(self, stream: MuxStream) -> None:
        """The application has done with the stream: one that is not over is reset."""
        self.reset(stream)
        self._give_back(len(stream.take()))
        self._held.discard(stream.identifier)

    def forget(self, identifier: int) -> None:
        """A stream that was over before the application saw it."""
        self._held.discard(identifier)

    # -- bytes in

    def receive(self, data: bytes, now: float, frames: int | None = None) -> bool:
        """Take bytes; whether there is more to do: then call again with none, after other work.

        At most ``frames`` are processed, ``frames_at_once`` where it is None.

        :class:`MuxError` when the connection is past repair; it is counted.
        """
        decoder = self._decoder
        if data:
            decoder.feed(data)
        try:
            for taken in range(self.config.frames_at_once if frames is None else frames):
                frame = decoder.next_frame()
                if frame is None:
                    if taken:
                        self._heartbeat.heard(now)
                    return False
                self._frame(*frame)
        except MuxError as error:
            self.statistics.errors[error.code.name.lower()] += 1
            self.drop_unfinished()
            raise
        self._heartbeat.heard(now)
        return True

    def drop_unfinished(self) -> None:
        """Let go what was received of a packet: the rest will not come."""
        self._assembling.clear()
        self._assembled = 0

    def events(self) -> list[MuxEvent]:
        """What happened, in order, each once."""
        events = list(self._events)
        self._events.clear()
        return events

    def _frame(self, frame_type: int, flags: int, identifier: int, payload: bytes) -> None:
        if frame_type == wire.PACKET and self.open:
            self._packet(flags, payload)
            return
        if frame_type not in _KNOWN:
            self.statistics.frames_ignored += 1
            return
        if not self.open and frame_type not in _IN_GREETING:
            raise MuxError(MuxCode.PROTOCOL, f"a frame of type {frame_type} before START")
        if frame_type == wire.DATA:
            self._data(flags, identifier, payload)
        elif frame_type == wire.OPEN:
            self._opened(identifier)
        elif frame_type == wire.WINDOW:
            self._widened(identifier, wire.decode_window(payload))
        elif frame_type == wire.RESET:
            self._was_reset(identifier, *wire.decode_reason(payload))
        elif frame_type == wire.PING:
            self._answer(wire.encode_frame(wire.PONG, 0, 0, payload[:8]))
        elif frame_type == wire.GOAWAY:
            if not self.goaway_received:
                self.goaway_received = True
                self._events.append(GoingAway(*wire.decode_reason(payload)))
        elif frame_type == wire.HELLO:
            if self.peer is not None:
                raise MuxError(MuxCode.PROTOCOL, "a second HELLO")
            self.peer = hello = wire.decode_hello(flags, payload)
            self._outgoing.send_window = hello.connection_window
            self._events.append(HelloReceived(hello))
        elif frame_type == wire.START:
            if self.open or self.peer is None or not self._hello_sent:
                raise MuxError(MuxCode.PROTOCOL, "START out of sequence")
            self.open = True
            self._events.append(Started())

    def _packet(self, flags: int, payload: bytes) -> None:
        if self.goaway_received:
            raise MuxError(MuxCode.PROTOCOL, "a packet after GOAWAY")
        more = flags & wire.FLAG_MORE
        if not more and not self._assembling:
            if len(payload) > self.config.max_packet:
                raise MuxError(MuxCode.PACKET_SIZE, f"a packet past {self.config.max_packet} bytes")
            self._events.append(PacketReceived(payload))
            return
        if more and not payload:
            raise MuxError(MuxCode.PROTOCOL, "an empty part of a packet")
        self._assembled += len(payload)
        if self._assembled > self.config.max_packet:
            raise MuxError(MuxCode.PACKET_SIZE, f"a packet past {self.config.max_packet} bytes")
        self._assembling.append(payload)
        if not more:
            self._events.append(PacketReceived(b"".join(self._assembling)))
            self._assembling.clear()
            self._assembled = 0

    def _opened(self, identifier: int) -> None:
        if self.goaway_received:
            raise MuxError(MuxCode.PROTOCOL, "OPEN after GOAWAY")
        if not identifier or self._is_ours(identifier) or identifier <= self._last_peer_stream:
            raise MuxError(MuxCode.PROTOCOL, f"OPEN of stream {identifier}")
        if len(self._streams) - self._own_streams >= self.config.max_streams:
            raise MuxError(MuxCode.STREAM_LIMIT, f"more than {self.config.max_streams} streams")
        self._last_peer_stream = identifier
        if len(self._held) >= 2 * self.config.max_streams:
            # Opened and reset faster than our application lets go: not against the rules, but enough.
            self.statistics.streams_refused["held"] += 1
            self._answer(wire.encode_reason(wire.RESET, identifier, MuxCode.REFUSED, "too many streams"))
            return
        assert self.peer is not None  # noqa: S101 (open implies it)
        self._streams[identifier] = MuxStream(identifier, self.peer.stream_window, self.config.stream_window)
        self._held.add(identifier)
        self.statistics.streams_accepted += 1
        self._events.append(StreamOpened(identifier))

    def _data(self, flags: int, identifier: int, payload: bytes) -> None:
        size = len(payload)
        if size > self._credit:
            raise MuxError(MuxCode.FLOW_CONTROL, "more data than the connection's window")
        self._credit -= size
        stream = self._lookup(identifier)
        if stream is None:
            self._give_back(size)
            return
        if stream.end_received:
            raise MuxError(MuxCode.PROTOCOL, "data after the end of a stream")
        if size > stream.credit:
            raise MuxError(MuxCode.FLOW_CONTROL, "more data than the stream's window")
        stream.credit -= size
        if payload:
            stream.keep(payload)
        if flags & wire.FLAG_END:
            stream.end_received = True
            self._grants.pop(identifier, None)
            if stream.over:
                self._remove(stream)
        self._events.append(StreamChanged(identifier))

    def _widened(self, identifier: int, increment: int) -> None:
        if not identifier:
            self._outgoing.send_window = widen(self._outgoing.send_window, increment, MAX_WINDOW)
            return
        stream = self._lookup(identifier)
        if stream is not None:
            stream.send_window = widen(stream.send_window, increment, MAX_WINDOW)
            self._outgoing.schedule(stream)

    def _was_reset(self, identifier: int, code: MuxCode, text: str) -> None:
        stream = self._lookup(identifier)
        if stream is None:
            return
        if code is MuxCode.REFUSED:
            self.statistics.streams_refused["refused"] += 1
        self._give_back(stream.cut(f"the peer cut the stream: {text or code.name.lower()}"))
        self._remove(stream)
        self._events.append(StreamChanged(identifier))

    def _lookup(self, identifier: int) -> MuxStream | None:
        """The stream, None if it is over already; :class:`MuxError` if there never was one."""
        stream = self._streams.get(identifier)
        if stream is None:
            border = self._next_stream - 1 if self._is_ours(identifier) else self._last_peer_stream
            if not 0 < identifier <= border:
                raise MuxError(MuxCode.PROTOCOL, f"stream {identifier} was never opened")
        return stream

    def _is_ours(self, identifier: int) -> bool:
        return identifier % 2 == self._next_stream % 2

    def _remove(self, stream: MuxStream) -> None:
        if self._streams.pop(stream.identifier, None) is not None and self._is_ours(stream.identifier):
            self._own_streams -= 1
        self._grants.pop(stream.identifier, None)

    def _give_back(self, size: int) -> None:
        self._owed += size

    def _answer(self, frame: bytes) -> None:
        if len(self._control) >= self.config.max_control_frames:
            raise MuxError(MuxCode.CONTROL_FLOOD, f"{len(self._control)} answers wait to be read")
        self._control.append(frame)

    # -- bytes out

    def data_to_send(self, limit: int = BATCH) -> bytes:
        """Whole frames, about ``limit`` bytes: answers first, packets before streams, streams round robin."""
        outgoing, control = self._outgoing, self._control
        if self._owed * 2 >= self.config.connection_window:
            control.append(wire.encode_window(0, self._owed))
            self._credit += self._owed
            self._owed = 0
        for stream in self._grants.values():
            grant = self.config.stream_window - stream.credit - stream.unread
            if grant > 0:
                stream.credit += grant
                control.append(wire.encode_window(stream.identifier, grant))
        self._grants.clear()
        parts, moved = outgoing.pack(limit, everything=self.open)
        for stream in moved:
            if stream.over:
                self._remove(stream)
            self._events.append(StreamChanged(stream.identifier))
        packets_wait = self.open and outgoing.packets_wait
        if self._goaway is not None and not self._goaway_sent and not packets_wait and not control:
            self._goaway_sent = True
            parts.append(self._goaway)
        return b"".join(parts)

    # -- time

    def next_timeout(self) -> float:
        """When :meth:`handle_timeout` has something to do."""
        return self._heartbeat.next_timeout() if self.open else self._hello_deadline

    def handle_timeout(self, now: float) -> None:
        """PING after a silence. :class:`MuxError` (SILENT) when it has lasted too long; it is counted."""
        try:
            if not self.open and now >= self._hello_deadline:
                raise MuxError(MuxCode.SILENT, "no HELLO and START in time")
            if self.open and self._heartbeat.is_due(now):
                self._control.append(wire.encode_frame(wire.PING, 0, 0, bytes(8)))
        except MuxError as error:
            self.statistics.errors[error.code.name.lower()] += 1
            raise
