"""A world, a network and some nodes, and the words that scenarios are written in."""

from __future__ import annotations

from collections.abc import Callable

from simulation.checker import Checker
from simulation.network import Conditions, Network
from simulation.node import SimulatedNode
from simulation.world import World
from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig

AUDIT_INTERVAL = 0.5
SEEDS = 3
"""Every node knows the addresses of the first so many."""


class BrokenRunError(Exception):
    """A scenario did not go as it must; the text ends with the command that replays it."""


class Cluster:
    """``size`` nodes named ``node-000`` on, none started yet."""

    def __init__(
        self,
        seed: int,
        size: int,
        scenario: str,
        *,
        config: GossipConfig | None = None,
        conditions: Conditions | None = None,
        failures_known: bool = True,
    ) -> None:
        self.scenario = scenario
        self.size = size
        self.world = World(seed)
        self.network = Network(self.world, conditions or Conditions(), failures_known=failures_known)
        self.checker = Checker(self.world)
        self.facts: dict[str, float] = {}
        """Figures worth printing."""
        config = config or GossipConfig()
        addresses = [Address(f"10.0.{i // 250}.{i % 250 + 1}", 9094) for i in range(size)]
        self.nodes = [
            SimulatedNode(
                self.world, self.network, config, f"node-{i:03}", address, addresses[:SEEDS], self.checker
            )
            for i, address in enumerate(addresses)
        ]
        self.checker.nodes = {node.name: node for node in self.nodes}

    @property
    def replay(self) -> str:
        """The command that repeats this run."""
        return f"python -m simulation --seed {self.world.seed} --nodes {self.size} --scenario {self.scenario}"

    def start_all(self, within: float = 1.0) -> None:
        """Start the seeds, then every other node within so many seconds, and wait until all see all."""
        for number, node in enumerate(self.nodes):
            delay = 0.01 * number if number < SEEDS else 0.1 + self.world.random.random() * within
            self.world.after(delay, node.start)
        self.run(0.1 + within)
        self.facts["joined after"] = self.until("all see all", self.checker.converged, 60)

    def run(self, seconds: float) -> None:
        """Let time pass, with audits."""
        end = self.world.now + seconds
        while self.world.now < end:
            self.world.run_until(min(end, self.world.now + AUDIT_INTERVAL))
            if problem := self.checker.audit():
                self.fail(problem)

    def until(self, what: str, condition: Callable[[], bool], within: float) -> float:
        """Let time pass until ``condition`` holds; returns the seconds it took, fails after ``within``."""
        started = self.world.now
        while not condition():
            if self.world.now - started >= within:
                self.fail(f"not within {within:g} s: {what}. {self.checker.disagreement()}")
            self.run(0.1)
        return self.world.now - started

    def require(self, condition: bool, problem: str) -> None:
        """Fail with ``problem`` unless ``condition`` holds."""
        if not condition:
            self.fail(problem)

    def require_no_false_death(self) -> None:
        """Nobody was declared dead whose process was running."""
        deaths = self.checker.false_deaths
        self.require(not deaths, f"{len(deaths)} false deaths, the first: {deaths[:1]}")

    def fail(self, problem: str) -> None:
        """Stop the run."""
        raise BrokenRunError(f"at {self.world.now:.3f} s: {problem}\nreplay: {self.replay}")
