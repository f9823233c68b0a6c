"""The faults. Each begins with a whole cluster under load, and ends healed; the same must hold then."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Final

import httpx

from tests.faults.suite.switch import CUT, Path
from tests.faults.suite.world import World, seconds_until
from tests.support.node import metric


@dataclass(slots=True)
class Noted:
    """What a fault noted while it went on: seconds, and remarks."""

    noticed: float | None = None
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scenario:
    """``act`` makes the trouble, holds it for about the given seconds, and ends it."""

    name: str
    says: str
    act: Callable[[World, float, Noted], None]
    nodes: int = 3
    hold: float = 20.0
    short: float = 8.0  # to hold it for in the short suite
    forgets: bool = False  # what a node had decided and not kept may be gone
    divides: bool = False  # what both sides of a partition send is sent twice, and no fault
    skewed: bool = False
    small_disk: bool = False
    pace: float = 1.0  # how many times as seldom silences and alerts come
    mixed: bool = True  # makes sense with an Alertmanager among the nodes


def _divided(world: World, hold: float, noted: Noted, *parts: Sequence[int]) -> None:
    world.network.divide(*parts)
    began = time.monotonic()
    for part in parts:
        nodes = [world.nodes[port - 1] for port in part]
        world.wait_members(nodes, nodes)
    noted.noticed = time.monotonic() - began
    time.sleep(max(hold - noted.noticed, 0.0))
    world.network.heal()


def minority_apart(world: World, hold: float, noted: Noted) -> None:
    ports = list(world.network.ports)
    few = len(ports) // 2
    _divided(world, hold, noted, ports[:few], ports[few:])


def each_alone(world: World, hold: float, noted: Noted) -> None:
    _divided(world, hold, noted, *[[port] for port in world.network.ports])


def flapping(world: World, hold: float, noted: Noted) -> None:
    first, *others = world.network.ports
    end = time.monotonic() + hold
    times = 0
    while time.monotonic() < end:
        world.network.divide([first], others)
        time.sleep(0.7)
        world.network.heal()
        time.sleep(0.7)
        times += 1
    noted.remarks.append(f"apart {times} times")


def _throughout(world: World, hold: float, noted: Noted) -> None:
    """Nobody may be lost sight of."""
    end = time.monotonic() + hold
    all_seen = {node.cluster_address for node in world.nodes}
    missed = 0.0
    while time.monotonic() < end:
        if any(world.sees(node) != all_seen for node in world.nodes):
            missed += 0.2
        time.sleep(0.2)
    if missed:
        noted.remarks.append(f"a member was missing for {missed:.1f} s")
    world.network.heal()


def loss_one_way(world: World, hold: float, noted: Noted) -> None:
    others = list(world.network.ports)[1:]
    world.network.become({(1, other): Path(loss=0.2) for other in others})
    _throughout(world, hold, noted)


def loss_everywhere(world: World, hold: float, noted: Noted) -> None:
    world.network.become(world.network.between_all(Path(loss=0.1)))
    _throughout(world, hold, noted)


def mute(world: World, hold: float, noted: Noted) -> None:
    """One node hears and is not heard."""
    others = world.nodes[1:]
    world.network.become({(1, other.place): CUT for other in others})
    noted.noticed = world.wait_members(others, others)
    time.sleep(max(hold - noted.noticed, 0.0))
    world.network.heal()


def latency(world: World, hold: float, noted: Noted) -> None:
    world.network.become(world.network.between_all(Path(delay=0.1, jitter=0.03)))
    _throughout(world, hold, noted)


def narrow(world: World, hold: float, noted: Noted) -> None:
    world.network.become(world.network.between_all(Path(rate=16_000, delay=0.02)))
    _throughout(world, hold, noted)


def killed(world: World, hold: float, noted: Noted) -> None:
    victim, *others = world.nodes
    victim.kill()
    noted.noticed = world.wait_members(others, others)
    time.sleep(max(hold - noted.noticed, 0.0))
    victim.restart()


def all_killed(world: World, hold: float, noted: Noted) -> None:
    """A power cut, as far as a process can feel one."""
    for node in world.nodes:
        node.process.send(signal.SIGKILL)
    for node in world.nodes:
        node.kill()
    for node in world.nodes:
        node.process = node._make_process()
        node.process.start()
    seconds_until(lambda: all(node.api.answers() for node in world.nodes), "all answer again")


def _stopped(world: World, seconds: float) -> None:
    world.nodes[0].process.send(signal.SIGSTOP)
    time.sleep(seconds)
    world.nodes[0].process.send(signal.SIGCONT)


def stopped_briefly(world: World, hold: float, noted: Noted) -> None:
    for _ in range(3):
        _stopped(world, 0.8)
        time.sleep(hold / 8)


def stopped_long(world: World, hold: float, noted: Noted) -> None:
    stopped, *others = world.nodes
    stopped.process.send(signal.SIGSTOP)
    noted.noticed = world.wait_members(others, others)
    time.sleep(max(hold - noted.noticed, 0.0))
    stopped.process.send(signal.SIGCONT)


def clocks_apart(world: World, hold: float, noted: Noted) -> None:
    """One two minutes ahead, one two minutes behind."""
    world.skew(world.nodes[0], 120)
    world.skew(world.nodes[-1], -120)
    time.sleep(hold)
    for node in world.nodes:
        world.skew(node, 0)


def clock_jumps(world: World, hold: float, noted: Noted) -> None:
    """Ahead by thirty days (past every retention), back, behind by three hours, and right again."""
    node = world.nodes[0]
    for seconds in (30 * 86400, 0, -3 * 3600, 0):
        world.skew(node, seconds)
        time.sleep(max(hold / 4, 1.5))


def disk_full(world: World, hold: float, noted: Noted) -> None:
    node = world.nodes[0]
    folder = File(node.flags["storage.path"])
    ballast = folder.parent / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass

    def failing() -> bool:
        try:
            return metric(node.api.metrics(), "tocsin_journal_failing") == 1
        except httpx.HTTPError:
            return False

    noted.noticed = seconds_until(failing, "the node says that its disk is full")
    refused = world.flow.book.refused
    time.sleep(hold)
    noted.remarks.append(f"{world.flow.book.refused - refused} changes refused meanwhile")
    ballast.unlink()
    seconds_until(lambda: not failing(), "the journal is written again")


def make_small_disk(folder: File) -> File:
    """A file system of 3 MB, which goes with our mount namespace."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tocsin-faults", str(folder)], check=True)
    return folder / "data"


SCENARIOS: Final = (
    Scenario("minority-apart", "two of five apart from three", minority_apart, nodes=5, divides=True),
    Scenario("each-alone", "each of three alone", each_alone, divides=True),
    Scenario("flapping", "one of three apart for 0.7 s, again and again", flapping, divides=True),
    Scenario("mute", "one hears, and is not heard", mute, divides=True),
    Scenario("loss-one-way", "20 % of what one node sends is lost", loss_one_way, short=5.0),
    Scenario("loss-everywhere", "10 % of everything is lost", loss_everywhere),
    Scenario("latency", "100 ms (70 to 130) each way", latency, short=5.0),
    Scenario("narrow", "16 kB/s each way", narrow),
    Scenario("killed", "kill -9, back later", killed, forgets=True),
    Scenario("all-killed", "kill -9 of all at once", all_killed, mixed=False, forgets=True),
    Scenario("stopped-briefly", "SIGSTOP for 0.8 s, three times", stopped_briefly),
    Scenario("stopped-long", "SIGSTOP, until long after it counts as dead", stopped_long),
    Scenario(
        "clocks-apart", "one clock 2 min ahead, one 2 min behind", clocks_apart, skewed=True, mixed=False
    ),
    Scenario("clock-jumps", "30 days ahead, back, 3 h behind, back", clock_jumps, skewed=True, mixed=False),
    Scenario("disk-full", "no room on one node's disk", disk_full, small_disk=True, mixed=False, short=4.0),
)
