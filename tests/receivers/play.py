"""Plays one capture against one daemon in a folder of its own."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.receivers.captures import Capture, Step
from tests.receivers.compare import Result
from tests.receivers.daemon import DEADLINE, RefusedError, Running, call, log_of, start
from tests.receivers.scripted import HOST, ScriptedHTTPServer, ScriptedServer, ScriptedSMTPServer
from tests.receivers.written import written
from tests.support.certificates import CertificateAuthority
from tests.support.processes import free_port

"""Seconds that anything may take that has to come."""
COUNTERS: Final = {
    "alertmanager_notifications_total": "notifications",
    "alertmanager_notification_requests_total": "requests",
    "alertmanager_notification_requests_failed_total": "requests_failed",
}
FAILED: Final = "alertmanager_notifications_failed_total"
NAMES: Final = (
    "127.0.0.1",
    "localhost",
    "*.amazonaws.com",
    "*.eu-central-1.amazonaws.com",
    "*.us-east-1.amazonaws.com",
    "*.atlassian.net",
    "*.example.org",
    "alert.victorops.com",
    "api.opsgenie.com",
    "api.pushover.net",
    "api.telegram.org",
    "events.pagerduty.com",
    "open.rocket.chat",
    "qyapi.weixin.qq.com",
    "slack.com",
    "webexapis.com",
)
"""Of all hosts that a capture dials."""


@dataclass(frozen=True)
class Certificates:
    """The server's context, and the authority that issued it."""

    context: ssl.SSLContext
    authority: bytes


@contextmanager
def certificates() -> Iterator[Certificates]:
    """Made anew: their keys are of no use to anybody else."""
    authority = CertificateAuthority("captures")
    with tempfile.TemporaryDirectory() as folder:
        paths = authority.issue(*NAMES, name="receivers").write(Path(folder), "receivers")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*paths)
    yield Certificates(context, authority.certificate)


class Play:
    """One capture and one daemon; within it :attr:`folder` has the daemon's log and files."""

    def __init__(self, capture: Capture, command: str, tls: Certificates, *flags: str) -> None:
        self.capture = capture
        self.folder = Path()
        self._command, self._tls, self._flags = command, tls, flags
        self._http, self._smtp = ScriptedHTTPServer(tls.context), ScriptedSMTPServer(tls.context)
        self._places: dict[str, str] = {}
        self._address = ""
        self._phase = 0.0

    async def run(self, then: Callable[[Play], Awaitable[None]] | None = None) -> list[Result]:
        """All steps, one by one; ``then`` is awaited before the daemon ends. :class:`RefusedError`."""
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-receivers-"))
        with socket.socket() as dead:
            dead.bind((HOST, 0))  # bound and not listening: it refuses
            process: Running | None = None
            try:
                await self._http.open()
                await self._smtp.open()
                ports = dict(zip(("@HTTP@", "@HTTPS@"), self._http.ports, strict=True))
                ports |= dict(zip(("@SMTP@", "@SMTPS@"), self._smtp.ports, strict=True))
                ports["@DEAD@"] = dead.getsockname()[1]
                self._places = {name: f"{HOST}:{port}" for name, port in ports.items()}
                self._places["@DIR@"] = str(self.folder)
                self._write()
                process = await self._start()
                results = []
                for number, step in enumerate(self.capture.steps):
                    results.append(await self._step(number, step, process))
                if then is not None:
                    await then(self)
                return results
            finally:
                if process is not None and process.returncode is None:
                    process.kill()
                    await process.wait()
                await self._http.close()
                await self._smtp.close()
                shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """What the daemon has said."""
        return log_of(self.folder)

    async def get(self, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of a request to the daemon; (0, b"") when it does not answer."""
        return await asyncio.to_thread(call, f"http://{self._address}{path}", body)

    # ---- before

    def _real(self, text: str) -> str:
        for name, real in self._places.items():
            text = text.replace(name, real)
        return text

    def _names(self, text: str) -> str:
        for name, real in self._places.items():
            text = text.replace(real, name).replace(real.replace(":", "%3A"), name)
        return text

    def _write(self) -> None:
        data = self.capture.data
        (self.folder / "ca.pem").write_bytes(self._tls.authority)
        for name, content in data.get("files", {}).items():
            (self.folder / name).write_text(self._real(content))
        text = f"global:\n{_indented(data['global'], 2)}\n" if data.get("global") else ""
        text += "templates: ['@DIR@/*.tmpl']\n" if data.get("templates") else ""
        text += f"route:\n{_indented(data['route'], 2)}\nreceivers:\n"
        text += (
            f"  - name: {json.dumps(data.get('receiver_name', 'golden'))}\n{_indented(data['config'], 4)}\n"
        )
        (self.folder / "alertmanager.yml").write_text(self._real(text))

    async def _start(self) -> Running:
        self._address = f"{HOST}:{free_port()}"
        own = {name: self._real(value) for name, value in self.capture.data.get("env", {}).items()}
        return await start(self._command, self.folder, self._address, self._flags, own)

    # ---- a step

    async def _step(self, number: int, step: Step, process: Running) -> Result:
        mail = self.capture.kind == "email"
        server: ScriptedServer = self._smtp if mail else self._http
        if number:
            await self._between_flushes()
        before = await self._counters()
        (self._http if mail else self._smtp).expect([])
        server.expect(step.answers)
        body = repeated(json.dumps(step.alerts, ensure_ascii=False)).encode()
        status, said = await self.get("/api/v2/alerts", body)
        if status != 200:
            raise RefusedError(f"alerts were answered by {status}: {said[:300]!r}")
        posted = time.monotonic()
        end = posted + (self._quiet if not step.requests and not step.to_the_end else DEADLINE)
        risen = before
        while time.monotonic() < end:
            await asyncio.sleep(0.1)
            if process.returncode is None and time.monotonic() < posted + 1 and not server.seen:
                continue  # nothing was sent yet: the metrics are dear, and tell nothing
            risen = _rise(before, await self._counters())
            if process.returncode is not None:
                raise RefusedError(f"it died: {self.log()[-1500:]}")
            if step.to_the_end:
                if risen["failed"]:
                    break
            elif step.requests and len(server.seen) >= len(step.requests) and risen == step.metrics:
                break
            elif time.monotonic() - max([posted, *server.times]) > self._quiet + 20 and _is_over(risen):
                break  # something else than wanted has come, and no more of it
        if not step.to_the_end:
            await asyncio.sleep(0.2)
            risen = _rise(before, await self._counters())
        if server.times:
            self._phase = server.times[0]
        return self._result(server, risen, to_the_end=step.to_the_end)

    @property
    def _quiet(self) -> float:
        """Seconds within which a flush comes if there is something to flush."""
        return 2.5 * min(self.capture.group_interval, 2) + 1

    def _result(self, server: ScriptedServer, risen: dict[str, Any], *, to_the_end: bool) -> Result:
        seen = list(zip(server.seen, server.times, strict=True))
        if not to_the_end:
            return Result([written(each, self._names) for each, _ in seen], risen)
        # How often is chance, and the next flush begins as soon as this one has failed.
        last = seen[0][1] + 0.95 * self.capture.group_interval if seen else 0
        requests: list[dict[str, Any]] = []
        for each, at in seen:
            made = written(each, self._names)
            if at >= last:
                break
            if requests and {**requests[-1], "times": ""} == {**made, "times": ""}:
                requests[-1]["times"] = "2+"
            else:
                requests.append(made)
        counts = {name: "2+" if isinstance(n, int) and n > 1 else n for name, n in risen.items()}
        return Result(requests, {**counts, "notifications": "1+"})

    async def _between_flushes(self) -> None:
        """Wait until no flush of the group is near, so that one post is one notification."""
        interval = self.capture.group_interval
        if interval < 60 and self._phase:
            within = (time.monotonic() - self._phase) % interval / interval
            if not 0.1 < within < 0.6:
                await asyncio.sleep((1.1 - within) % 1 * interval)

    async def _counters(self) -> dict[str, Any]:
        _, text = await self.get("/metrics")
        found: dict[str, Any] = dict.fromkeys(COUNTERS.values(), 0) | {"failed": {}}
        for line in text.decode().splitlines():
            name, brace, rest = line.partition("{")
            if not brace or f'integration="{self.capture.kind}"' not in rest:
                continue
            value = int(float(rest.rpartition(" ")[2]))
            if name in COUNTERS:
                found[COUNTERS[name]] += value
            elif name == FAILED and value:
                reason = re.search(r'reason="(\w+)"', rest)
                key = reason[1] if reason else "none"
                found["failed"][key] = found["failed"].get(key, 0) + value
        return found


def repeated(text: str) -> str:
    """With ``@x3:ab@`` as ``ababab``."""
    return re.sub(r"@x(\d+):([^@]+)@", lambda found: found[2] * int(found[1]), text)


def _rise(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    failed = {reason: n - before["failed"].get(reason, 0) for reason, n in now["failed"].items()}
    risen: dict[str, Any] = {name: now[name] - before[name] for name in COUNTERS.values()}
    return {**risen, "failed": {reason: n for reason, n in failed.items() if n}}


def _is_over(risen: dict[str, Any]) -> bool:
    return bool(risen["failed"]) or risen["requests"] > risen["requests_failed"]


def _indented(block: str, by: int) -> str:
    return "\n".join(
        f"{' ' * by}{line}" if line.strip() else line for line in block.rstrip("\n").splitlines()
    )


async def play_all(
    plays: Sequence[Play], jobs: int, then: Callable[[Play], Awaitable[None]] | None = None
) -> list[list[Result] | RefusedError]:
    """All of them, ``jobs`` at a time, in their order."""
    gate = asyncio.Semaphore(jobs)

    async def one(play: Play) -> list[Result] | RefusedError:
        async with gate:
            try:
                return await play.run(then)
            except RefusedError as refused:
                return refused

    return await asyncio.gather(*(one(play) for play in plays))
