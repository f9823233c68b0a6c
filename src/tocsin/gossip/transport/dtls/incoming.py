"""Associations that peers begin: they bring packets, and nothing but the handshake goes back. No I/O."""

from __future__ import annotations

from tocsin.bounded import Quota
from tocsin.gossip.address import Address
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.transport.dtls.admission import Admission
from tocsin.gossip.transport.dtls.association import Association, State
from tocsin.gossip.transport.dtls.context import DTLSContexts
from tocsin.gossip.transport.dtls.cookies import Cookies
from tocsin.gossip.transport.dtls.envelope import open_envelope
from tocsin.gossip.transport.dtls.records import (
    DATA,
    MAX_RECORDS,
    Record,
    hello_verify_request,
    lost_state,
    read_client_hello,
    read_records,
)
from tocsin.gossip.transport.dtls.settings import DTLSTransportConfig, DTLSTransportStatistics
from tocsin.gossip.transport.dtls.table import AssociationTable, Effects, Slot
from tocsin.sources import source_of
from tocsin.tls.refusal import RefusalError


class Incoming:
    """By the address that a peer dials from.

    Nothing is kept for an address before it has returned a cookie.
    """

    def __init__(
        self,
        config: DTLSTransportConfig,
        contexts: DTLSContexts,
        cookies: Cookies,
        statistics: DTLSTransportStatistics,
    ) -> None:
        self.effects: Effects = Effects()
        self._config = config
        self._contexts = contexts
        self._cookies = cookies
        self._all = statistics
        self._statistics = statistics.dtls
        self._table: AssociationTable[Slot] = AssociationTable()
        self._established: Quota[str] = Quota(
            config.max_inbound_associations_per_host, config.max_inbound_associations
        )
        self._handshaking: Quota[str] = Quota(config.max_inbound_handshakes_per_host)
        self._strangers: dict[Slot, float] = {}
        """Handshakes of sources that are not known, since when: these have a bound together."""
        self._admission = Admission(config)
        self._replies = 0
        self._replies_since = 0.0

    def receive(self, datagram: bytes, source: Address, now: float) -> None:
        """One datagram. Hostile ones are counted, and change nothing."""
        records = read_records(datagram, MAX_RECORDS)
        if not records:
            self._statistics.datagrams_ignored["malformed"] += 1
            return
        if records[0].is_client_hello:
            self._hello(records[0], source, now)
            return
        slot = self._table.get(source)
        if slot is None:
            self._unknown(records[0], source, now)
            return
        for record in records:
            self._record(slot, record, now)
        if source in self._table.slots:
            self._after(slot, now)

    def knows(self, source: Address) -> bool:
        """Whether a peer at that host was authenticated before."""
        return self._admission.knows(source_of(source.host))

    def drain(self) -> Effects:
        """What is to be done outside, each once."""
        found, self.effects = self.effects, Effects()
        return found

    def next_timeout(self) -> float | None:
        """When :meth:`handle_timeout` is due."""
        return self._table.next_timeout()

    def handle_timeout(self, now: float) -> None:
        """Repeat what was not answered, end what is over."""
        for slot in self._table.expired(now):
            for association in slot.associations:
                due = association.next_timeout()
                if due is not None and now >= due:
                    association.handle_timeout(now)
            current = slot.current
            if current is not None and current.state is State.ESTABLISHED:
                self._expire(slot, current, now)
            self._after(slot, now)

    def close(self) -> None:
        """Send close_notify to all peers."""
        for slot in self._table:
            for association in slot.associations:
                association.close()
            self._collect(slot)
            self._forget(slot)

    # inside

    def _hello(self, record: Record, source: Address, now: float) -> None:
        hello = read_client_hello(record)
        if hello is None:
            self._statistics.datagrams_ignored["malformed"] += 1
            return
        slot = self._table.get(source)
        if slot is not None:
            for association in slot.associations:
                if association.random == hello.random:
                    # Said again, or come late.
                    if hello.cookie and association is slot.candidate:
                        slot.receive(record, now)
                        self._after(slot, now)
                    return
        if not hello.cookie:
            cookie = self._cookies.make(source, hello.parameters, now)
            self.effects.datagrams.append((source, hello_verify_request(hello, cookie)))
            self._statistics.cookies_sent += 1
            return
        if not self._cookies.check(hello.cookie, source, hello.parameters, now):
            self._statistics.cookies_refused += 1
            return
        self._accept(slot, record, hello.random, source, now)

    def _accept(self, slot: Slot | None, record: Record, random: bytes, source: Address, now: float) -> None:
        host = source_of(source.host)
        begins = slot is None or not slot.pending
        bound = self._bound_for(host, now) if begins else ""
        if not bound and not self._admission.admit(host, now):
            bound = "share"
        if bound:
            self._statistics.handshakes_rejected[bound] += 1
            return
        association = Association.accept(
            self._config, self._contexts.server_context(), self._contexts.client_rule(), record, random, now
        )
        if slot is None:
            slot = self._table.slots[source] = Slot(source, now)
        else:
            self._drop_candidate(slot)
        slot.candidate = association
        self._count_pending(slot, 1)
        if not self._admission.knows(host):
            self._strangers[slot] = now
        self._after(slot, now)

    def _bound_for(self, host: str, now: float) -> str:
        """The bound on handshakes under way that keeps out one more of ``host``; empty: none."""
        if self._handshaking.full_of(host):
            return "host"
        if self._admission.knows(host) or len(self._strangers) < self._config.max_inbound_handshakes:
            return ""
        oldest, since = next(iter(self._strangers.items()))
        if now - since < self._config.tls.handshake_patience:
            return "handshakes"
        self._statistics.handshakes_rejected["stalled"] += 1
        self._drop_candidate(oldest)
        if not oldest.associations:
            self._forget(oldest)
        return ""

    def _record(self, slot: Slot, record: Record, now: float) -> None:
        candidate = slot.candidate
        handshaking = slot.pending
        found = slot.receive(record, now)
        if candidate is not None and handshaking and candidate.state is State.ESTABLISHED:
            self._establish(slot, candidate, now)
        if record.kind != DATA:
            return
        if not found:
            self._statistics.records_ignored += 1
            return
        slot.heard_at = now
        self._table.touch(slot)
        if slot.candidate is not None and slot.candidate.state is State.ESTABLISHED and slot.current:
            self._replace(slot)
        if slot.reader is not None:
            peer = slot.reader.peer(slot.address.host)
            for plaintext in found:
                self._deliver(plaintext, slot.address, peer)

    def _deliver(self, plaintext: bytes, remote: Address, peer: PeerIdentity) -> None:
        opened = open_envelope(plaintext, remote)
        if opened is None:
            self._statistics.datagrams_ignored["not_packet"] += 1
            return
        packet, source = opened
        if not packet:
            self._all.packets_ignored += 1
            return
        self._all.packets_received += 1
        self._all.packet_bytes_received += len(packet)
        self.effects.packets.append((packet, source, peer))

    def _establish(self, slot: Slot, association: Association, now: float) -> None:
        """The handshake is over: count it, and make room for it. If a certificate was accepted, its source is
        known from now on."""
        self._count_pending(slot, -1)
        if association.peer(slot.address.host).certificate:
            self._admission.know(source_of(slot.address.host))
        self._all.handshakes += 1
        self._statistics.handshakes += 1
        slot.heard_at = now
        self._table.touch(slot)
        if slot.current is None:
            slot.current, slot.candidate = association, None
            host = source_of(slot.address.host)
            of_host, in_all = self._established.full_of(host), self._established.full
            self._established.add(host)
            self._statistics.associations_inbound += 1
            if of_host:
                self._evict(slot, host)
            elif in_all:
                self._evict(slot, "")

    def _evict(self, newcomer: Slot, host: str) -> None:
        for slot in self._table.slots.values():
            if (
                slot is not newcomer
                and slot.current is not None
                and host in ("", source_of(slot.address.host))
            ):
                self._statistics.associations_evicted["host" if host else "total"] += 1
                self._end_current(slot)
                if slot.candidate is None:
                    self._forget(slot)
                return

    def _replace(self, slot: Slot) -> None:
        """The peer uses the candidate from now on."""
        if slot.current is not None:
            slot.current.close()
            slot.current.drain()  # It knows: a close_notify could only be mistaken.
            self._statistics.associations_ended["renewed"] += 1
        slot.current, slot.candidate = slot.candidate, None

    def _expire(self, slot: Slot, association: Association, now: float) -> None:
        config = self._config
        reason = ""
        if now >= slot.heard_at + config.inbound_idle_timeout:
            reason = "idle"
        elif now >= association.established_at + config.association_lifetime * 1.1:
            reason = "lifetime"
        elif (
            association.context is not self._contexts.server_context()
            and now >= association.established_at + config.renew_grace
        ):
            reason = "certificates"
        if reason:
            self._statistics.associations_ended[reason] += 1
            self._end_current(slot)

    def _end_current(self, slot: Slot) -> None:
        current = slot.current
        if current is None:
            return
        current.close()
        self._collect(slot)
        slot.current = None
        self._uncount(slot)

    def _after(self, slot: Slot, now: float) -> None:
        """Send what is to be sent, take away what is over, arm the timer."""
        self._collect(slot)
        candidate, current = slot.candidate, slot.current
        if candidate is not None and candidate.state in (State.FAILED, State.CLOSED):
            self._refused(slot, candidate)
            if candidate.state is State.CLOSED:
                self._drop_candidate(slot)
        if current is not None and current.state is State.CLOSED:
            self._statistics.associations_ended["peer"] += 1
            slot.current = None
            self._uncount(slot)
            if slot.candidate is not None and slot.candidate.state is State.ESTABLISHED:
                self._establish_late(slot)
        if not slot.associations:
            self._forget(slot)
            return
        if slot.current is not None:
            self._table.wake_at(slot, now + self._config.renew_grace)
        for association in slot.associations:
            self._table.wake_at(slot, association.next_timeout())

    def _establish_late(self, slot: Slot) -> None:
        slot.current, slot.candidate = slot.candidate, None
        self._established.add(source_of(slot.address.host))
        self._statistics.associations_inbound += 1

    def _refused(self, slot: Slot, association: Association) -> None:
        """Count and report each refusal once."""
        error = association.error
        if association.reported or not isinstance(error, RefusalError):
            return
        association.reported = True
        counter = self._all.refused_by_peer if error.by_peer else self._all.refusals
        counter[error.reason] += 1
        self.effects.refusals.append((slot.address, error))

    def _collect(self, slot: Slot) -> None:
        self.effects.collect(slot, self._statistics)

    def _drop_candidate(self, slot: Slot) -> None:
        candidate = slot.candidate
        if candidate is None:
            return
        if candidate.state is State.ESTABLISHED:
            # Authenticated after the one in use, but not used yet.
            if slot.current is not None:
                self._replace(slot)
            return
        self._count_pending(slot, -1)
        slot.candidate = None

    def _forget(self, slot: Slot) -> None:
        if slot.pending:
            self._count_pending(slot, -1)
        if slot.current is not None:
            self._uncount(slot)
        slot.current = slot.candidate = None
        self._table.remove(slot)

    def _count_pending(self, slot: Slot, change: int) -> None:
        self._statistics.handshakes_inbound_pending += change
        if change > 0:
            self._handshaking.add(source_of(slot.address.host), change)
        else:
            self._strangers.pop(slot, None)
            self._handshaking.release(source_of(slot.address.host), -change)

    def _uncount(self, slot: Slot) -> None:
        host = source_of(slot.address.host)
        self._statistics.associations_inbound -= 1
        self._established.release(host)

    def _unknown(self, record: Record, source: Address, now: float) -> None:
        """Data without an association: we restarted, or ended it. The peer should dial again."""
        self._statistics.datagrams_ignored["unknown"] += 1
        if record.kind != DATA or not record.epoch:
            return
        if now - self._replies_since >= 1.0:
            self._replies_since, self._replies = now, 0
        if self._replies < self._config.lost_state_replies:
            self._replies += 1
            self._statistics.lost_state_sent += 1
            self.effects.datagrams.append((source, lost_state()))
