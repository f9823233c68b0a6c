"""The main job, shown: three nodes over mutual TLS on loopback, one notification. Run it with ``make demo``.

Every step is checked; the exit status is 0 if all went well and 1 if not. Everything it starts ends with it.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import httpx

from tests.support.alertmanager import alertmanager_at
from tests.support.api import matcher, prometheus_alert
from tests.support.cluster import Cluster, issue, make_authority
from tests.support.eventually import eventually, holds_for
from tests.support.node import Node, NodeKind
from tests.support.tocsin_node import TOCSIN
from tests.support.turns import Turns

GROUP_WAIT = 0.1  # seconds, as the demo's configuration has it
PEER_TIMEOUT = 4.0  # seconds that a node waits for each place before its own: long enough on a busy machine
MARGIN = 1.5

UNICODE = "utf" in (sys.stdout.encoding or "").lower()
DONE, FAILED = ("✓", "✗") if UNICODE else ("ok", "FAILED")
TEXT_WIDTH = 68


@dataclass(frozen=True, slots=True)
class Told:
    """What a step has to tell: the time that matters, and lines below."""

    seconds: float
    notes: tuple[str, ...] = ()


def duration(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def step(text: str, action: Callable[[], Told | None]) -> None:
    """Do one step and print it with its time. What fails raises."""
    began = time.perf_counter()
    try:
        told = action() or Told(time.perf_counter() - began)
    except Exception:
        print(f"  {FAILED} {text}", flush=True)
        raise
    print(f"  {DONE} {text:<{TEXT_WIDTH}} {duration(told.seconds):>9}", flush=True)
    for note in told.notes:
        print(f"      {note}", flush=True)


class Demo:
    """The steps, in order, on one cluster."""

    def __init__(self, cluster: Cluster, kinds: Sequence[NodeKind]) -> None:
        self.cluster = cluster
        self.kinds = kinds
        self.nodes: list[Node] = []

    def run(self) -> None:
        first, second, third = "node-1", "node-2", "node-3"
        step("three certificates of one authority, as tocsinctl certs makes them", self.issue)
        step("three nodes started" + self.which(), self.start)
        step("each of the three sees three members", self.members)
        step("each of the three is ready to notify", self.ready)
        step(f"a silence made on {first} is seen on {third}, after", lambda: self.silence(0, 2, "DiskFull"))
        step(
            f"a silence made on {third} is seen on {first}, after", lambda: self.silence(2, 0, "NoiseAtNight")
        )
        step("an alert posted to all three gives one notification, after", self.one_notification)
        step("a silenced alert posted to all three is held back by all", self.held_back)
        step(f"{first} killed with -9: the next alert gives one notification, after", self.killed)
        step(f"{second} and {third} see two members, after the kill", self.noticed)
        step("a peer with a certificate of another authority is refused, after", self.stranger)

    def which(self) -> str:
        kind = self.kinds[2]
        return "" if kind is TOCSIN else f"; node-3 is {kind.name.replace('-', ' ')} itself"

    def issue(self) -> None:
        self.files = [self.cluster.issue(f"node-{number}") for number in (1, 2, 3)]

    def start(self) -> Told:
        began = time.perf_counter()
        for kind, files in zip(self.kinds, self.files, strict=True):
            name = files.directory.name
            turns = {"cluster.peer-timeout": f"{PEER_TIMEOUT:g}s"}
            self.nodes.append(self.cluster.add(kind, name, tls=files, peer_name=name, flags=turns))
        notes = [
            f"{node.name}  {node.url}  gossip on {node.cluster_address}, process {node.process.pid}"
            for node in self.nodes
        ]
        return Told(time.perf_counter() - began, (*notes, f"webhook {self.cluster.sink.url}"))

    def members(self) -> None:
        for node in self.nodes:
            node.wait_members(self.nodes)

    def ready(self) -> None:
        for node in self.nodes:
            node.wait_ready()

    def silence(self, maker: int, reader: int, alert_name: str) -> Told:
        making, reading = self.nodes[maker], self.nodes[reader]
        (
            making.api.status(),
            reading.api.status(),
        )  # both connections are open: the time is the cluster's alone
        began = time.perf_counter()
        id_ = making.api.post_silence([matcher("alertname", alert_name)], comment="made by the demo")
        eventually(lambda: reading.api.silence(id_), f"silence {id_} on {reading.name}", interval=0.001)
        return Told(time.perf_counter() - began)

    def one_notification(self) -> Told:
        return self.exactly_one("HostDown", self.nodes)

    def exactly_one(self, alert_name: str, nodes: Sequence[Node]) -> Told:
        """Post, wait for the first, then until the last in line has had its turn to send a second."""
        alert = prometheus_alert(alert_name, severity="page")
        turns = Turns(nodes)
        began = time.perf_counter()
        for node in nodes:
            node.api.post_alerts(alert)
        (received, *_) = self.cluster.sink.wait_for(alert_name)
        took = time.perf_counter() - began
        turns.wait_for_one(
            lambda: len(self.cluster.sink.of_alert(alert_name)), f"one notification of {alert_name}"
        )
        later = time.perf_counter() - began - took
        sender = next(node.name for node in self.nodes if node.url == received.sender)
        return Told(
            took, (f"sent by {sender}; no second one until all had had their turn, {later:.1f} s after it",)
        )

    def held_back(self) -> Told:
        began = time.perf_counter()
        for node in self.nodes:
            node.api.post_alerts(prometheus_alert("DiskFull", severity="page"))
        holds_for(
            lambda: not self.cluster.sink.of_alert("DiskFull"),
            "a notification of an alert that is silenced",
            seconds=GROUP_WAIT + MARGIN,
        )
        for node in self.nodes:
            states = [
                alert["status"]["state"]
                for alert in node.api.alerts()
                if alert["labels"]["alertname"] == "DiskFull"
            ]
            assert states == ["suppressed"], f"{node.name} shows the silenced alert as {states}"
        return Told(time.perf_counter() - began)

    def killed(self) -> Told:
        self.killed_at = time.perf_counter()
        self.nodes[0].kill()
        return self.exactly_one("HostDownAgain", self.nodes[1:])

    def noticed(self) -> Told:
        for node in self.nodes[1:]:
            node.wait_members(self.nodes[1:], deadline=60.0)
        return Told(time.perf_counter() - self.killed_at)

    def stranger(self) -> Told:
        """It trusts our authority, so it is our node that has to refuse it, not the other way round."""
        folder = self.cluster.folder / "elsewhere"
        files = issue(make_authority(folder, "Another CA"), "stranger")
        files.authority.write_bytes(self.cluster.certificates.certificate.read_bytes())
        door = self.nodes[1]
        before = len(door.process.text())
        began = time.perf_counter()
        stranger = self.cluster.add(TOCSIN, "stranger", tls=files, peers=[door])
        self.cluster.nodes.remove(stranger)
        try:
            line = eventually(
                lambda: refusal(door.process.text()[before:]), f"a refusal in {door.name}'s log"
            )
            took = time.perf_counter() - began
            for node in self.nodes[1:]:
                holds_for(
                    lambda node=node: stranger.cluster_address not in node.api.peer_addresses(),  # type: ignore[misc]
                    f"the stranger is a member of {node.name}",
                    seconds=1.0,
                )
        finally:
            stranger.close()
        return Told(took, (f"{door.name}: {line}",))


def refusal(log: str) -> str | None:
    """The first line that tells of a refused certificate."""
    lines = (line for line in log.splitlines() if re.search(r"certificate|unknown authority", line, re.I))
    return next(lines, None)


def stay_up(demo: Demo) -> None:
    """Show where everything is, and every notification that comes, until Ctrl-C."""
    demo.cluster.heal()
    print("\nAll three run until Ctrl-C:")
    for node in demo.nodes:
        print(f"  {node.name}  {node.url}  log {node.process.log}")
    print(f"  webhook {demo.cluster.sink.url}\n")
    print(f"  amtool --alertmanager.url={demo.nodes[0].url} alert add HostDown severity=page\n", flush=True)
    shown = len(demo.cluster.sink.all())
    while True:
        for received in demo.cluster.sink.all()[shown:]:
            names = ", ".join(received.alert_names)
            print(f"  {time.strftime('%H:%M:%S')}  {received.sender} notified: {names}", flush=True)
            shown += 1
        time.sleep(0.2)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--with-alertmanager", type=Path, metavar="PATH", help="node-3 is this real Alertmanager binary"
    )
    parser.add_argument("--keep", action="store_true", help="stay up at the end, until Ctrl-C")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; returns the exit status."""
    arguments = build_parser().parse_args(argv)
    kinds = [TOCSIN, TOCSIN, TOCSIN]
    if arguments.with_alertmanager is not None:
        try:
            kinds[2] = alertmanager_at(arguments.with_alertmanager)
        except ValueError as error:
            print(f"demo: {error}", file=sys.stderr)
            return 1
    signal.signal(signal.SIGTERM, _interrupt)
    folder = Path(tempfile.mkdtemp(prefix="tocsin-demo-"))
    began = time.perf_counter()
    print("Tocsin: three nodes over mutual TLS on loopback, and a webhook that counts\n", flush=True)
    try:
        with Cluster(folder) as cluster:
            demo = Demo(cluster, kinds)
            try:
                demo.run()
                print(f"\nAll as it should be, in {time.perf_counter() - began:.1f} s.", flush=True)
                if arguments.keep:
                    stay_up(demo)
            except (AssertionError, httpx.HTTPError, OSError) as error:
                return _failed(cluster, error)
            finally:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave a node behind
    except KeyboardInterrupt:
        print("\nStopped.", flush=True)
        return 0 if arguments.keep else 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _failed(cluster: Cluster, error: Exception) -> int:
    print(f"\nIt failed: {error or type(error).__name__}\n", flush=True)
    for node in cluster.nodes:
        print(f"--- {node.name}, the end of its log\n{node.process.tail(15)}\n", flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
