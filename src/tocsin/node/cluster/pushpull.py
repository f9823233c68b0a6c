"""The user state of a push/pull: everything for an Alertmanager, next to nothing for a Tocsin node.

Tocsin nodes compare digests instead. To be known as one before the members are, a node puts its name into
field 1000 of the FullState message, which protobuf readers without that field ignore.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from tocsin.alerting.protocol.parts import FullStateSlices, Slices, read_sender, write_sender
from tocsin.gossip.address import Address
from tocsin.gossip.core.effects import StateRequest
from tocsin.gossip.core.member import Member
from tocsin.gossip.wire.messages import Pieces
from tocsin.node.cluster.capability import speaks_tocsin

SMALL_BYTES: Final = 32 * 1024
"""Bytes of state up to which it is sent to an address where the kind of node is not known."""

MAX_OWING: Final = 1024


class State(Protocol):
    """One kind of replicated state."""

    def encode_slices(self) -> Slices: ...

    @property
    def total_bytes(self) -> int: ...


class PushPullState:
    """Chooses the user state of each push/pull, and which members to exchange digests with or send the whole
    state."""

    def __init__(
        self,
        name: str,
        states: Mapping[str, State],
        members: Callable[[], list[Member]],
        on_full_state: Callable[[int], None],
        *,
        static_membership: bool = False,
    ) -> None:
        self._name = name
        self._states = states
        self._members = members
        self._on_full_state = on_full_state
        self._static_membership = static_membership
        self._owing: deque[Address] = deque(maxlen=MAX_OWING)
        self._in_full: set[Address] = set()
        self.to_resync: list[str] = []
        """Tocsin members to exchange digests with, instead of a push/pull's state. Drain it."""

    def state_for(self, request: StateRequest) -> bytes | Pieces:
        """The user state for one push/pull."""
        if request.received:
            sender = read_sender(request.received)
            # A node that lists us and is not listed by us gets no digests: the lists have disagreed for a
            # while, since a periodic exchange comes after a join.
            other_host = self._static_membership and not request.join and not self._knows(sender)
            return self._full() if not sender or other_host else self._greeting()
        if request.destination is None:
            return self._full()
        member = self._member(request.member, request.destination)
        if member is not None:
            if not speaks_tocsin(member.meta):
                return self._full()
            if not request.join:
                self.to_resync.append(member.name)
            return self._greeting()
        total = sum(state.total_bytes for state in self._states.values())
        if total <= SMALL_BYTES or request.destination in self._in_full:
            self._in_full.discard(request.destination)
            return self._full(self._name)
        self._owing.append(request.destination)
        return self._greeting()

    def received(self, payload: bytes, source: Address) -> bool:
        """A push/pull brought ``payload``. Whether to send our full state to ``source``, an Alertmanager."""
        sender = read_sender(payload)
        owing = source in self._owing
        if owing:
            self._owing.remove(source)
        if sender:
            if self._knows(sender):
                self.to_resync.append(sender)
            return False
        if owing:
            self._in_full.add(source)
        return owing

    def _knows(self, name: str) -> bool:
        return any(member.name == name for member in self._members())

    def _member(self, name: str, address: Address) -> Member | None:
        for member in self._members():
            if member.address == address and (not name or member.name == name):
                return member
        return None

    def _greeting(self) -> bytes:
        return write_sender(b"", self._name)

    def _full(self, sender: str = "") -> Pieces:
        state = FullStateSlices({key: state.encode_slices() for key, state in self._states.items()}, sender)
        self._on_full_state(len(state))
        return state
