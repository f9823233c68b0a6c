"""The server of a receiver on loopback: it keeps what comes and answers by a script. And attempts at it.

One port takes plain requests and is a proxy too: a fixed host is reached by CONNECT and TLS, with a
certificate for whatever name is asked for.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.support.certificates import CertificateAuthority
from tests.support.routing import alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.notification import Notification
from tocsin.alerting.timestamp import SECOND
from tocsin.config.schema import Section
from tocsin.node.clock import Clock
from tocsin.node.config import parse_config
from tocsin.node.configuration import senders_of
from tocsin.notify.integrations.base import Outcome

CLOCK = Clock()
GROUP_KEY = '{}:{alertname="Full"}'
GROUP_HASH = "31f9380bc3a7ef3ed08488852ec19f50d721f109853a3cb5c015f072f50c0cb1"
FIRING = Notification(
    receiver="ops",
    group_key=GROUP_KEY,
    group_labels=Labels({"alertname": "Full"}),
    alerts=(alert(alertname="Full", severity="critical", annotations={"summary": "<no space>"}),),
    now=CLOCK.now(),
    reason="first notification",
)
RESOLVED = replace(
    FIRING,
    alerts=tuple(replace(each, ends_at=each.starts_at + SECOND) for each in FIRING.alerts),
    reason="all alerts resolved",
)


@dataclass(frozen=True)
class Received:
    """A request. ``url`` is whole, as server as it is known."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    line: str
    """The request line."""

    @property
    def json(self) -> Any:
        """The body's."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What is said to a request; status 0: nothing, the connection is closed."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def raw(self) -> bytes:
        """As sent."""
        lines = [f"HTTP/1.1 {self.status} X"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.status < 200 or self.status in (204, 304):
            return "\r\n".join([*lines, "", ""]).encode()
        return "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "", ""]).encode() + self.body


class ReceiverServer:
    """``answers``: in order, the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = answers or (Answer(),)
        self.received: list[Received] = []
        self.address = ""
        self._authority: CertificateAuthority | None = None
        self._folder = Path()
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def bodies(self) -> list[bytes]:
        """Of the requests."""
        return [each.body for each in self.received]

    @asynccontextmanager
    async def open(self, folder: Path | None = None) -> AsyncIterator[ReceiverServer]:
        """Listen. With a ``folder`` behind CONNECT too, by TLS: ``ca.pem`` there is the authority."""
        if folder is not None:
            self._authority = CertificateAuthority()
            (folder / "ca.pem").write_bytes(self._authority.certificate)
            self._folder = folder
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            serving = list(self._serving)
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._serving.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._serving.discard(task)
            writer.close()  # here, as a task that is cancelled before it begins closes nothing

        task.add_done_callback(done)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begin = ""
        try:
            while line := await reader.readline():
                method, target, _ = line.decode().split(" ")
                headers: dict[str, str] = {}
                while (header := await reader.readline()) not in (b"\r\n", b""):
                    name, _, value = header.decode().partition(":")
                    headers[name.lower()] = value.strip()
                if method == "CONNECT":
                    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    await writer.start_tls(self._context(target.partition(":")[0]))
                    begin = f"https://{target.removesuffix(':443')}"
                    continue
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                url = target if "://" in target else f"{begin or 'http://' + headers['host']}{target}"
                self.received.append(Received(method, url, headers, body, line.decode().strip()))
                answer = self.answers[min(len(self.received), len(self.answers)) - 1]
                if not answer.status:
                    break
                writer.write(answer.raw)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass

    def _context(self, host: str) -> ssl.SSLContext:
        assert self._authority is not None, "opened without a folder"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._authority.issue(host).write(self._folder, host))
        return context


def configuration(kind: str, item: str, *, global_: str = "", folder: Path | None = None) -> Any:
    """A file with one integration, ``item`` in YAML's flow style, read."""
    text = (
        f"global: {{{global_}}}\nroute: {{receiver: ops}}\n"
        f"receivers:\n- name: ops\n  {kind}_configs:\n  - {{{item}}}\n"
    )
    return parse_config(text, path=str((folder or Path("/etc")) / "alertmanager.yml"))


def section(kind: str, item: str, *, global_: str = "") -> Any:
    """The integration's section."""
    found: Section = configuration(kind, item, global_=global_).receivers[0].integrations[0]
    return found


async def attempts(
    server: ReceiverServer,
    kind: str,
    item: str,
    *notifications: Notification,
    folder: Path,
    global_: str = "",
    seconds: float = 20.0,
) -> list[Outcome]:
    """One attempt for each. ``@HTTP@`` stands for the server's address, ``@DIR@`` for the folder."""
    item, global_ = (
        text.replace("@HTTP@", server.address).replace("@DIR@", str(folder)) for text in (item, global_)
    )
    config = configuration(kind, item, global_=global_, folder=folder)
    [sender] = senders_of(config, external_url="http://am", clock=CLOCK).values()
    try:
        deadline = CLOCK.now() + int(seconds * SECOND)
        return [await sender.send(each, deadline) for each in notifications or (FIRING,)]
    finally:
        await sender.close()


def tell(
    folder: Path,
    kind: str,
    item: str,
    *notifications: Notification,
    answers: Sequence[Answer] = (),
    global_: str = "",
    seconds: float = 20.0,
) -> tuple[list[Outcome], list[Received]]:
    """A whole story: what came of the attempts, and what the server received."""
    server = ReceiverServer(*answers)

    async def story() -> list[Outcome]:
        async with server.open(folder):
            return await attempts(
                server, kind, item, *notifications, folder=folder, global_=global_, seconds=seconds
            )

    return asyncio.run(story()), server.received


RETRY_TABLE = (200, 202, 204, 299, 300, 304, 400, 401, 403, 404, 408, 413, 418, 429, 500, 503, 599)
"""Statuses that a kind's retry rule is tried with."""


def retried(
    folder: Path, kind: str, item: str, *, good: bytes = b"", headers: dict[str, str] | None = None
) -> dict[int, tuple[bool, str]]:
    """For each of ``RETRY_TABLE`` that is not a success, whether it is tried again, and the reason."""
    answers = [
        Answer(status, good if status < 300 and status != 204 else b"", headers or {})
        for status in RETRY_TABLE
    ]
    outcomes, received = tell(folder, kind, item, *[FIRING] * len(RETRY_TABLE), answers=answers)
    assert len(received) == len(RETRY_TABLE)
    return {
        status: (outcome.retry, outcome.reason)
        for status, outcome in zip(RETRY_TABLE, outcomes, strict=True)
        if not outcome.success
    }
