"""A network switch in a process of its own, whose paths can lose, delay and throttle what goes over them.

It stands between TAP devices, each the only network of a namespace, so that the kernels' own TCP meets the
trouble: retransmissions, backoff, full windows. It does what ``tc netem`` does, which not every kernel has.
"""

from __future__ import annotations

import fcntl
import heapq
import multiprocessing
import os
import select
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from random import Random
from typing import Final, NamedTuple

FRAME: Final = 65536
QUEUE_BYTES: Final = 256 << 10
"""What a throttled path holds before it drops."""
_TUNSETIFF: Final = 0x400454CA
_TAP_WITHOUT_HEADER: Final = 0x1002
_MULTICAST: Final = 1


@dataclass(frozen=True, slots=True)
class Path:
    """How it is to go from one port to another. Seconds; bytes a second."""

    loss: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0
    rate: float = 0.0  # 0: as fast as can be


CUT: Final = Path(loss=1.0)
Paths = Mapping[tuple[int, int], Path]


class Counts(NamedTuple):
    """Frames since the start."""

    passed: int
    dropped: int


def open_tap(name: str) -> int:
    """A new TAP device in this process's network namespace; its file, which stays it wherever it is moved."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH", name.encode(), _TAP_WITHOUT_HEADER))
    return descriptor


def hardware_address(port: int) -> bytes:
    """The address of the device at a port: the switch need not learn it."""
    return bytes((2, 0, 0, 0, 0, port))


class Switch:
    """Start it before there are threads: it forks."""

    def __init__(self, taps: Mapping[int, int], seed: int) -> None:
        context = multiprocessing.get_context("fork")
        self._control, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(dict(taps), theirs, seed), daemon=True)
        self._process.start()
        theirs.close()

    def become(self, paths: Paths) -> None:
        """From now on; a path that is not named is perfect."""
        self._control.send(dict(paths))
        self._control.recv()

    def counts(self) -> Counts:
        """What passed and what did not."""
        self._control.send(None)
        return Counts(*self._control.recv())

    def close(self) -> None:
        """End it."""
        self._control.close()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()


@dataclass(slots=True)
class _Line:
    """The state of a path: when the last frame left, and when it arrives."""

    free_at: float = 0.0
    arrives_at: float = 0.0


@dataclass(slots=True)
class _Server:
    taps: dict[int, int]
    random: Random
    paths: dict[tuple[int, int], Path] = field(default_factory=dict)
    lines: dict[tuple[int, int], _Line] = field(default_factory=dict)
    waiting: list[tuple[float, int, int, bytes]] = field(default_factory=list)
    number: int = 0
    passed: int = 0
    dropped: int = 0

    def take(self, source: int, frame: bytes, now: float) -> None:
        if frame[0] & _MULTICAST:
            for port in self.taps:
                if port != source:
                    self.forward(source, port, frame, now)
        elif frame[:5] == hardware_address(0)[:5] and frame[5] in self.taps:
            self.forward(source, frame[5], frame, now)

    def forward(self, source: int, target: int, frame: bytes, now: float) -> None:
        path = self.paths.get((source, target))
        if path is None:
            self.deliver(target, frame)
            return
        if path.loss and self.random.random() < path.loss:
            self.dropped += 1
            return
        line = self.lines.setdefault((source, target), _Line())
        due = now
        if path.rate:
            due = max(now, line.free_at)
            if (due - now) * path.rate > QUEUE_BYTES:
                self.dropped += 1
                return
            due += len(frame) / path.rate
            line.free_at = due
        due += path.delay + self.random.uniform(-path.jitter, path.jitter)
        due = line.arrives_at = max(due, line.arrives_at)  # the order stays
        self.number += 1
        heapq.heappush(self.waiting, (due, self.number, target, frame))

    def deliver(self, target: int, frame: bytes) -> None:
        try:
            os.write(self.taps[target], frame)
            self.passed += 1
        except OSError:  # the device is full, down, or gone with its namespace
            self.dropped += 1

    def deliver_due(self, now: float) -> float | None:
        """Seconds until the next is due."""
        while self.waiting and self.waiting[0][0] <= now:
            _, _, target, frame = heapq.heappop(self.waiting)
            self.deliver(target, frame)
        return self.waiting[0][0] - now if self.waiting else None


def _serve(taps: dict[int, int], control: Connection, seed: int) -> None:
    server = _Server(taps, Random(seed))
    ports = {descriptor: port for port, descriptor in taps.items()}
    poll = select.epoll()
    for descriptor in (*ports, control.fileno()):
        poll.register(descriptor, select.EPOLLIN)
    left: float | None = None
    while True:
        for descriptor, _ in poll.poll(None if left is None else max(left, 0.0)):
            if descriptor not in ports:
                try:
                    asked = control.recv()
                except (EOFError, OSError):
                    return
                if asked is not None:
                    server.paths, server.lines = asked, {}
                control.send((server.passed, server.dropped))
                continue
            for _ in range(64):
                try:
                    frame = os.read(descriptor, FRAME)
                except OSError:
                    break
                server.take(ports[descriptor], frame, time.monotonic())
        left = server.deliver_due(time.monotonic())
