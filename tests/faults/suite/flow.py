"""What users and Prometheus do meanwhile: silences and alerts to all nodes; and what they were promised."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import httpx

from tests.support.api import matcher, prometheus_alert, rfc3339
from tests.support.node import Node
from tests.support.told import Reports

SILENCE_EVERY: Final = 0.15
ALERT_EVERY: Final = 0.5
RESEND: Final = 4.0
"""Prometheus sends a firing alert again, to every Alertmanager, for as long as it fires."""
TIMEOUT: Final = 5.0


@dataclass(slots=True)
class Promise:
    """A silence as it was last acknowledged. The comment counts its versions."""

    acknowledged: int
    asked: int
    at: float  # monotonic seconds of the last acknowledgement
    by: str
    until: str  # when it is to end, unless it is ended
    ended: bool = False
    ending: bool = False


@dataclass(slots=True)
class Fired:
    """An alert, and which nodes have taken it."""

    body: dict[str, Any]
    at: float
    accepted_by: set[str] = field(default_factory=set)


class Book:
    """What all clients were promised. Each silence has one client, so its versions come in order."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.silences: dict[str, Promise] = {}
        self.alerts: dict[str, Fired] = {}
        self.reports = Reports()
        self.refused = 0
        self.failed = 0

    def undelivered(self) -> list[str]:
        """Alerts that fire and that no node has taken yet."""
        with self.lock:
            return [name for name, alert in self.alerts.items() if not alert.accepted_by]

    def broken(self, shown: dict[str, dict[str, Any]], until: float) -> list[str]:
        """What was promised before ``until`` and is not among the silences that a node shows."""
        with self.lock:
            promises = [(id_, one) for id_, one in self.silences.items() if one.at < until]
        problems = []
        for id_, promise in promises:
            silence = shown.get(id_)
            if silence is None:
                problems.append(f"silence {id_} of {promise.by} is missing")
            elif int(silence["comment"]) < promise.acknowledged:
                problems.append(
                    f"silence {id_} of {promise.by} has version {silence['comment']}, "
                    f"acknowledged: {promise.acknowledged}"
                )
            # When that is reached depends on clocks, which may have been wrong.
            elif promise.ended and silence["endsAt"][:19] >= promise.until[:19]:
                problems.append(f"silence {id_} of {promise.by} was ended and is not")
            elif silence["endsAt"][:19] != promise.until[:19] and not promise.ending:
                problems.append(f"silence {id_} of {promise.by} has ended by itself")
        return problems


class _Client(threading.Thread):
    """Does one thing again and again until told to stop; a node that does not answer costs a timeout."""

    def __init__(self, node: Node, book: Book, seed: str, every: float) -> None:
        super().__init__(daemon=True, name=f"{node.name}-{seed}")
        self.node = node
        self.book = book
        self.random = Random(seed)
        self._every = every
        self._stopped = threading.Event()

    def run(self) -> None:
        with httpx.Client(base_url=self.node.url, timeout=TIMEOUT, trust_env=False) as http:
            while not self._stopped.wait(self._every * self.random.uniform(0.5, 1.5)):
                try:
                    self.step(http)
                except (httpx.HTTPError, OSError):
                    self.book.failed += 1

    def step(self, http: httpx.Client) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        self._stopped.set()


class SilenceClient(_Client):
    """Makes, changes and ends silences of its own at one node."""

    def step(self, http: httpx.Client) -> None:
        book = self.book
        with book.lock:
            mine = [id_ for id_, one in book.silences.items() if one.by == self.node.name and not one.ending]
        choice = self.random.random()
        if mine and choice < 0.1:
            id_ = self.random.choice(mine)
            promise = book.silences[id_]
            promise.ending = True
            shown = http.get(f"/api/v2/silence/{id_}")
            if shown.status_code == 200 and shown.json()["status"]["state"] == "expired":
                return  # by a clock that is ahead: nothing is left to end, and nothing is promised
            if self._acknowledged(http.delete(f"/api/v2/silence/{id_}")):
                self._promised(promise, ended=True)
        elif mine and choice < 0.3:
            id_ = self.random.choice(mine)
            shown = http.get(f"/api/v2/silence/{id_}")
            if shown.status_code != 200:
                return  # after a restart a node may not have it yet; whether it ever will is looked at later
            promise = book.silences[id_]
            promise.asked += 1
            change = {key: shown.json()[key] for key in ("id", "matchers", "startsAt", "endsAt", "createdBy")}
            answer = http.post("/api/v2/silences", json={**change, "comment": str(promise.asked)})
            if self._acknowledged(answer):
                self._promised(promise, version=promise.asked)
        else:
            now = datetime.now(UTC)
            body: dict[str, Any] = {
                "matchers": [matcher("alertname", f"silenced-{self.node.name}-{self.random.random()}")],
                "startsAt": rfc3339(now),
                "endsAt": rfc3339(now + timedelta(hours=2)),
                "createdBy": "faults",
                "comment": "0" + " " * self.random.choice((0, 10, 1500)),
            }
            answer = http.post("/api/v2/silences", json=body)
            if self._acknowledged(answer):
                promise = Promise(0, 0, time.monotonic(), self.node.name, body["endsAt"])
                with book.lock:
                    book.silences[answer.json()["silenceID"]] = promise

    def _acknowledged(self, answer: httpx.Response) -> bool:
        self.book.refused += answer.status_code != 200
        return answer.status_code == 200

    def _promised(self, promise: Promise, *, version: int | None = None, ended: bool = False) -> None:
        with self.book.lock:
            promise.at = time.monotonic()
            promise.ended = promise.ended or ended
            if version is not None:
                promise.acknowledged = version


class Prometheus(_Client):
    """Fires one alert after another, and sends each again from time to time, to one node of all."""

    def __init__(self, node: Node, book: Book, seed: str) -> None:
        super().__init__(node, book, seed, ALERT_EVERY / 2)
        self._sent: dict[str, float] = {}

    def step(self, http: httpx.Client) -> None:
        now = time.monotonic()
        with self.book.lock:
            due = [
                (name, one)
                for name, one in self.book.alerts.items()
                if now - self._sent.get(name, 0.0) > RESEND
            ]
        if not due:
            return
        for name, _ in due:
            self._sent[name] = now
        ends = rfc3339(datetime.now(UTC) + timedelta(minutes=20))
        body = [{**one.body, "endsAt": ends} for _, one in due]
        self.book.reports.fire(self.node.url, body)
        if http.post("/api/v2/alerts", json=body).status_code == 200:
            for _, one in due:
                one.accepted_by.add(self.node.name)


class Flow:
    """Everything at once, until :meth:`stop`; new silences and alerts ``pace`` times as seldom."""

    def __init__(self, nodes: list[Node], seed: int, pace: float = 1.0) -> None:
        self.book = Book()
        self._pace = pace
        self._nodes = nodes
        self._stopped = threading.Event()
        every = pace * SILENCE_EVERY
        self._silences = [SilenceClient(node, self.book, f"{seed}-sil", every) for node in nodes]
        self._prometheus = [Prometheus(node, self.book, f"{seed}-am") for node in nodes]
        self._rules = threading.Thread(target=self._fire, daemon=True)

    def start(self) -> None:
        """Begin."""
        for thread in (*self._silences, *self._prometheus, self._rules):
            thread.start()

    def _fire(self) -> None:
        number = 0
        while not self._stopped.wait(self._pace * ALERT_EVERY):
            number += 1
            name = f"fired-{number}"
            with self.book.lock:
                self.book.alerts[name] = Fired(prometheus_alert(name), time.monotonic())

    def quiet(self) -> None:
        """No new silences and alerts; the alerts that fire are sent on."""
        self._stopped.set()
        for client in self._silences:
            client.stop()
        for thread in (*self._silences, self._rules):
            thread.join()

    def stop(self) -> None:
        """End all."""
        self.quiet()
        for client in self._prometheus:
            client.stop()
        for client in self._prometheus:
            client.join()
