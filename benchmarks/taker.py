"""A server that takes notifications as fast as it can: ``python -m benchmarks.taker`` prints its port.

``GET /told`` gives how many requests came by POST, and when the first and the last (monotonic seconds, which
are the same for all processes of the machine).
"""

from __future__ import annotations

import asyncio
import json
import time

OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'


class Taker(asyncio.Protocol):
    """One connection."""

    count = 0
    first = 0.0
    last = 0.0

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            at = head.lower().find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        assert self._transport is not None
        if head.startswith(b"POST"):
            now = time.monotonic()
            Taker.first = Taker.first or now
            Taker.last = now
            Taker.count += 1
            self._transport.write(OK)
            return
        told = json.dumps([Taker.count, Taker.first, Taker.last]).encode()
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told))


async def main() -> None:
    """Serve for ever."""
    server = await asyncio.get_running_loop().create_server(Taker, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
