"""Associations that we begin: packets wait for the handshake, and go. No I/O."""

from __future__ import annotations

import random
from typing import Final

from tocsin.bounded import PacketQueue
from tocsin.gossip.address import Address
from tocsin.gossip.transport.dtls.association import Association, State
from tocsin.gossip.transport.dtls.context import DTLSContexts
from tocsin.gossip.transport.dtls.envelope import seal_envelope
from tocsin.gossip.transport.dtls.openssl import SSL
from tocsin.gossip.transport.dtls.records import MAX_RECORDS, is_lost_state, read_records
from tocsin.gossip.transport.dtls.settings import DTLSTransportConfig, DTLSTransportStatistics
from tocsin.gossip.transport.dtls.table import AssociationTable, Effects, Slot
from tocsin.gossip.transport.eviction import victim
from tocsin.tls.refusal import RefusalError

_QUEUE_FULL: Final = "the queue of packets to it is full"
_CHECK_INTERVAL: Final = 1.0
_UNCERTAIN: Final = frozenset({"timeout", "closed", "not_tls", "other"})
"""Ends of a handshake that a lost, altered or late datagram can bring about too: worth another attempt."""


class Destination(Slot):
    """A peer that we send to."""

    __slots__ = (
        "attempts",
        "dial_until",
        "failures",
        "queue",
        "reason",
        "renewing_since",
        "rests_until",
        "used_at",
    )

    def __init__(self, address: Address, queue: PacketQueue, now: float) -> None:
        super().__init__(address, now)
        self.queue: PacketQueue = queue
        self.used_at: float = now
        self.attempts: int = 0
        self.dial_until: float = 0.0
        self.failures: int = 0
        self.rests_until: float = 0.0
        self.reason: str = ""
        self.renewing_since: float | None = None
        """Since when the association in use should have been renewed."""

    @property
    def idle(self) -> bool:
        """Nothing queued and no handshake under way."""
        return not self.queue and self.candidate is None


class Outgoing:
    """By the address at which a peer listens."""

    def __init__(
        self,
        config: DTLSTransportConfig,
        contexts: DTLSContexts,
        statistics: DTLSTransportStatistics,
        random_source: random.Random,
        port: int,
    ) -> None:
        """``port``: where we listen ourselves."""
        self.effects: Effects = Effects()
        self._config = config
        self._contexts = contexts
        self._all = statistics
        self._statistics = statistics.dtls
        self._random = random_source
        self._port = port
        self._table: AssociationTable[Destination] = AssociationTable()
        self._latest = contexts.client_context()
        self._checked_at = 0.0

    def send(self, address: Address, packet: bytes, now: float) -> None:
        """Seal and send one packet that fits a datagram, or queue it for the handshake's end."""
        slot = self._slot(address, now)
        slot.used_at = now
        if slot.current is not None and self._due_for_renewal(slot.current, now):
            self._renew_in_time(slot, now)
        current = slot.current
        if current is not None and not slot.queue:
            self._seal(slot, current, packet)
            self._after(slot, now)
            return
        if current is None and slot.candidate is None:
            if now < slot.rests_until:
                self._all.packets_dropped["backoff"] += 1
                self.effects.failures.append((address, slot.reason))
                return
            self._dial(slot, now)
        self._enqueue(slot, packet)
        self._after(slot, now)

    def receive(self, datagram: bytes, source: Address, now: float) -> None:
        """One datagram from a peer that we dialled."""
        records = read_records(datagram, MAX_RECORDS)
        slot = self._table.get(source)
        if slot is None or not records:
            self._statistics.datagrams_ignored["unknown" if records else "malformed"] += 1
            return
        for record in records:
            if is_lost_state(record):
                self._lost_state(slot, now)
                continue
            slot.receive(record, now)
        slot.heard_at = now
        self._after(slot, now)

    def dials(self, address: Address) -> bool:
        """Whether there is an association, or a handshake, with what listens there."""
        return self._table.get(address) is not None

    def unreachable(self, address: Address, reason: str, now: float) -> None:
        """The system says that nobody is there. It may have been lied to: that ends only a handshake."""
        slot = self._table.get(address)
        if slot is None:
            return
        if slot.candidate is not None:
            self._failed(slot, "connect", reason, now)
        elif slot.current is not None:
            self.effects.failures.append((address, reason))
            self._renew(slot, now)
        self._after(slot, now)

    def heard_from(self, address: Address) -> None:
        """The peer has reached us: do not rest any longer."""
        slot = self._table.get(address)
        if slot is not None:
            slot.rests_until = 0.0

    def connected(self) -> list[Address]:
        """Where packets go without a handshake."""
        return [slot.address for slot in self._table.slots.values() if slot.current is not None]

    def backlog(self, address: Address) -> int:
        """Bytes queued."""
        slot = self._table.get(address)
        return slot.queue.size if slot is not None else 0

    @property
    def busy(self) -> bool:
        """Packets wait."""
        return self._statistics.queued_packets > 0

    def drain(self) -> Effects:
        """What is to be done outside, each once."""
        found, self.effects = self.effects, Effects()
        return found

    def next_timeout(self) -> float | None:
        """When :meth:`handle_timeout` is due."""
        return self._table.next_timeout()

    def handle_timeout(self, now: float) -> None:
        """Go on with queues, repeat what was not answered, end what is over."""
        for slot in self._table.expired(now):
            candidate = slot.candidate
            if candidate is not None:
                due = candidate.next_timeout()
                if due is not None and now >= due:
                    candidate.handle_timeout(now)
            self._flush(slot)
            if slot.idle and now >= slot.used_at + self._config.outbound_idle_timeout:
                if slot.current is not None:
                    self._statistics.associations_ended["idle"] += 1
                self._end(slot, "evicted")
                continue
            self._after(slot, now)

    def close(self) -> None:
        """Drop what is queued, and send close_notify to all peers."""
        for slot in self._table:
            self._end(slot, "closed")

    # inside

    def _slot(self, address: Address, now: float) -> Destination:
        slot = self._table.get(address)
        if slot is not None:
            self._table.touch(slot)
            return slot
        while len(self._table.slots) >= self._config.max_outbound_associations:
            loser = victim(self._table.slots.values())
            self._statistics.associations_evicted["outbound"] += 1
            if loser.queue:
                self.effects.failures.append((loser.address, "its association had to make room"))
            self._end(loser, "evicted")
        tls = self._config.tls
        queue = PacketQueue(tls.max_queued_packets, tls.max_queued_bytes)
        slot = self._table.slots[address] = Destination(address, queue, now)
        return slot

    def _dial(self, slot: Destination, now: float) -> None:
        self._all.dials += 1
        slot.dial_until = now + self._config.tls.handshake_timeout
        slot.attempts = 0
        self._attempt(slot, now)

    def _attempt(self, slot: Destination, now: float) -> None:
        slot.attempts += 1
        self._checked_at = now
        self._latest = self._contexts.client_context()
        slot.candidate = Association.dial(
            self._config, self._latest, self._contexts.server_rule(slot.address), now
        )
        self._statistics.handshakes_outbound_pending += 1

    def _renew(self, slot: Destination, now: float) -> None:
        """Dial again while the old association is in use."""
        if slot.candidate is None and now >= slot.rests_until:
            self._statistics.renewals += 1
            self._dial(slot, now)

    def _renew_in_time(self, slot: Destination, now: float) -> None:
        """Its time is over, or certificates have changed: the peer has to prove itself anew, and soon."""
        if slot.renewing_since is None:
            slot.renewing_since = now
        self._renew(slot, now)
        if slot.current is not None and now >= slot.renewing_since + self._config.renew_grace:
            changed = slot.current.context is not self._context(now)
            self._statistics.associations_ended["certificates" if changed else "lifetime"] += 1
            slot.current.close()
            self._collect(slot)
            self._drop_current(slot)

    def _due_for_renewal(self, association: Association, now: float) -> bool:
        return (
            now >= association.established_at + self._config.association_lifetime
            or association.context is not self._context(now)
        )

    def _context(self, now: float) -> SSL.Context:
        """The current context; the files are not checked for every packet."""
        if now >= self._checked_at + _CHECK_INTERVAL:
            self._checked_at = now
            self._latest = self._contexts.client_context()
        return self._latest

    def _lost_state(self, slot: Destination, now: float) -> None:
        """Anyone can say so: worth a new handshake, once in a while, and nothing more."""
        self._statistics.lost_state_received += 1
        current = slot.current
        if current is not None and now >= current.established_at + self._config.retransmit_minimum:
            self._renew(slot, now)

    def _enqueue(self, slot: Destination, packet: bytes) -> None:
        size = slot.queue.size
        dropped = slot.queue.push(packet)
        self._statistics.queued_packets += 1 - dropped
        self._statistics.queued_bytes += slot.queue.size - size
        if dropped:
            self._all.packets_dropped["queue_full"] += dropped
            self.effects.failures.append((slot.address, _QUEUE_FULL))

    def _take(self, slot: Destination) -> bytes:
        packet = slot.queue.pop()
        self._statistics.queued_packets -= 1
        self._statistics.queued_bytes -= len(packet)
        return packet

    def _drop_queue(self, slot: Destination, reason: str) -> None:
        while slot.queue:
            self._take(slot)
            self._all.packets_dropped[reason] += 1

    def _flush(self, slot: Destination) -> None:
        for _ in range(self._config.packets_at_once):
            if not slot.queue or slot.current is None:
                return
            self._seal(slot, slot.current, self._take(slot))

    def _seal(self, slot: Destination, association: Association, packet: bytes) -> None:
        if association.send(seal_envelope(packet, self._port)):
            self._all.packets_sent += 1
            self._all.packet_bytes_sent += len(packet)
        else:
            self._all.packets_dropped["lost"] += 1
            self.effects.failures.append((slot.address, str(association.error or "the association ended")))

    def _after(self, slot: Destination, now: float) -> None:
        """Send what is to be sent, take away what is over, arm the timer."""
        self._collect(slot)
        candidate = slot.candidate
        if candidate is not None and candidate.state is State.ESTABLISHED:
            self._established(slot, candidate)
        elif candidate is not None and candidate.state is not State.HANDSHAKING:
            self._ended(slot, candidate.error, now)
        current = slot.current
        if current is not None and current.state is State.CLOSED:
            self._statistics.associations_ended["peer"] += 1
            self._drop_current(slot)
            if slot.queue and slot.candidate is None:
                self._dial(slot, now)
                self._collect(slot)
        if slot.current is None and slot.candidate is None and not slot.queue and not slot.failures:
            self._table.remove(slot)
            return
        if slot.queue and slot.current is not None:
            self._table.wake_at(slot, now)
        if slot.candidate is not None:
            self._table.wake_at(slot, slot.candidate.next_timeout())
        self._table.wake_at(slot, max(now, slot.used_at) + self._config.outbound_idle_timeout)

    def _established(self, slot: Destination, association: Association) -> None:
        self._statistics.handshakes_outbound_pending -= 1
        self._statistics.handshakes += 1
        self._all.handshakes += 1
        old = slot.current
        if old is None:
            self._statistics.associations_outbound += 1
        else:
            # The peer gives it up when the new one is used; a close_notify might arrive before.
            old.close()
            self._statistics.associations_ended["renewed"] += 1
        slot.current, slot.candidate = association, None
        slot.renewing_since = None
        self.effects.identified.append((slot.address, association.peer(slot.address.host)))
        slot.failures = 0
        self._flush(slot)
        self._collect(slot)

    def _ended(self, slot: Destination, error: Exception | None, now: float) -> None:
        """A handshake came to nothing: for good, or because the network is bad."""
        refusal = error if isinstance(error, RefusalError) else RefusalError("closed", "it was ended")
        certain = refusal.reason not in _UNCERTAIN
        if not certain and now < slot.dial_until and slot.attempts < self._config.max_attempts:
            self._statistics.handshakes_outbound_pending -= 1
            self._attempt(slot, now)
            self._collect(slot)
            return
        if refusal.reason == "timeout":
            self._failed(slot, "timeout", str(refusal), now)
            return
        counter = self._all.refused_by_peer if refusal.by_peer else self._all.refusals
        counter[refusal.reason] += 1
        self.effects.refusals.append((slot.address, refusal))
        self._failed(slot, "refused", str(refusal), now)

    def _failed(self, slot: Destination, reason: str, text: str, now: float) -> None:
        """The handshake came to nothing: rest, and give up what waited for it."""
        tls = self._config.tls
        self._statistics.handshakes_outbound_pending -= 1
        slot.candidate = None
        self._all.dial_failures[reason] += 1
        pause = min(tls.backoff_maximum, tls.backoff_minimum * 2 ** min(slot.failures, 16))
        slot.failures += 1
        slot.rests_until = now + pause * self._random.uniform(0.5, 1.0)
        slot.reason = text
        if slot.current is not None and reason == "timeout":
            # So long without any answer: the old association leads nowhere either.
            self._statistics.associations_ended["unanswered"] += 1
            slot.current.close()
            self._drop_current(slot)
        if slot.current is None:
            self._drop_queue(slot, "dial")
            self.effects.failures.append((slot.address, text))

    def _collect(self, slot: Destination) -> None:
        self.effects.collect(slot, self._statistics)

    def _drop_current(self, slot: Destination) -> None:
        if slot.current is not None:
            self._statistics.associations_outbound -= 1
            slot.current = None
            slot.renewing_since = None

    def _end(self, slot: Destination, reason: str) -> None:
        self._drop_queue(slot, reason)
        if slot.candidate is not None:
            self._statistics.handshakes_outbound_pending -= 1
        for association in slot.associations:
            association.close()
        self._collect(slot)
        slot.candidate = None
        self._drop_current(slot)
        self._table.remove(slot)
