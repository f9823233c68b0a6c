"""Associations by address: which one a record is for, and when each has a timeout. No I/O.

An address has at most two: the one in use, and a candidate, whose handshake is under way or just done. The
one in use is given up only when the candidate has been authenticated and used, so a hello that somebody else
sent from that address, or sent again, destroys nothing.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import field
from typing import Generic, TypeVar

from tocsin.dataclass import dataclass
from tocsin.gossip.address import Address
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.transport.dtls.association import Association, State
from tocsin.gossip.transport.dtls.records import ALERT, DATA, Record
from tocsin.gossip.transport.dtls.settings import DTLSStatistics
from tocsin.tls.refusal import RefusalError


@dataclass(slots=True)
class Effects:
    """What is to be done outside, in order; the caller of ``drain`` takes the lists."""

    datagrams: list[tuple[Address, bytes]] = field(default_factory=list)
    packets: list[tuple[bytes, Address, PeerIdentity]] = field(default_factory=list)
    """Received, with the listener's address that the sender announces, and its verified identity."""
    identified: list[tuple[Address, PeerIdentity]] = field(default_factory=list)
    """Who answers at an address that we dialled; before any packet goes there."""
    failures: list[tuple[Address, str]] = field(default_factory=list)
    """Packets that are known not to be delivered: once for each time something happened."""
    refusals: list[tuple[Address, RefusalError]] = field(default_factory=list)

    def collect(self, slot: Slot, statistics: DTLSStatistics) -> None:
        """Take what the slot's associations have to send, and what they have counted."""
        for association in slot.associations:
            self.datagrams += [(slot.address, datagram) for datagram in association.drain()]
            statistics.retransmissions += association.retransmissions
            statistics.handshake_records_refused += association.records_refused
            association.retransmissions = association.records_refused = 0

    def __bool__(self) -> bool:
        return bool(self.datagrams or self.packets or self.identified or self.failures or self.refusals)


class Slot:
    """What is kept for one address."""

    __slots__ = ("address", "candidate", "current", "due", "heard_at", "reader")

    def __init__(self, address: Address, now: float) -> None:
        self.address: Address = address
        self.current: Association | None = None
        self.candidate: Association | None = None
        self.heard_at: float = now
        self.reader: Association | None = None
        self.due: float | None = None
        """The earliest entry in the table's heap."""

    @property
    def associations(self) -> list[Association]:
        """The newest first."""
        return [each for each in (self.candidate, self.current) if each is not None]

    @property
    def pending(self) -> bool:
        """A handshake is under way, or has failed and is still being explained."""
        candidate = self.candidate
        return candidate is not None and candidate.state in (State.HANDSHAKING, State.FAILED)

    def receive(self, record: Record, now: float) -> list[bytes]:
        """Give the record to whom it is for. The plaintext in it, which :attr:`reader` has opened."""
        candidate, current = self.candidate, self.current
        if record.kind == DATA:
            # Only who has the key can read it: the newest first.
            for association in self.associations:
                if association.state is State.ESTABLISHED:
                    found = association.receive(record, now)
                    if found:
                        self.reader = association
                        return found
        elif record.kind == ALERT and record.epoch:
            for association in self.associations:
                association.receive(record, now)
        elif candidate is not None:
            candidate.receive(record, now)
        elif current is not None:
            current.receive(record, now)
        return []


SlotType = TypeVar("SlotType", bound=Slot)


class AssociationTable(Generic[SlotType]):
    """Slots by address, least recently used first, and their timers."""

    def __init__(self) -> None:
        self.slots: OrderedDict[Address, SlotType] = OrderedDict()
        self._heap: list[tuple[float, Address]] = []

    def __iter__(self) -> Iterator[SlotType]:
        return iter(list(self.slots.values()))

    def get(self, address: Address) -> SlotType | None:
        """The slot there."""
        return self.slots.get(address)

    def touch(self, slot: SlotType) -> None:
        """It is now the most recently used."""
        self.slots.move_to_end(slot.address)

    def remove(self, slot: SlotType) -> None:
        """Forget it."""
        if self.slots.get(slot.address) is slot:
            del self.slots[slot.address]

    def wake_at(self, slot: SlotType, when: float | None) -> None:
        """Have :meth:`expired` return the slot at ``when``, if nothing earlier is asked for."""
        if when is None or (slot.due is not None and slot.due <= when):
            return
        slot.due = when
        heapq.heappush(self._heap, (when, slot.address))

    def next_timeout(self) -> float | None:
        """When :meth:`expired` will have something."""
        while self._heap:
            when, address = self._heap[0]
            slot = self.slots.get(address)
            if slot is not None and slot.due == when:
                return when
            heapq.heappop(self._heap)
        return None

    def expired(self, now: float) -> Iterator[SlotType]:
        """Slots whose time has come, each once; its owner says again when to be woken."""
        due: list[SlotType] = []
        while (when := self.next_timeout()) is not None and when <= now:
            slot = self.slots[heapq.heappop(self._heap)[1]]
            slot.due = None
            due.append(slot)
        # A slot that is due again at once waits for the next call nevertheless.
        yield from (slot for slot in due if self.slots.get(slot.address) is slot)
