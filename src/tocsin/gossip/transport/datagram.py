"""A bound UDP socket on the event loop: bursts are received completely where the kernel allows it, and losses
counted.

What the kernel dropped because our receive buffer was full comes with the next datagram (``SO_RXQ_OVFL``),
and which destination refused a datagram comes on the socket's error queue (``IP_RECVERR``); both are Linux's.
On other systems the losses go uncounted and a refusal unheard.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import struct
import sys
from contextlib import suppress
from time import perf_counter
from typing import Any, Final, Protocol

from tocsin.bounded import PacketQueue
from tocsin.dataclass import dataclass
from tocsin.errors import ConfigError
from tocsin.gossip.address import Address
from tocsin.gossip.transport.listening import bound_socket
from tocsin.gossip.transport.scheduler import SLICE
from tocsin.gossip.transport.statistics import TransportStatistics

_log = logging.getLogger(__name__)

LARGEST: Final = 65_507
"""Bytes that a datagram over IPv4 can carry."""
RECEIVED_AT_ONCE: Final = 64
"""Datagrams taken in one iteration of the event loop, if their work ends within :data:`SLICE`; then others
have theirs."""
SENT_AT_ONCE: Final = 256
BACKLOG: Final = 512
"""Connections that the kernel queues before we accept them."""
BIND_ATTEMPTS: Final = 16
"""With port 0: the system's choice for TCP may be taken for UDP."""

_LINUX: Final = sys.platform == "linux"
_SO_RXQ_OVFL: Final = 40
_RECVERR: Final = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
_MSG_ERRQUEUE: Final = 0x2000
_ANCILLARY: Final = 512
_EXTENDED_ERROR: Final = struct.Struct("=IBBBBII")
"""``struct sock_extended_err``: errno, origin, type, code, padding, info, data."""
_MAPPED: Final = "::ffff:"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramSettings:
    """Bounds; sizes are bytes."""

    max_datagram_bytes: int = LARGEST
    """Longer ones are not sent (``too_big``)."""
    max_queued_packets: int = 1024
    """Packets queued for each destination until the kernel accepts them; a full queue drops its oldest."""
    max_queued_bytes: int = 4 * 1024 * 1024
    """Bytes queued for each destination."""
    max_queued_total: int = 16_384
    """Packets for all destinations together."""
    receive_buffer: int = 4 * 1024 * 1024
    """Asked of the system, which gives up to its own limit (``net.core.rmem_max``)."""
    send_buffer: int = 1024 * 1024
    close_timeout: float = 2.0


class DatagramHandler(Protocol):
    """Who gets the datagrams. Called on the event loop; must not block and never raises."""

    def datagram_received(self, data: bytes, source: Address) -> None:
        """One datagram."""

    def datagram_failed(self, destination: Address, reason: str) -> None:
        """A datagram to ``destination`` is known not to have arrived."""


def bind_pair(address: Address, *, backlog: int = BACKLOG) -> tuple[socket.socket, socket.socket]:
    """A listening TCP socket and a UDP socket on one port number; port 0: one that is free for both.

    :class:`ConfigError` when they cannot be bound. ``::`` takes IPv4 too.
    """
    problem: Exception | None = None
    for _ in range(1 if address.port else BIND_ATTEMPTS):
        stream = datagram = None
        try:
            stream = bound_socket(address, socket.SOCK_STREAM)
            stream.listen(backlog)
            datagram = bound_socket(Address(address.host, stream.getsockname()[1]), socket.SOCK_DGRAM)
        except (OSError, OverflowError) as error:
            problem = error
            for opened in (stream, datagram):
                if opened is not None:
                    opened.close()
            continue
        return stream, datagram
    reason = getattr(problem, "strerror", None) or str(problem)
    raise ConfigError("listen_address", f"cannot listen on {address}: {reason}", "choose a free address")


def bind_datagrams(address: Address) -> socket.socket:
    """A UDP socket alone, non-blocking; ``OSError`` when it cannot be bound."""
    return bound_socket(address, socket.SOCK_DGRAM)


class DatagramEndpoint:
    """Sends and receives on a UDP socket that it owns. Datagrams leave in a later iteration of the event
    loop."""

    def __init__(
        self, handler: DatagramHandler, statistics: TransportStatistics, settings: DatagramSettings
    ) -> None:
        self._handler = handler
        self._statistics = statistics
        self._settings = settings
        self._socket: socket.socket | None = None
        self._dual = False
        self._loop = asyncio.get_running_loop()
        self._buffer = memoryview(bytearray(64 * 1024))
        self._overflows = 0
        self._queues: dict[Address, PacketQueue] = {}
        self._queued = 0
        self._flushing = False
        self._blocked = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    def start(self, bound: socket.socket) -> None:
        """Take over a bound, non-blocking socket and begin to receive."""
        settings = self._settings
        self._socket = bound
        for option, size in (
            (socket.SO_RCVBUF, settings.receive_buffer),
            (socket.SO_SNDBUF, settings.send_buffer),
        ):
            with suppress(OSError):
                bound.setsockopt(socket.SOL_SOCKET, option, size)
        if _LINUX:
            with suppress(OSError):
                bound.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
            for family, (level, option) in _RECVERR.items():
                with suppress(OSError):  # An IPv6 socket that takes IPv4 too wants both.
                    if family == bound.family or bound.family == socket.AF_INET6:
                        bound.setsockopt(level, option, 1)
        self._dual = bound.family == socket.AF_INET6 and not bound.getsockopt(
            socket.IPPROTO_IPV6, socket.IPV6_V6ONLY
        )
        given = bound.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        # Linux counts its own bookkeeping in, and so answers with twice what it was asked for.
        self._statistics.receive_buffer_bytes = given // 2 if _LINUX else given
        self._loop.add_reader(bound.fileno(), self._readable)

    # -- sending

    def send(self, destination: Address, data: bytes) -> None:
        """Queue one datagram. Never blocks, never raises; a full queue drops its oldest and counts."""
        dropped, settings = self._statistics.packets_dropped, self._settings
        if self._closed or self._socket is None:
            dropped["closed"] += 1
            return
        if not data:
            dropped["empty"] += 1
            return
        if len(data) > settings.max_datagram_bytes:
            dropped["too_big"] += 1
            return
        if self._queued >= settings.max_queued_total:
            dropped["queue_full"] += 1
            self._handler.datagram_failed(destination, "the queues of packets are full")
            return
        queue = self._queues.get(destination)
        if queue is None:
            queue = PacketQueue(settings.max_queued_packets, settings.max_queued_bytes)
            self._queues[destination] = queue
        lost = queue.push(data)
        self._queued += 1 - lost
        self._idle.clear()
        if lost:
            dropped["queue_full"] += lost
            self._handler.datagram_failed(destination, "the queue of packets to it is full")
        self._flush_soon()

    def backlog(self, destination: Address) -> int:
        """Bytes to ``destination`` that the kernel has not accepted yet."""
        queue = self._queues.get(destination)
        return queue.size if queue is not None else 0

    def _flush_soon(self) -> None:
        if not self._flushing and not self._blocked:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Some datagrams to each destination in turn, as many as the kernel accepts."""
        self._flushing = False
        if self._socket is None:
            return
        left = SENT_AT_ONCE
        while self._queues and left:
            share = max(1, left // len(self._queues))
            for destination in list(self._queues)[:left]:
                queue = self._queues[destination]  # It stays there: a failure may make others be queued.
                for _ in range(min(share, len(queue))):
                    data = queue.pop()
                    if not self._send(destination, data):
                        queue.put_back(data)
                        self._wait_writable()
                        return
                    self._queued -= 1
                    left -= 1
                del self._queues[destination]
                if queue:  # Behind the others.
                    self._queues[destination] = queue
        if self._queues:
            self._flush_soon()
        else:
            self._idle.set()

    def _send(self, destination: Address, data: bytes) -> bool:
        """False when the kernel accepts no more at present."""
        assert self._socket is not None  # noqa: S101 (asked by the callers)
        target = self._target(destination)
        for _ in range(3):
            try:
                self._socket.sendto(data, target)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError as error:
                if error.errno in (errno.ENOBUFS, errno.ENOMEM):
                    return False
                if self._read_errors():
                    continue  # It was of an earlier datagram.
                self._failed(destination, os.strerror(error.errno or errno.EIO), "connect")
            else:
                self._statistics.packets_sent += 1
                self._statistics.packet_bytes_sent += len(data)
            return True
        self._statistics.packets_dropped["lost"] += 1
        return True

    def _target(self, destination: Address) -> tuple[str, int]:
        mapped = self._dual and ":" not in destination.host
        return (_MAPPED + destination.host if mapped else destination.host, destination.port)

    def _wait_writable(self) -> None:
        if not self._blocked and self._socket is not None:
            self._blocked = True
            self._loop.add_writer(self._socket.fileno(), self._writable)

    def _writable(self) -> None:
        self._blocked = False
        if self._socket is not None:
            self._loop.remove_writer(self._socket.fileno())
            self._flush()

    def _failed(self, destination: Address, reason: str, kind: str) -> None:
        self._statistics.packets_dropped["dial"] += 1
        self._statistics.dial_failures[kind] += 1
        self._handler.datagram_failed(destination, reason)

    # -- receiving

    def _readable(self) -> None:
        """Take in what is there, up to a bound: the event loop calls again while there is more."""
        handler, statistics, buffer = self._handler, self._statistics, self._buffer
        began = perf_counter()
        for taken in range(RECEIVED_AT_ONCE):
            if self._socket is None or perf_counter() - began > SLICE:
                return
            try:
                length, ancillary, _, source = self._socket.recvmsg_into([buffer], _ANCILLARY)
            except (BlockingIOError, InterruptedError):
                if not taken:
                    self._read_errors()  # What else can have called us?
                return
            except OSError as error:
                if not self._read_errors():
                    _log.debug("receiving datagrams: %s", error)
                continue
            if ancillary:
                self._count_overflows(ancillary)
            if not length:
                statistics.packets_ignored += 1
                continue
            statistics.packets_received += 1
            statistics.packet_bytes_received += length
            handler.datagram_received(bytes(buffer[:length]), _address(source))

    def _count_overflows(self, ancillary: list[tuple[int, int, bytes]]) -> None:
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_RXQ_OVFL and len(data) >= 4:
                total = int.from_bytes(data[:4], sys.byteorder)
                # A u32 of the system's that wraps.
                self._statistics.receive_buffer_drops += (total - self._overflows) % 2**32
                self._overflows = total

    def _read_errors(self) -> bool:
        """Which datagrams of ours were refused on their way; whether there were any."""
        found, began = False, perf_counter()
        for _ in range(RECEIVED_AT_ONCE):
            if not _LINUX or self._socket is None or perf_counter() - began > SLICE:
                break
            try:
                _, ancillary, _, destination = self._socket.recvmsg(0, _ANCILLARY, _MSG_ERRQUEUE)
            except OSError:
                break
            found = True
            for level, kind, data in ancillary:
                if (level, kind) in _RECVERR.values() and len(data) >= _EXTENDED_ERROR.size and destination:
                    number = _EXTENDED_ERROR.unpack_from(data)[0]
                    self._failed(_address(destination), os.strerror(number), "connect")
        return found

    # -- the end

    async def close(self) -> None:
        """Pass what is queued to the kernel, bounded in time, then close. Idempotent."""
        if self._closed:
            return
        self._closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.close_timeout):
                await self._idle.wait()
        for queue in self._queues.values():
            self._statistics.packets_dropped["closed"] += len(queue)
        self._queues.clear()
        bound, self._socket = self._socket, None
        if bound is not None:
            self._loop.remove_reader(bound.fileno())
            self._loop.remove_writer(bound.fileno())
            bound.close()


def _address(source: Any) -> Address:
    """Of a socket address; an IPv4 address that an IPv6 socket saw is IPv4."""
    host = source[0]
    if ":" in host:
        host = host.partition("%")[0]
        if host.startswith(_MAPPED) and "." in host:
            host = host.removeprefix(_MAPPED)
    return Address(host, source[1])
