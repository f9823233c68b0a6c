"""A bare HTTP/1.1 connection: a few microseconds a request, so that the client is not what is measured."""

from __future__ import annotations

import json
import socket
from typing import Any, Self
from urllib.parse import urlsplit


class Connection:
    """One kept-alive connection to a node. Not for several threads."""

    def __init__(self, url: str, *, timeout: float = 60.0) -> None:
        place = urlsplit(url)
        assert place.hostname is not None
        assert place.port is not None
        self._host = f"{place.hostname}:{place.port}"
        self._socket = socket.create_connection((place.hostname, place.port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        return self._exchange(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body. ``body`` is JSON."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return self._exchange(head.encode() + body)

    def json(self, path: str) -> Any:
        """The decoded body of a GET that succeeds."""
        status, body = self.get(path)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {body[:200]!r}")
        return json.loads(body)

    def _exchange(self, request: bytes) -> tuple[int, bytes]:
        self._socket.sendall(request)
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            self._fill()
        head, self._buffer = self._buffer[:end].lower(), self._buffer[end + 4 :]
        status = int(head[9:12])
        if status == 204:
            return status, b""
        if b"transfer-encoding: chunked" in head:
            return status, self._chunks()
        place = head.find(b"content-length:")
        length = int(head[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
        return status, self._take(length)

    def _chunks(self) -> bytes:
        parts: list[bytes] = []
        while True:
            while (end := self._buffer.find(b"\r\n")) < 0:
                self._fill()
            size = int(self._buffer[:end], 16)
            self._buffer = self._buffer[end + 2 :]
            part = self._take(size + 2)
            if size == 0:
                return b"".join(parts)
            parts.append(part[:-2])

    def _take(self, length: int) -> bytes:
        if len(self._buffer) < length:
            parts = [self._buffer]
            missing = length - len(self._buffer)
            while missing > 0:
                data = self._receive()
                parts.append(data)
                missing -= len(data)
            self._buffer = b"".join(parts)
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        return taken

    def _fill(self) -> None:
        self._buffer += self._receive()

    def _receive(self) -> bytes:
        data = self._socket.recv(1 << 18)
        if not data:
            raise ConnectionError(f"{self._host} closed the connection")
        return data
