"""Bad behaviour on the wire. Each takes the connection, and returns to have it closed."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

Behaviour: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

BOMB: Final = gzip.compress(bytes(64 << 20))
DEEP: Final = b"[" * 30_000


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Takes everything and says nothing."""
    while await reader.read(65536):
        pass


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says what is not a protocol."""
    writer.write(bytes(range(256)) * 64)
    await writer.drain()
    await silent(reader, writer)


def after_request(*pieces: bytes, repeat: bytes = b"", pause: float = 0.0, close: bool = False) -> Behaviour:
    """Answers a request with ``pieces``, then with ``repeat`` for ever."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
        await writer.drain()
        while repeat:
            writer.write(repeat)
            await writer.drain()
            await asyncio.sleep(pause)
        if not close:
            await silent(reader, writer)

    return behave


def answers(status: int, body: bytes = b"", *headers: str, kind: str = "application/json") -> Behaviour:
    """A whole answer to each request."""
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}", f"Content-Type: {kind}", *headers]
    whole = "\r\n".join([*lines, "", ""]).encode() + body

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next(
                (
                    int(line[15:])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                ),
                0,
            )
            await reader.readexactly(length)
            writer.write(whole)
            await writer.drain()

    return behave


def mail(
    hang_at: str = "",
    *,
    drip: str = "",
    flood: str = "",
    close_at: str = "",
    line: bytes = b"",
    tls: str = "",
) -> Behaviour:
    """An SMTP server that does as one should, but for the step that is named (``greeting``, a verb, ``END``):
    it never answers there, answers in drips, answers without end, hangs up, or says ``line``. ``tls``:
    ``garbage`` instead of a handshake after STARTTLS, or ``silent``."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def step(name: str, usual: bytes) -> bool:
            if name == close_at:
                return False
            if name == hang_at:
                await silent(reader, writer)
            while name == drip:
                writer.write(b"2")
                await writer.drain()
                await asyncio.sleep(0.05)
            while name == flood:
                writer.write(b"250-more\r\n" * 1000)
                await writer.drain()
            writer.write(line or usual)
            await writer.drain()
            return True

        if not await step("greeting", b"220 here\r\n"):
            return
        while asked := await reader.readline():
            verb = asked.split()[0].decode("ascii", "replace").upper() if asked.split() else ""
            usual = {
                "EHLO": b"250-here\r\n250-STARTTLS\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n"
                if tls
                else b"250-here\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n",
                "AUTH": b"235 in\r\n",
                "STARTTLS": b"220 go\r\n",
                "DATA": b"354 go on\r\n",
            }.get(verb, b"250 ok\r\n")
            if not await step(verb, usual):
                return
            if verb == "STARTTLS":
                await reader.read(1)
                await (garbage if tls == "garbage" else silent)(reader, writer)
            if verb == "DATA":
                await reader.readuntil(b"\r\n.\r\n")
                if not await step("END", b"250 taken\r\n"):
                    return

    return behave
