"""The two parts in which membership kinds differ, as the rest of the core sees them.

SWIM (``swim/``) finds members by gossip and probes one at a time. Static membership (``static/``) gets the
addresses by discovery and pings each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from tocsin.gossip.address import Address
from tocsin.gossip.core.context import Handlers
from tocsin.gossip.core.steps import Steps
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.wire.messages import Alive, Dead, NodeState, Suspect


class Membership(Protocol):
    """The rules by which messages change the member table. No method raises."""

    @property
    def handlers(self) -> Handlers:
        """What to call for timers of its own."""

    @property
    def answers_pings(self) -> bool:
        """Whether pings of others are answered now."""

    @property
    def suspicions(self) -> int:
        """Suspicion timers that run."""

    def apply_alive(
        self, message: Alive, now: float, source: Address, peer: PeerIdentity | None = None
    ) -> None:
        """A member (or somebody for it) says that it is alive; ``peer`` is the authenticated sender."""

    def apply_suspect(self, message: Suspect, now: float) -> None:
        """``message.accuser`` had no answer from a member."""

    def apply_dead(
        self, message: Dead, now: float, source: Address, peer: PeerIdentity | None = None
    ) -> None:
        """A member is dead, or (accused by itself) left."""

    def merge(
        self, nodes: Sequence[NodeState], source: Address, now: float, peer: PeerIdentity | None
    ) -> Steps[str]:
        """Apply a peer's table in steps; why it is refused as a whole, or empty."""

    def introduce(
        self, nodes: Sequence[NodeState], destination: Address, now: float, peer: PeerIdentity | None
    ) -> str:
        """The peer at ``destination`` answered our push/pull; why it cannot be a member now, or empty."""

    def entries(self) -> tuple[NodeState, ...]:
        """What push/pull says of members."""

    def announce(self, meta: bytes | None = None) -> None:
        """Announce that we are alive; with ``meta``, under the next incarnation."""

    def readdress(self, address: Address) -> None:
        """Change our own address before anyone knows it."""

    def leave(self, now: float) -> None:
        """Announce that we leave; from now on no message makes us alive again."""

    def remove(self, name: str) -> None:
        """Remove a rejected member without gossiping it."""

    def set_listed(self, addresses: Iterable[Address], now: float) -> None:
        """What discovery lists. SWIM does not ask."""

    def packet_from(self, source: Address, now: float) -> None:
        """A packet came from ``source``."""

    def take_to_join(self) -> Sequence[Address]:
        """Addresses to exchange states with now, each once."""


class FailureDetector(Protocol):
    """Finds out which members do not answer."""

    @property
    def handlers(self) -> Handlers:
        """What to call for timers of its own."""

    def start(self, now: float) -> None:
        """Begin to probe."""

    def stop(self) -> None:
        """Probe no more."""

    def members_changed(self) -> None:
        """Members were removed."""

    def acked(self, sequence_number: int, now: float, source: Address) -> bool:
        """A ping was answered by a packet from ``source``; False when it was not one of this detector."""

    def nacked(self, sequence_number: int, now: float) -> None:
        """A relay had no answer."""

    def packet_failed(self, destination: Address, now: float) -> None:
        """A packet to ``destination`` is known not to have arrived."""

    def stream_acked(self, sequence_number: int, now: float) -> None:
        """The member answered a ping on a stream."""

    def stream_failed(self, sequence_number: int, now: float) -> None:
        """The stream could not be opened, or brought no ack."""


class Admission(Protocol):
    """Who may become a member (:mod:`tocsin.gossip.core.admission`), as the rules ask it."""

    def objection(self, message: Alive, address: Address, source: Address, peer: PeerIdentity | None) -> str:
        """Why the name cannot be at that address, or empty."""

    def admit(self, message: Alive, address: Address, peer: PeerIdentity | None, now: float) -> bool:
        """Whether an unknown name is a member from now on."""
