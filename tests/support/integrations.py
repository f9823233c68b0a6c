"""A kind of receiver beside a server on loopback: its section out of YAML, what it sends, how it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.routing import alert
from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.notification import Notification
from tocsin.alerting.timestamp import SECOND
from tocsin.node.clock import Clock
from tocsin.node.config import parse_config
from tocsin.node.configuration import senders_of
from tocsin.notify.integrations.base import IntegrationConfig, Outcome

CLOCK = Clock()
EXTERNAL = "http://node"


@dataclass
class Request:
    """One that came."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class FarSide:
    """Answers the requests in order; the last answer goes on for ever. 0 closes without an answer."""

    answers: Sequence[tuple[int, bytes]] = ((200, b"{}"),)
    requests: list[Request] = field(default_factory=list)
    address: str = ""
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def open(self):  # type: ignore[no-untyped-def]
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
        try:
            while line := await reader.readline():
                headers: dict[str, str] = {}
                while (header := await reader.readline()) not in (b"\r\n", b""):
                    name, _, value = header.decode().partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                status, answer = self.answers[min(len(self.requests), len(self.answers) - 1)]
                self.requests.append(Request(line.decode().strip(), headers, body))
                if not status:
                    break
                length = (
                    f"Content-Length: {len(answer)}\r\n" if status >= 200 and status not in (204, 304) else ""
                )
                writer.write(f"HTTP/1.1 {status} X\r\n{length}\r\n".encode() + answer * bool(length))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass


def notification_of(*alerts: Alert) -> Notification:
    """A notification of these alerts (default: one that fires)."""
    return Notification(
        receiver="r",
        group_key='{}:{alertname="A"}',
        group_labels=Labels({"alertname": "A"}),
        alerts=alerts or (alert(alertname="A", severity="low"),),
        now=CLOCK.now(),
        reason="first notification",
    )


def section(kind: str, keys: str, *, global_: str = "{}") -> IntegrationConfig:
    """One of ``<kind>_configs`` with these keys, in YAML's flow style; :class:`ConfigError`."""
    found: IntegrationConfig = _parsed(kind, keys, global_).receivers[0].integrations[0]
    return found


def shown(kind: str, keys: str, *, global_: str = "{}") -> str:
    """What ``/api/v2/status`` shows of it, from its first key on, without ``http_config``."""
    text: str = _parsed(kind, keys, global_).original
    lines = text.partition(f"{kind}_configs:\n")[2].splitlines()
    kept: list[str] = []
    inside = False
    for line in lines:
        if not line.startswith("  "):
            break
        if line[4:5] != " ":
            inside = line[4:].startswith("http_config:")
        if not inside:
            kept.append(line.replace("- ", "  ", 1)[4:] if line.startswith("  - ") else line[4:])
    return "\n".join(kept)


def send(
    kind: str,
    keys: str,
    *,
    answers: Sequence[tuple[int, bytes]] = ((200, b"{}"),),
    notification: Notification | None = None,
    global_: str = "{}",
    times: int = 1,
    between: Callable[[int], None] = lambda _number: None,
) -> tuple[list[Outcome], list[Request]]:
    """What comes of ``times`` attempts; ``@HTTP@`` in the keys is the server's address."""

    async def main() -> tuple[list[Outcome], list[Request]]:
        async with FarSide(answers).open() as far:
            parsed = _parsed(
                kind, keys.replace("@HTTP@", far.address), global_.replace("@HTTP@", far.address)
            )
            (sender,) = senders_of(parsed, external_url=EXTERNAL, clock=CLOCK).values()
            outcomes = []
            try:
                for number in range(times):
                    between(number)
                    deadline = CLOCK.now() + 60 * SECOND
                    outcomes.append(await sender.send(notification or notification_of(), deadline))
            finally:
                await sender.close()
            return outcomes, far.requests

    return asyncio.run(main())


def _parsed(kind: str, keys: str, global_: str) -> Any:
    text = (
        f"global: {global_}\nroute: {{receiver: r}}\nreceivers:\n- name: r\n  {kind}_configs:\n  - {keys}\n"
    )
    return parse_config(text, path="/etc/am.yml")
