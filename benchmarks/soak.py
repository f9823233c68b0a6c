"""A cluster that is kept busy for long: does anything of it grow?

    python -m benchmarks.soak --minutes 60 --write docs/wide-area.md

Three Tocsin nodes over mutual TLS. All the while alerts come, end and come back, silences are made, changed
and ended, configurations are reloaded, certificates are issued anew, a fourth node joins and leaves, and
pages are read. Every few seconds each node is looked at: resident memory, open files, processor time for each
round of work (how many there are in a second is the machine's matter), and how long a turn of its event loop
took in the mean since the last look. A line is laid through the last two thirds of each (what a node keeps
for minutes, it has then begun to keep): flat means that its growth in an hour is less than a tenth of the
figure, or less than twice its own error.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from benchmarks.bench import Bench, BenchNode, members, post_silence, silence_body, wait_for
from benchmarks.connection import Connection
from benchmarks.usage import cpu_seconds, memory_bytes
from tests.support import page
from tests.support.api import prometheus_alert, rfc3339
from tests.support.node import metric, webhook_config
from tests.support.processes import Process
from tests.support.tocsin_node import TOCSIN
from tocsin.certificates import CertificateFolder

ALERTS: Final = 1500
"""Names of alerts that come and go, in a hundred groups."""
AT_ONCE: Final = 200
"""Alerts in one report."""
PATIENCE: Final = 180.0
"""Seconds for a node to start and join, on a machine that others use."""
ENDED_AFTER: Final = 200.0
"""Seconds after which a silence is ended."""
TOLD_EVERY: Final = 600.0
"""Seconds after which the figures so far are printed: an hour is long."""
FLAGS: Final = {
    "data.retention": "3m",
    "data.maintenance-interval": "1m",
    "alerts.gc-interval": "1m",
    "record.max-entries": "2000",
    "cluster.peer-timeout": "2s",
}
"""What a node keeps for long it keeps for minutes: by the last two thirds it has as much as it ever has."""
FIGURES: Final = {"memory": "MiB", "files": "", "lag": "ms", "cpu": "ms a round"}


@dataclass(slots=True)
class Track:
    """One figure of one node: seconds since the beginning, and values."""

    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, at: float, value: float) -> None:
        """One look."""
        self.times.append(at)
        self.values.append(value)


@dataclass(frozen=True, slots=True)
class Line:
    """What was laid through a track. Growth and error over an hour."""

    middle: float
    growth: float
    error: float

    @property
    def flat(self) -> bool:
        """Whether it does not grow, as far as can be said."""
        return self.growth <= max(abs(self.middle) / 10, 2 * self.error)


def line_through(track: Track) -> Line:
    """By least squares, through the last two thirds."""
    first = len(track.times) // 3
    times, values = track.times[first:], track.values[first:]
    middle = statistics.fmean(values) if values else 0.0
    if len(values) < 3 or len(set(values)) == 1:
        return Line(middle, 0.0, 0.0 if len(values) >= 3 else math.inf)
    slope, intercept = statistics.linear_regression(times, values)
    spread = sum((at - statistics.fmean(times)) ** 2 for at in times)
    rest = sum((value - intercept - slope * at) ** 2 for at, value in zip(times, values, strict=True))
    error = math.sqrt(rest / (len(values) - 2) / spread)
    return Line(middle, 3600 * slope, 3600 * error)


class Looks:
    """The figures of the nodes over time."""

    def __init__(self, nodes: Sequence[BenchNode]) -> None:
        self.tracks = {node.name: {figure: Track() for figure in FIGURES} for node in nodes}
        self._began = time.monotonic()
        self._last = {node.name: (0, cpu_seconds(node.pid), 0.0, 0.0) for node in nodes}

    def take(self, node: BenchNode, rounds: int) -> None:
        """One look at a node. ``rounds``: of work that were done in all, more than at the last look."""
        now, used = time.monotonic(), cpu_seconds(node.pid)
        text = node.api.metrics()
        count = metric(text, "tocsin_event_loop_lag_seconds_count")
        total = metric(text, "tocsin_event_loop_lag_seconds_sum")
        done, before, turns, busy = self._last[node.name]
        self._last[node.name] = rounds, used, count, total
        track, since = self.tracks[node.name], now - self._began
        track["memory"].add(since, memory_bytes(node.pid) / 2**20)
        track["files"].add(since, len(list(Path(f"/proc/{node.pid}/fd").iterdir())))
        track["cpu"].add(since, 1e3 * (used - before) / (rounds - done))
        track["lag"].add(since, 1e3 * (total - busy) / max(1.0, count - turns))


class Work:
    """What keeps the cluster busy, a little at a time."""

    def __init__(self, nodes: Sequence[BenchNode], authority: CertificateFolder, seed: int) -> None:
        self._nodes = nodes
        self._authority = authority
        self._random = Random(seed)
        self._silences: deque[tuple[float, str]] = deque()
        """Those that have not been ended, with when each was made."""
        self.done: dict[str, int] = {}

    def _count(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1

    def alerts(self, connections: Sequence[Connection]) -> None:
        """Some come, some end; every node is told, as Prometheus does."""
        now = datetime.now(UTC)
        reports = []
        for number in self._random.sample(range(ALERTS), AT_ONCE):
            ends = now - timedelta(seconds=1) if self._random.random() < 0.3 else now + timedelta(minutes=4)
            alert = prometheus_alert(f"Soak{number % 100}", instance=f"host-{number}")
            reports.append(
                {**alert, "startsAt": rfc3339(now - timedelta(minutes=5)), "endsAt": rfc3339(ends)}
            )
        body = json.dumps(reports).encode()
        for connection in connections:
            connection.post("/api/v2/alerts", body)
        self._count("reports of 200 alerts")

    def silences(self, connections: Sequence[Connection]) -> None:
        """One is made; of those made a while ago the oldest is ended."""
        connection = self._random.choice(list(connections))
        body = silence_body(self._random.randrange(10**6), hours=1)
        self._silences.append((time.monotonic(), post_silence(connection, body)))
        self._count("silences made")
        while self._silences and time.monotonic() - self._silences[0][0] > ENDED_AFTER:
            self._nodes[0].api.expire_silence(self._silences.popleft()[1])
            self._count("silences ended")

    def reads(self, connections: Sequence[Connection]) -> None:
        """What a page asks for."""
        for path in ("/api/v2/alerts", "/api/v2/alerts/groups", "/api/v2/silences", "/metrics"):
            self._random.choice(list(connections)).get(path)
        self._count("pages read")

    def reload(self) -> None:
        """A configuration is put in force anew."""
        node = self._random.choice(self._nodes)
        with node.connect() as connection:
            connection.post("/-/reload", b"")
        self._count("reloads")

    def rotate(self) -> None:
        """A node gets a new certificate, which it finds by itself."""
        name, day = self._random.choice(self._nodes).name, timedelta(days=1)
        self._authority.issue(name, ["127.0.0.1", "::1"], now=datetime.now(UTC), lifetime=day, force=True)
        self._count("certificates issued anew")


def soak(minutes: float, every: float, seed: int) -> tuple[Looks, Work]:
    """Keep three nodes busy; a fourth comes and goes."""
    bench = Bench()
    with _taker() as url:
        config = webhook_config(url, group_wait="1s", group_interval="5s")
        with bench.cluster(TOCSIN, config=config, flags=FLAGS) as nodes:
            authority = CertificateFolder(nodes[0].folder.parent / "certs")
            looks, work = Looks(nodes), Work(nodes, authority, seed)
            guest: BenchNode | None = None
            end, step = time.monotonic() + 60 * minutes, 0
            connections = [node.connect() for node in nodes]
            began_all = looked = told = time.monotonic()
            while time.monotonic() < end:
                began = time.monotonic()
                step += 1
                work.alerts(connections)
                work.silences(connections)
                if step % 5 == 0:
                    work.reads(connections)
                if step % 20 == 0:
                    work.reload()
                if step % 40 == 10:
                    work.rotate()
                if step % 60 == 15:
                    guest = _joined(nodes, authority, config, step)
                elif step % 60 == 45 and guest is not None:
                    guest.stop()
                    guest.close()
                    guest = None
                    work.done["joins and leaves"] = work.done.get("joins and leaves", 0) + 1
                if time.monotonic() - looked >= every:
                    looked = time.monotonic()
                    for node in nodes:
                        looks.take(node, step)
                if time.monotonic() - told >= TOLD_EVERY:
                    told = time.monotonic()
                    print(text(looks, work, round((told - began_all) / 60))[0], file=sys.stderr, flush=True)
                time.sleep(max(0.0, 0.5 - (time.monotonic() - began)))
            if guest is not None:
                guest.process.kill()
                guest.close()
            for connection in connections:
                connection.close()
    return looks, work


@contextmanager
def _taker() -> Iterator[str]:
    """A receiver that keeps nothing of what it is told; its address."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.taker"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _joined(nodes: Sequence[BenchNode], authority: CertificateFolder, config: str, step: int) -> BenchNode:
    guest = BenchNode(
        TOCSIN,
        f"guest-{step}",  # a name that had no certificate yet
        nodes[0].folder.parent / f"guest-{step}",
        config=config,
        authority=authority,
        peers=[node.cluster_address for node in nodes],
        flags=FLAGS,
    )
    guest.launch()
    wait_for(guest.api.answers, PATIENCE, "the guest answers", guest.process.tail)
    whole = len(nodes) + 1
    wait_for(lambda: members(guest) == whole, PATIENCE, "the guest is a member", guest.process.tail)
    return guest


def text(looks: Looks, work: Work, minutes: float) -> tuple[str, bool]:
    """The figures as Markdown, and whether all are flat."""
    rows, flat = [], True
    for name, tracks in looks.tracks.items():
        for figure, unit in FIGURES.items():
            line = line_through(tracks[figure])
            flat = flat and line.flat
            rows.append(
                (
                    name,
                    f"{figure} ({unit})" if unit else figure,
                    f"{line.middle:.3g}",
                    f"{line.growth:+.3g} ± {line.error:.2g}",
                    "yes" if line.flat else "**no**",
                )
            )
    done = ", ".join(f"{count:,} {what}" for what, count in work.done.items())
    head = ("node", "what", "mean", "growth in an hour", "flat")
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    load = f"load {os.getloadavg()[2]:.1f} on {os.cpu_count()} cores"
    return f"{when}, {load}, {minutes:g} minutes: {done}.\n\n{page.table(head, rows)}", flat


def main() -> int:
    """Exit status 1 if anything grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="60 by default")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between looks; 5 by default")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--write", type=Path, help="put the figures into this page, between its marks")
    arguments = parser.parse_args()
    os.environ["TOCSIN_WHOLE_STARTS"] = "1"
    try:
        looks, work = soak(arguments.minutes, arguments.every, arguments.seed)
    finally:
        for process in list(Process.known):
            process.kill()
    shown, flat = text(looks, work, arguments.minutes)
    print(shown)
    if arguments.write:
        page.put(arguments.write, shown, mark="soak")
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
