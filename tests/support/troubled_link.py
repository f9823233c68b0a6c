"""A TCP relay before a node's cluster port, in which things go wrong on command."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from tests.support.listening import end_server

T = TypeVar("T")


class Trouble(enum.Enum):
    """What happens to connections, both those that are open and new ones."""

    NONE = "none"
    FULL_WINDOW = "full-window"  # accepted, but nothing is read any more
    BLACK_HOLE = "black-hole"  # what is sent is taken, and goes nowhere
    RESET = "reset"
    REFUSED = "refused"  # open ones end, new ones find nobody


class TroubledLink:
    """Relays 127.0.0.1:``port`` to 127.0.0.1:``target``. Use as a context manager; runs in its own thread."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self.accepted = 0
        self._target = target
        self._trouble = Trouble.NONE
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._relays: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *exc: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def become(self, trouble: Trouble) -> None:
        """From now on."""
        self._call(self._become(trouble))

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # At once: a task that is cancelled before its first step would leave the connection to nobody.
        self._writers.add(writer)
        task = self._loop.create_task(self._relay(reader, writer))
        self._relays.add(task)
        task.add_done_callback(self._relays.discard)

    async def _become(self, trouble: Trouble) -> None:
        self._trouble = trouble
        self._changed.set()
        self._changed = asyncio.Event()
        if trouble is Trouble.REFUSED:
            await self._stop_listening()
        if trouble in (Trouble.RESET, Trouble.REFUSED, Trouble.NONE):
            for writer in list(self._writers):
                _reset(writer)
        if trouble is not Trouble.REFUSED and self._server is None:
            await self._listen()

    async def _stop_listening(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await end_server(server)

    async def _close(self) -> None:
        await self._stop_listening()
        for writer in list(self._writers):
            writer.transport.abort()
        for relay in self._relays:
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)
        await asyncio.sleep(0.01)  # for the aborted connections to close

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            if self._trouble is Trouble.RESET:
                _reset(writer)
                return
            while self._trouble is not Trouble.NONE:
                if self._trouble is Trouble.BLACK_HOLE:
                    if not await reader.read(65536):
                        return
                else:
                    await self._changed.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(far_writer)
            try:
                await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
            finally:
                self._writers.discard(far_writer)
                far_writer.transport.abort()
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            while self._trouble is Trouble.FULL_WINDOW:
                await self._changed.wait()
            data = await reader.read(65536)
            if not data:
                with contextlib.suppress(OSError):
                    writer.write_eof()
                return
            if self._trouble is Trouble.NONE:
                writer.write(data)
                await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST."""
    sock: socket.socket | None = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
