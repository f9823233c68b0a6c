"""A transport inside one process: for tests, for examples, and as the plainest reading of the contract."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from tocsin.bounded import PacketQueue, ReadBuffer
from tocsin.errors import ClosedError, ConfigError, TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.transport.base import Scheduler, Stream, TransportHandler
from tocsin.gossip.transport.statistics import TransportStatistics

_FIRST_FREE_PORT: Final = 20_000
_STREAM_BUFFER: Final = 256 * 1024


class MemoryNetwork:
    """The registry through which transports of one process find each other."""

    def __init__(self) -> None:
        self.transports: dict[Address, MemoryTransport] = {}
        self.black_holes: set[Address] = set()
        """Addresses that take everything and answer nothing, as a host without power does."""
        self._next_port = _FIRST_FREE_PORT

    def carries(self, source: Address, destination: Address) -> bool:  # noqa: ARG002
        """Whether a stream can be opened; where not, a dial takes its whole time."""
        return destination not in self.black_holes

    def arrivals(self, source: Address, destination: Address) -> Sequence[float]:
        """In how many seconds each copy of a packet arrives; without any it is lost."""
        return (0.0,) if self.carries(source, destination) else ()

    def free_port(self) -> int:
        """One that was not given out before."""
        self._next_port += 1
        return self._next_port


class MemoryTransport:
    """A :class:`~tocsin.gossip.transport.base.Transport` on a :class:`MemoryNetwork`."""

    def __init__(
        self,
        network: MemoryNetwork,
        listen_address: Address | None = None,
        *,
        max_queued_packets: int = 1024,
        max_queued_bytes: int = 16 * 1024 * 1024,
        max_packet_bytes: int = 4 * 1024 * 1024,
        max_accepted_streams: int = 1024,
        read_timeout: float = 10.0,
        close_timeout: float = 2.0,
    ) -> None:
        self.statistics: TransportStatistics = TransportStatistics()
        self.network = network
        self._listen_address = listen_address or Address("127.0.0.1", 0)
        self._max_queued_packets = max_queued_packets
        self._max_queued_bytes = max_queued_bytes
        self._max_packet_bytes = max_packet_bytes
        self._max_accepted_streams = max_accepted_streams
        self._read_timeout = read_timeout
        self._close_timeout = close_timeout
        self._queues: dict[Address, PacketQueue] = {}
        self._streams: set[MemoryStream] = set()
        self._handler: TransportHandler | None = None
        self._closed = False
        self.scheduler: Scheduler | None = None
        """None, unless a test sets one."""

    @property
    def listen_address(self) -> Address:
        """The bound address; known after :meth:`start`."""
        return self._listen_address

    @property
    def advertise_address(self) -> Address:
        """The bound address."""
        return self.listen_address

    @property
    def certificates(self) -> None:
        """Peers are not authenticated."""
        return

    async def start(self, handler: TransportHandler) -> None:
        """Register; :class:`ConfigError` if the address is taken."""
        if self._closed:
            raise ClosedError("the transport was closed")
        if not self._listen_address.port:
            self._listen_address = Address(self._listen_address.host, self.network.free_port())
        if self._listen_address in self.network.transports:
            raise ConfigError("listen address", f"{self._listen_address} is taken", "choose a free one")
        self._handler = handler
        self.network.transports[self._listen_address] = self

    def send_packet(self, destination: Address, data: bytes, node: str = "") -> None:  # noqa: ARG002
        """Queue a packet; it arrives in a later iteration of the event loop."""
        dropped = self.statistics.packets_dropped
        if self._closed or self._handler is None:
            dropped["closed"] += 1
        elif not data:
            dropped["empty"] += 1
        elif len(data) > self._max_packet_bytes:
            dropped["too_big"] += 1
        else:
            queue = self._queues.get(destination)
            if queue is None:
                queue = PacketQueue(self._max_queued_packets, self._max_queued_bytes)
                self._queues[destination] = queue
                asyncio.get_running_loop().call_soon(self._deliver, destination)
            if lost := queue.push(data):
                dropped["queue_full"] += lost
                self._handler.packet_failed(destination, "the queue of packets to it is full")

    def backlog(self, destination: Address) -> int:
        """Bytes that the next iteration of the event loop delivers."""
        queue = self._queues.get(destination)
        return queue.size if queue is not None else 0

    @property
    def connection_limit(self) -> None:
        """There are no connections."""
        return

    def connected(self) -> tuple[Address, ...]:
        """There are no connections."""
        return ()

    def _deliver(self, destination: Address) -> None:
        queue = self._queues.pop(destination, None)
        if queue is None or self._handler is None:
            return
        statistics = self.statistics
        other = self.network.transports.get(destination)
        if (other is None or other._handler is None) and self.network.carries(
            self._listen_address, destination
        ):
            statistics.packets_dropped["dial"] += len(queue)
            statistics.dial_failures["connect"] += 1
            self._handler.packet_failed(destination, f"nobody listens on {destination}")
            return
        loop = asyncio.get_running_loop()
        for data in queue.take_all():
            arrivals = self.network.arrivals(self._listen_address, destination)
            if not arrivals:
                statistics.packets_dropped["lost"] += 1
                continue
            statistics.packets_sent += 1
            statistics.packet_bytes_sent += len(data)
            for delay in arrivals:
                if delay > 0:
                    loop.call_later(delay, self._arrive, destination, data)
                else:
                    self._arrive(destination, data)

    def _arrive(self, destination: Address, data: bytes) -> None:
        other = self.network.transports.get(destination)
        if other is not None and other._handler is not None:
            other.statistics.packets_received += 1
            other.statistics.packet_bytes_received += len(data)
            other._handler.packet_received(data, self._listen_address)

    async def open_stream(self, destination: Address, timeout: float, node: str = "") -> Stream:  # noqa: ARG002
        """Connect two ends."""
        if self._closed:
            raise ClosedError("the transport was closed")
        self.statistics.dials += 1
        if not self.network.carries(self._listen_address, destination):
            await asyncio.sleep(timeout)
            self.statistics.dial_failures["timeout"] += 1
            raise TransportError(f"dialling {destination} took longer than {timeout:g} s")
        await asyncio.sleep(0)
        other = self.network.transports.get(destination)
        if other is None or other._handler is None:
            self.statistics.dial_failures["connect"] += 1
            raise TransportError(f"nobody listens on {destination}")
        if len(other._streams) >= other._max_accepted_streams:
            other.statistics.connections_rejected["total"] += 1
            raise TransportError(f"{destination} has too many streams")
        near = MemoryStream(destination, self)
        far = MemoryStream(self._listen_address, other)
        near.other, far.other = far, near
        self.statistics.streams_opened += 1
        other.statistics.streams_accepted += 1
        other._handler.stream_accepted(far)
        return near

    async def close(self) -> None:
        """Deliver what is queued, end all streams, leave the registry."""
        if self._closed:
            return
        for destination in list(self._queues):
            self._deliver(destination)
        self._closed = True
        if self.network.transports.get(self._listen_address) is self:
            del self.network.transports[self._listen_address]
        for stream in list(self._streams):
            await stream.close()


class MemoryStream:
    """One end of a stream."""

    def __init__(self, remote: Address, owner: MemoryTransport) -> None:
        self.other: MemoryStream | None = None
        self._remote = remote
        self._owner = owner
        self._buffer = ReadBuffer(_STREAM_BUFFER)
        self._changed = asyncio.Event()
        self._ended = False
        self._broken = False
        self._closed = False
        owner._streams.add(self)

    @property
    def remote(self) -> Address:
        """The other end's transport."""
        return self._remote

    @property
    def peer(self) -> PeerIdentity | None:
        """Nobody is authenticated."""
        return None

    async def write(self, data: bytes) -> None:
        """Hand ``data`` to the other end, waiting while it has much unread."""
        other = self.other
        if self._closed or self._broken or other is None:
            raise TransportError("the stream is closed")
        try:
            async with asyncio.timeout(self._owner._read_timeout):
                while other._buffer.paused and not (other._closed or self._broken):
                    other._changed.clear()
                    await other._changed.wait()
        except TimeoutError:
            raise TransportError("the peer took no data") from None
        if self._broken:
            raise TransportError("the peer dropped the stream")
        if data and not other._closed:
            other._buffer.push(bytes(data))
            other._changed.set()

    async def read(self) -> bytes:
        """Some bytes; empty at the end."""
        try:
            async with asyncio.timeout(self._owner._read_timeout):
                while not (self._buffer or self._ended or self._broken or self._closed):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TransportError("nothing was received in time") from None
        if self._buffer:
            chunk, _ = self._buffer.pop()
            self._changed.set()
            return chunk
        if self._broken:
            raise TransportError("the peer dropped the stream")
        return b""

    async def close(self) -> None:
        """End the stream, and wait a bounded time until the other end has read everything."""
        if self._closed:
            return
        self._finish()
        other = self.other
        if other is None or self._broken:
            return
        other._ended = True
        other._changed.set()
        try:
            async with asyncio.timeout(self._owner._close_timeout):
                while other._buffer and not other._closed:
                    other._changed.clear()
                    await other._changed.wait()
        except TimeoutError:
            pass

    def abort(self) -> None:
        """Break both ends."""
        self._finish()
        self._broken = True
        if self.other is not None and not self.other._closed:
            self.other._broken = True
            self.other._buffer.clear()
            self.other._changed.set()

    def _finish(self) -> None:
        self._closed = True
        self._buffer.clear()
        self._owner._streams.discard(self)
        self._changed.set()
