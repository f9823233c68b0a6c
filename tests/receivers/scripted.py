"""The server of every kind of receiver, on loopback: answers by a script, and keeps what came.

A script is a list; its last entry goes on for ever. By HTTP: ``status``, ``headers``, ``body``, ``delay`` in
seconds, ``echo`` (URL and headers come back), or ``action``: ``close`` (no answer) or ``hang``. By SMTP:
``greeting``, ``ext`` and ``ext_tls`` (what EHLO offers), ``replies`` by verb (``END``: to the message),
``delay``, ``action``.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import time
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tests.support.listening import end_server

HOST = "127.0.0.1"
CHALLENGE = "<1896.697170952@mail.example.org>"
"""Of CRAM-MD5, as in the captures."""
LONGEST_LINE = 2**25

Answer: TypeAlias = dict[str, Any]


@dataclass
class HTTPRequest:
    """One that came. ``via``: the proxy that it was sent to, and what that one alone was told."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes
    chunked: bool
    via: dict[str, str]


@dataclass
class Session:
    """One of SMTP: the lines said, how it was secured, the message with its dots unstuffed."""

    lines: list[str] = field(default_factory=list)
    tls: str = "none"
    message: bytes = b""


Seen: TypeAlias = HTTPRequest | Session


class ScriptedServer:
    """Listens on two ports: in clear, and with TLS from the start."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.seen: list[Seen] = []
        self.used: list[Answer] = []
        self.times: list[float] = []
        self.ports: list[int] = []
        self._script: list[Answer] = []
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        for context in (None, self.context):
            server = await asyncio.start_server(self._accept, HOST, 0, ssl=context, limit=LONGEST_LINE)
            self._servers.append(server)
            self.ports.append(server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        for server in self._servers:
            await end_server(server)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def expect(self, script: list[Answer]) -> None:
        """A new step: what comes from now on is answered by ``script``."""
        self._script = script
        self.seen, self.used, self.times = [], [], []

    def take(self, seen: Seen) -> Answer:
        """Keep what came; the answer to it."""
        answer = self._script[min(len(self.seen), len(self._script) - 1)] if self._script else {}
        self.seen.append(seen)
        self.used.append(answer)
        self.times.append(time.monotonic())
        return answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def run() -> None:
            try:
                await self.serve(reader, writer)
            except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                pass  # The daemon hung up, or said what is not HTTP: what it said until then is kept.

        task = asyncio.ensure_future(run())
        self._tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            writer.close()

        task.add_done_callback(done)


class ScriptedHTTPServer(ScriptedServer):
    """Takes requests, requests to a proxy, and CONNECT with TLS after it."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        secure = writer.get_extra_info("ssl_object") is not None
        via: dict[str, str] = {}
        method, target, headers = await _head(reader)
        if method == "CONNECT":
            via = {"proxy": f"CONNECT {target}", **_for_proxy(headers)}
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.start_tls(self.context)
            secure = True
            method, target, headers = await _head(reader)
        fields = {name.lower(): value for name, value in headers}
        chunked = "chunked" in fields.get("transfer-encoding", "")
        body = await (
            _chunks(reader) if chunked else reader.readexactly(int(fields.get("content-length", 0)))
        )
        if "://" in target.partition("?")[0]:
            via = {"proxy": "absolute target", **_for_proxy(headers)}
            url = target
        else:
            url = f"{'https' if secure else 'http'}://{fields.get('host', '')}{target}"
        answer = self.take(HTTPRequest(method, url, headers, body, chunked, via))
        await asyncio.sleep(answer.get("delay", 0))
        action = answer.get("action")
        if action == "hang":
            await reader.read()
        if action:
            return
        content = str(answer.get("body", "")).encode()
        if answer.get("echo"):
            content += " ".join([url, *(value for _, value in headers)]).encode()
        sent = {"Content-Length": len(content), "Connection": "close", **answer.get("headers", {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        writer.write(
            f"HTTP/1.1 {answer.get('status', 200)} As-told\r\n{head}\r\n".encode("latin-1") + content
        )
        await writer.drain()


async def _head(reader: asyncio.StreamReader) -> tuple[str, str, list[tuple[str, str]]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _version = lines[0].split(" ")
    pairs = [line.partition(":") for line in lines[1:] if line]
    return method, target, [(name, value.strip()) for name, _, value in pairs]


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    found = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        found += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return bytes(found)


def _for_proxy(headers: list[tuple[str, str]]) -> dict[str, str]:
    return {n.lower(): v for n, v in headers if n.lower().startswith(("proxy-auth", "x-proxy"))}


class ScriptedSMTPServer(ScriptedServer):
    """A mail server that believes every password."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session()
        if writer.get_extra_info("ssl_object") is not None:
            session.tls = "implicit"
        answer = self.take(session)
        action = answer.get("action")
        if action == "hang":
            await reader.read()
        if action:
            return
        await asyncio.sleep(answer.get("delay", 0))
        await _Dialogue(session, answer, reader, writer, self.context).run()


@dataclass
class _Dialogue:
    session: Session
    answer: Answer
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    context: ssl.SSLContext

    async def run(self) -> None:
        replies: dict[str, str] = self.answer.get("replies", {})
        await self._say(self.answer.get("greeting", "220 mail.example.org ESMTP"))
        while True:
            line = await self._hear()
            verb = line.partition(" ")[0].upper()
            if verb == "DATA":
                await self._data(replies)
            elif verb in replies:
                await self._say(replies[verb])
            elif verb == "EHLO":
                await self._offer()
            elif verb == "STARTTLS":
                await self._say("220 go ahead")
                await self.writer.start_tls(self.context)
                self.session.tls = "starttls"
            elif verb == "AUTH":
                await self._believe(line.split(" "))
            elif verb == "QUIT":
                await self._say("221 bye")
                return
            else:
                await self._say("250 ok")

    async def _say(self, text: str) -> None:
        self.writer.write(f"{text}\r\n".encode())
        await self.writer.drain()

    async def _hear(self) -> str:
        line = (await self.reader.readuntil(b"\r\n"))[:-2].decode("utf-8", "replace")
        self.session.lines.append(line)
        return line

    async def _offer(self) -> None:
        offered: list[str] = self.answer.get("ext", [])
        if self.session.tls != "none":
            offered = self.answer.get("ext_tls", offered)
        names = ["mail.example.org", *offered]
        for name in names[:-1]:
            await self._say(f"250-{name}")
        await self._say(f"250 {names[-1]}")

    async def _believe(self, words: list[str]) -> None:
        mechanism = words[1].upper()
        asked = {"LOGIN": ["Username:", "Password:"], "CRAM-MD5": [CHALLENGE]}.get(mechanism)
        if asked is None:
            asked = [""] if len(words) < 3 else []
        for question in asked:
            await self._say("334 " + base64.b64encode(question.encode()).decode())
            await self._hear()
        await self._say("235 welcome")

    async def _data(self, replies: dict[str, str]) -> None:
        reply = replies.get("DATA", "354 go on")
        await self._say(reply)
        if reply.startswith("3"):
            whole = await self.reader.readuntil(b"\r\n.\r\n")
            self.session.message = whole[:-3].replace(b"\r\n..", b"\r\n.")
            await self._say(replies.get("END", "250 accepted"))
