"""Passes a node's cluster traffic on and counts it outside of TLS: bytes and connections."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from tests.support.processes import free_port

_CHUNK = 1 << 18


@dataclass(slots=True)
class Counted:
    """Since the relay was started."""

    bytes: int = 0
    connections: int = 0
    first_at: float = 0.0
    """When the first connection came, monotonic; 0: none yet."""


class Relays:
    """Any number of relays, counted together. Threads, as they are few. Use as a context manager."""

    def __init__(self) -> None:
        self.counted = Counted()
        self._listeners: list[socket.socket] = []
        self._open = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing.set()
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    @property
    def open_connections(self) -> int:
        """How many connections pass through at present."""
        with self._lock:
            return self._open

    def add(self, port: int) -> int:
        """Pass what comes to the port that is returned on to ``port`` of 127.0.0.1."""
        listener = socket.create_server(("127.0.0.1", free_port()), backlog=128)
        self._listeners.append(listener)
        self._run(self._accept, listener, port)
        return int(listener.getsockname()[1])

    @staticmethod
    def _run(function: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=function, args=arguments, daemon=True).start()

    def _accept(self, listener: socket.socket, port: int) -> None:
        while not self._closing.is_set():
            try:
                inner, _ = listener.accept()
            except OSError:
                return
            try:
                outer = socket.create_connection(("127.0.0.1", port), 5.0)
            except OSError:
                inner.close()
                continue
            outer.settimeout(None)
            with self._lock:
                self._open += 1
                self.counted.connections += 1
                self.counted.first_at = self.counted.first_at or time.monotonic()
            for one in (inner, outer):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            left = [2]
            self._run(self._pass_on, inner, outer, left)
            self._run(self._pass_on, outer, inner, left)

    def _pass_on(self, source: socket.socket, sink: socket.socket, left: list[int]) -> None:
        try:
            while data := source.recv(_CHUNK):
                sink.sendall(data)
                with self._lock:
                    self.counted.bytes += len(data)
        except OSError:
            pass
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
        with self._lock:
            left[0] -= 1
            if left[0]:
                return
            self._open -= 1
        source.close()
        sink.close()
