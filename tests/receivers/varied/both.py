"""Plays many cases at once on one program: a receiver, a route and a server for each."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.receivers.captures import load
from tests.receivers.compare import comparable
from tests.receivers.daemon import RefusedError, Running, call, log_of, start
from tests.receivers.play import FAILED, Certificates
from tests.receivers.scripted import (
    HOST,
    Answer,
    HTTPRequest,
    ScriptedHTTPServer,
    ScriptedServer,
    ScriptedSMTPServer,
    Seen,
)
from tests.receivers.varied.generate import Case
from tests.receivers.written import written
from tests.support.processes import free_port

GROUP_WAIT: Final = 1
GROUP_INTERVAL: Final = 25
"""Seconds. An attempt's time is up with it; the next flush comes then."""
TOKEN: Final = json.dumps({"access_token": "made-up-token", "token_type": "Bearer", "expires_in": 3600})
REQUESTS: Final = "alertmanager_notification_requests_total"
REQUESTS_FAILED: Final = "alertmanager_notification_requests_failed_total"
THROUGH: Final = "through"
AGAIN: Final = "tried again"


@dataclass(frozen=True)
class Told:
    """What one step of a case brought."""

    requests: list[dict[str, Any]]
    outcome: str
    """``through``, or the reason of the failure, or that it is tried again."""


class _WithTokens(ScriptedHTTPServer):
    """Gives OAuth 2 tokens, whatever the script."""

    def take(self, seen: Seen) -> Answer:
        answer = super().take(seen)
        if isinstance(seen, HTTPRequest) and seen.url.partition("?")[0].endswith("/token"):
            self._script.insert(len(self.seen) - 1, {})
            return {"headers": {"Content-Type": "application/json"}, "body": TOKEN}
        return answer


class _Place:
    """Where one case is sent to."""

    def __init__(self, case: Case, tls: Certificates) -> None:
        self.case = case
        self.server: ScriptedServer = (
            ScriptedSMTPServer(tls.context) if case.kind == "email" else _WithTokens(tls.context)
        )
        self.names: dict[str, str] = {}

    async def open(self, folder: Path, dead: int) -> None:
        await self.server.open()
        prefix = "SMTP" if self.case.kind == "email" else "HTTP"
        self.names = {
            prefix: f"{HOST}:{self.server.ports[0]}",
            f"{prefix}S": f"{HOST}:{self.server.ports[1]}",
            "DEAD": f"{HOST}:{dead}",
            "DIR": str(folder),
        }

    def real(self, text: str) -> str:
        for name, real in self.names.items():
            text = text.replace(f"PLACE-{name}-", real)
        return text

    def taken(self, text: str) -> str:
        for name, real in self.names.items():
            text = text.replace(real, f"@{name}@").replace(real.replace(":", "%3A"), f"@{name}@")
        return text


class Program:
    """One run of one program."""

    def __init__(self, command: str, tls: Certificates) -> None:
        self._command, self._tls = command, tls
        self.folder = Path()
        self._address = ""

    async def run(self, cases: Sequence[Case]) -> dict[int, list[Told]]:
        """What each case brought, step by step; :class:`RefusedError`."""
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-varied-"))
        places = [_Place(case, self._tls) for case in cases]
        process: Running | None = None
        try:
            with socket.socket() as dead:
                dead.bind((HOST, 0))  # bound and not listening: it refuses
                for place in places:
                    await place.open(self.folder, dead.getsockname()[1])
                write(self.folder, places, self._tls)
                process = await self._start()
                found: dict[int, list[Told]] = {case.number: [] for case in cases}
                for step in range(2):
                    playing = [place for place in places if step < len(place.case.steps)]
                    for number, told in (await self._step(step, playing, process)).items():
                        found[number].append(told)
                return found
        finally:
            if process is not None and process.returncode is None:
                process.kill()
                await process.wait()
            for place in places:
                await place.server.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    async def _step(self, step: int, places: list[_Place], process: Running) -> dict[int, Told]:
        before = await self._counters()
        alerts = []
        for place in places:
            posted, answers = place.case.steps[step]
            place.server.expect(json.loads(place.real(json.dumps(answers))))
            alerts += posted
        status, said = await self._get("/api/v2/alerts", json.dumps(alerts).encode())
        if status != 200:
            raise RefusedError(f"alerts were answered by {status}: {said[:300]!r}")
        begun = time.monotonic()
        # The first flush comes after group_wait; the second when the group's interval is over.
        end = begun + (GROUP_WAIT + 12 if not step else GROUP_INTERVAL + 8)
        silent = {p.case.number for p in places if step and p.case.section.get("send_resolved") is False}
        outcomes: dict[int, str] = {}
        last: dict[int, str] = {}
        while time.monotonic() < end and len(outcomes) < len(places) - len(silent):
            await asyncio.sleep(0.25)
            if process.returncode is not None:
                raise RefusedError(f"it died: {self.log()[-1500:]}")
            now = await self._counters()
            for place in places:
                if place.case.number not in outcomes:
                    outcome = _outcome(place.case.name, before, now)
                    # Seen twice, as an attempt is counted a moment before its failure is.
                    if outcome and outcome != AGAIN and last.get(place.case.number) == outcome:
                        outcomes[place.case.number] = outcome
                    last[place.case.number] = outcome
        found = {}
        for place in places:
            outcome = outcomes.get(place.case.number) or last.get(place.case.number, "")
            requests = [comparable(written(seen, place.taken)) for seen in place.server.seen]
            found[place.case.number] = Told(requests if outcome == THROUGH else _each(requests), outcome)
        return found

    async def _start(self) -> Running:
        self._address = f"{HOST}:{free_port()}"
        flags = ["--enable-feature=receiver-name-in-metrics"]
        return await start(self._command, self.folder, self._address, flags, {})

    def log(self) -> str:
        """What the program has said."""
        return log_of(self.folder)

    async def _get(self, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        return await asyncio.to_thread(call, f"http://{self._address}{path}", body)

    async def _counters(self) -> dict[tuple[str, str, str], int]:
        """By metric, receiver and reason."""
        _, text = await self._get("/metrics")
        found: dict[tuple[str, str, str], int] = {}
        for line in text.decode().splitlines():
            name, brace, rest = line.partition("{")
            if brace and name in (REQUESTS, REQUESTS_FAILED, FAILED):
                labels = dict(re.findall(r'(\w+)="([^"]*)"', rest))
                key = name, labels.get("receiver_name", ""), labels.get("reason", "")
                found[key] = found.get(key, 0) + int(float(rest.rpartition(" ")[2]))
        return found


def _outcome(receiver: str, before: dict[Any, int], now: dict[Any, int]) -> str:
    risen = {
        (metric, reason): count - before.get((metric, name, reason), 0)
        for (metric, name, reason), count in now.items()
        if name == receiver
    }
    failed = sorted(reason for (metric, reason), count in risen.items() if metric == FAILED and count)
    if failed:
        return ", ".join(failed)
    requests = sum(count for (metric, _), count in risen.items() if metric == REQUESTS)
    refused = sum(count for (metric, _), count in risen.items() if metric == REQUESTS_FAILED)
    return THROUGH if requests > refused else AGAIN if refused else ""


def _each(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each once: how often is chance, and where in a session of SMTP the look at it was taken."""
    found: list[dict[str, Any]] = []
    for request in requests:
        lines = request.get("smtp")
        begun = lines is not None and any(
            len(lines) < len(other["smtp"]) and other["smtp"][: len(lines)] == lines for other in requests
        )
        if request not in found and not begun:
            found.append(request)
    return found


def configuration(cases: Sequence[Case]) -> dict[str, Any]:
    """A file with a receiver for each."""
    return {
        "templates": ["PLACE-DIR-/*.tmpl"],
        "route": {
            "receiver": cases[0].name,
            "group_wait": f"{GROUP_WAIT}s",
            "group_interval": f"{GROUP_INTERVAL}s",
            "repeat_interval": "4h",
            "routes": [
                {"receiver": case.name, "matchers": [f'case="{case.number}"'], "group_by": case.group_by}
                for case in cases
            ],
        },
        "receivers": [{"name": case.name, f"{case.kind}_configs": [case.section]} for case in cases],
    }


def write(folder: Path, places: Sequence[_Place], tls: Certificates) -> None:
    """The file and what it names."""
    (folder / "ca.pem").write_bytes(tls.authority)
    (folder / "custom.tmpl").write_text(custom())
    whole = configuration([place.case for place in places])
    for receiver, place in zip(whole["receivers"], places, strict=True):
        for key in list(receiver):
            if key != "name":
                receiver[key] = json.loads(place.real(json.dumps(receiver[key])))
        for name, content in place.case.files.items():
            (folder / name).write_text(place.real(content), newline="")
    text = json.dumps(whole, ensure_ascii=False, indent=1).replace("PLACE-DIR-", str(folder))
    (folder / "alertmanager.yml").write_text(text.replace("\x7f", "\\x7f").replace("\ufeff", "\\uFEFF"))


def custom() -> str:
    """The templates of the captures."""
    return next(
        str(capture.data["files"]["custom.tmpl"]) for capture in load() if capture.data.get("templates")
    )
