"""Kill a real node at random points, look at what is on its disk, start it again, and look once more.

    python -m tests.faults.kill9 --trials 1000 --seed 7

While silences are made, changed and ended and alerts are notified, the node is killed (SIGKILL): under load,
in the middle of a clean stop, or while it starts. Then, before anything can come back from a peer, its folder
must hold every silence as it was last acknowledged, or a later one that was still being asked for, and every
entry of the notification log that another node, the witness, was told of. The same silences must be there
when it has started again.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

import httpx

from tests.support.api import matcher, prometheus_alert
from tests.support.cluster import Cluster
from tests.support.eventually import eventually
from tests.support.node import Node
from tests.support.processes import START
from tests.support.tocsin_node import TOCSIN
from tocsin.alerting.entries import Entry
from tocsin.node.store.export import Exported, read

CLIENTS = 3
LIFE = 25
"""Trials before the node gets a new folder, so that the last trial takes no longer than the first."""
FLAGS = {
    "data.maintenance-interval": "150ms",  # so that many a kill meets a snapshot or a checkpoint
    "cluster.pushpull-interval": "1h",  # the witness shall know only what it was told
    "cluster.peer-timeout": "200ms",
    "log.level": "info",
}


@dataclass(slots=True)
class Figures:
    """What the trials found."""

    trials: int = 0
    killed_under_load: int = 0
    killed_stopping: int = 0
    killed_starting: int = 0
    silences_acknowledged: int = 0
    entries_told: int = 0
    notifications: int = 0
    losses: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Known:
    """A silence as one client knows it: the comment counts its versions."""

    acknowledged: int
    asked: int
    ended: bool = False
    ending: bool = False


class Client(threading.Thread):
    """Makes, changes and ends silences of its own until the node is gone."""

    def __init__(self, node: Node, seed: str, begin: threading.Barrier) -> None:
        super().__init__(daemon=True)
        self._begin = begin
        self.known: dict[str, Known] = {}
        self.acknowledged = 0
        self._node = node
        self._random = Random(seed)
        self._seed = seed
        self._told_to_stop = threading.Event()

    def run(self) -> None:
        with httpx.Client(base_url=self._node.url, timeout=15.0, trust_env=False) as http:
            self._begin.wait()
            while not self._told_to_stop.is_set():
                try:
                    self._step(http)
                except httpx.HTTPError:
                    if not self._node.alive:
                        return
                    time.sleep(0.01)

    def _step(self, http: httpx.Client) -> None:
        living = [identifier for identifier, known in self.known.items() if not known.ending]
        choice = self._random.random()
        if living and choice < 0.2:
            identifier = self._random.choice(living)
            known = self.known[identifier]
            known.ending = True
            if http.delete(f"/api/v2/silence/{identifier}").status_code == 200:
                known.ended = True
                self.acknowledged += 1
        elif living and choice < 0.5:
            identifier = self._random.choice(living)
            known = self.known[identifier]
            shown = http.get(f"/api/v2/silence/{identifier}").json()
            known.asked += 1
            body = {key: shown[key] for key in ("id", "matchers", "startsAt", "endsAt", "createdBy")}
            answer = http.post("/api/v2/silences", json={**body, "comment": str(known.asked)})
            if answer.status_code == 200:
                assert answer.json()["silenceID"] == identifier, answer.text
                known.acknowledged = known.asked
                self.acknowledged += 1
        else:
            now = time.time()
            body = {
                "matchers": [matcher("alertname", f"{self._seed}-{len(self.known)}")],
                "startsAt": _instant(now),
                "endsAt": _instant(now + 3600),
                "createdBy": "kill9",
                "comment": "0" + " " * self._random.choice((0, 10, 2000)),
            }
            answer = http.post("/api/v2/silences", json=body)
            if answer.status_code == 200:
                self.known[answer.json()["silenceID"]] = Known(0, 0)
                self.acknowledged += 1

    def stop(self) -> None:
        self._told_to_stop.set()
        self.join()


class Alerts(threading.Thread):
    """Posts one new alert after another."""

    def __init__(self, node: Node, prefix: str, begin: threading.Barrier) -> None:
        super().__init__(daemon=True)
        self._begin = begin
        self._node = node
        self._prefix = prefix
        self._told_to_stop = threading.Event()

    def run(self) -> None:
        number = 0
        with httpx.Client(base_url=self._node.url, timeout=15.0, trust_env=False) as http:
            self._begin.wait()
            while not self._told_to_stop.wait(0.02):
                number += 1
                try:
                    http.post("/api/v2/alerts", json=[prometheus_alert(f"{self._prefix}-{number}")])
                except httpx.HTTPError:
                    if not self._node.alive:
                        return

    def stop(self) -> None:
        self._told_to_stop.set()
        self.join()


class Trials:
    """One victim, one witness."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self.figures = Figures()
        self._cluster = cluster
        self._seed = seed
        self._random = Random(seed)
        self._witness = cluster.add(TOCSIN, "witness", peer_name="z-witness", flags=FLAGS)
        self._victim: Node | None = None
        self._known: dict[str, Known] = {}

    def run(self, trials: int) -> Iterator[Figures]:
        for number in range(trials):
            if number % LIFE == 0:
                self._new_life(number // LIFE)
            self._trial(number)
            self.figures.trials += 1
            self.figures.notifications = len(self._cluster.sink.all())
            yield self.figures

    def _new_life(self, life: int) -> None:
        if self._victim is not None:
            self._victim.kill()
            self._victim.close()
            self._cluster.nodes.remove(self._victim)
        self._known = {}
        self._victim = self._cluster.add(
            TOCSIN, f"victim-{life}", peers=[self._witness], peer_name=f"victim-{life}", flags=FLAGS
        )
        self._victim.wait_ready()

    def _trial(self, number: int) -> None:
        victim = self._victim
        assert victim is not None
        if not victim.alive:
            victim.restart().wait_ready()
            self._check_answers(victim, number)
        begin = threading.Barrier(CLIENTS + 2)
        clients = [Client(victim, f"{self._seed}-{number}-{each}", begin) for each in range(CLIENTS)]
        alerts = Alerts(victim, f"{self._seed}-{number}", begin)
        threads: list[Client | Alerts] = [*clients, alerts]
        for thread in threads:
            thread.start()
        begin.wait()
        self._let_work(clients)
        how = self._random.random()
        if how < 0.25:
            victim.process.send(signal.SIGTERM)
            time.sleep(self._random.uniform(0.0, 0.4))
            self.figures.killed_stopping += 1
        else:
            self.figures.killed_under_load += 1
        victim.kill()
        for thread in threads:
            thread.stop()
        for client in clients:
            self._known.update(client.known)
            self.figures.silences_acknowledged += client.acknowledged
        if how > 0.85:  # and again, while it starts
            victim.process.start()
            time.sleep(self._random.uniform(0.1, 1.5))
            victim.kill()
            self.figures.killed_starting += 1
        self._check_disk(victim, number)

    def _let_work(self, clients: list[Client]) -> None:
        """Until some has been done, of silences or of notifications, and a moment: not for a time."""
        if self._random.random() < 0.5:
            wanted = self._random.randint(1, 60)
            eventually(
                lambda: sum(client.acknowledged for client in clients) >= wanted,
                f"{wanted} changes of silences",
                deadline=START,
                interval=0.002,
            )
        else:
            sent = len(self._cluster.sink.all()) + self._random.randint(1, 8)
            eventually(
                lambda: len(self._cluster.sink.all()) >= sent,
                f"{sent} notifications",
                deadline=START,
                interval=0.002,
            )
        time.sleep(self._random.uniform(0.0, 0.05))

    def _check_disk(self, victim: Node, number: int) -> None:
        exported = Exported()
        now = time.time_ns()
        held = read(victim.folder / "data", now, exported)
        for problem in exported.problems:
            self._lost(number, problem)
        silences = {silence.id: silence for silence in held["sil"]}
        for identifier, known in self._known.items():
            silence = silences.get(identifier)
            if silence is None:
                self._lost(number, f"silence {identifier} is not on the disk")
            else:
                self._check(number, identifier, known, silence.comment, silence.ends_at <= now)
        told = {entry.key: entry for entry in read(self._witness.folder / "data", now, Exported())["nfl"]}
        prefix = f'{{}}:{{alertname="{self._seed}-{number}-'.encode()
        own = {entry.key: entry for entry in held["nfl"]}
        mine: list[Entry] = [entry for entry in told.values() if entry.group_key.startswith(prefix)]
        self.figures.entries_told += len(mine)
        for entry in mine:
            kept = own.get(entry.key)
            if kept is None or kept.stamp < entry.stamp:
                self._lost(number, f"log entry {entry.key} was told and is not on the disk")

    def _check_answers(self, victim: Node, number: int) -> None:
        shown = {silence["id"]: silence for silence in victim.api.silences()}
        for identifier, known in self._known.items():
            silence = shown.get(identifier)
            if silence is None:
                self._lost(number, f"silence {identifier} is not there after the restart")
            else:
                ended = silence["status"]["state"] == "expired"
                self._check(number, identifier, known, silence["comment"], ended)
                known.acknowledged = known.asked = int(silence["comment"])
                known.ended = known.ending = ended

    def _check(self, number: int, identifier: str, known: Known, comment: str, ended: bool) -> None:
        version = int(comment)
        if not known.acknowledged <= version <= known.asked:
            self._lost(
                number, f"silence {identifier} has version {version}, acknowledged: {known.acknowledged}"
            )
        if known.ended and not ended:
            self._lost(number, f"silence {identifier} was ended and is not")
        if ended and not known.ending:
            self._lost(number, f"silence {identifier} ended by itself")

    def _lost(self, number: int, what: str) -> None:
        if not self.figures.losses and self._victim is not None:
            self.figures.losses.append(f"the log:\n{self._victim.process.tail()}")
        self.figures.losses.append(f"trial {number}: {what}")


def _instant(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


@contextmanager
def trials(folder: Path, seed: int) -> Iterator[Trials]:
    """Trials in ``folder``."""
    with Cluster(folder) as cluster:
        yield Trials(cluster, seed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory() as folder, trials(Path(folder), arguments.seed) as running:
        figures = running.figures
        for figures in running.run(arguments.trials):
            if figures.trials % 10 == 0 or figures.losses:
                told = {name: value for name, value in asdict(figures).items() if name != "losses"}
                print(f"{told} losses: {len(figures.losses)}", flush=True)
            if figures.losses:
                break
        for loss in figures.losses:
            print(loss)
        return 1 if figures.losses else 0


if __name__ == "__main__":
    sys.exit(main())
