"""What must hold in every run, whatever the faults."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from simulation.node import SimulatedNode
from simulation.world import World
from tocsin.gossip.core.effects import Event, MemberLeft
from tocsin.gossip.wire.messages import MemberState


@dataclass(frozen=True, slots=True)
class FalseDeath:
    """``observer`` declared ``subject`` dead while its process was running."""

    when: float
    observer: str
    subject: str


class Checker:
    """Watches all nodes. :meth:`audit` is to be called often; it returns what is broken for good.

    A false death is not broken for good: with loss or a partition it is allowed, so the scenario judges
    :attr:`false_deaths`.
    """

    def __init__(self, world: World) -> None:
        self.false_deaths: list[FalseDeath] = []
        self.nodes: dict[str, SimulatedNode] = {}
        self._world = world
        self._incarnations: dict[tuple[str, int, str], tuple[int, int]] = {}

    def observed(self, node: SimulatedNode, event: Event) -> None:
        """A node reported an event."""
        self._world.trace(f"event {node.name} {event!r}")
        if isinstance(event, MemberLeft) and event.member.state is MemberState.DEAD:
            subject = self.nodes.get(event.member.name)
            if subject is not None and subject.running and not subject.left:
                self.false_deaths.append(FalseDeath(self._world.now, node.name, subject.name))

    def audit(self) -> str:
        """Each node believes itself alive until it leaves, and no incarnation that it knows ever falls.

        (Except of a member that it had forgotten in the meantime, or that had left.)
        """
        for node in self.nodes.values():
            if not node.running:
                continue
            endpoint = node.endpoint
            if not node.left and endpoint.local.state is not MemberState.ALIVE:
                return f"{node.name} believes itself {endpoint.local.state.name}"
            reaped = endpoint.statistics.members_reaped
            for name in self.nodes:
                member = endpoint.member(name)
                if member is None:
                    continue
                key = (node.name, node.life, name)
                before, reaped_before = self._incarnations.get(key, (0, reaped))
                if member.incarnation < before and reaped == reaped_before:
                    return f"{node.name} knew {name} at incarnation {before}, now {member.incarnation}"
                self._incarnations[key] = (member.incarnation, reaped)
        return ""

    def running(self) -> list[SimulatedNode]:
        """The nodes that should see each other."""
        return [node for node in self.nodes.values() if node.running and not node.left]

    def converged(self, nodes: Iterable[SimulatedNode] | None = None) -> bool:
        """All of ``nodes`` (those that run) have exactly each other as live members."""
        chosen = self.running() if nodes is None else list(nodes)
        names = {node.name for node in chosen}
        return all({member.name for member in node.endpoint.members()} == names for node in chosen)

    def disagreement(self) -> str:
        """For the report: who misses whom, or has whom too many."""
        names = {node.name for node in self.running()}
        lines = []
        for node in self.running():
            seen = {member.name for member in node.endpoint.members()}
            if seen != names:
                missing, extra = sorted(names - seen), sorted(seen - names)
                lines.append(f"{node.name} misses {missing[:5]}, has too many {extra[:5]}")
        return "; ".join(lines[:5])

    def all_know(self, rumours: Iterable[bytes]) -> bool:
        """Every running node has heard all of ``rumours``."""
        wanted = set(rumours)
        return all(wanted <= node.rumours.keys() for node in self.running())
