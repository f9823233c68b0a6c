"""Peers that we dial: bounded queues, renewal without a gap, hints that are not believed."""

from __future__ import annotations

from tests.support.certificates import CertificateAuthority
from tests.support.dtls import HOSTS, Node, World, authority, config_for, shared_tls
from tocsin.gossip.address import Address
from tocsin.gossip.transport.dtls.context import DTLSContexts
from tocsin.gossip.transport.dtls.records import DATA, lost_state, read_records
from tocsin.gossip.transport.dtls.table import AssociationTable, Slot
from tocsin.tls.identity import ClusterIdentity

NOBODY = Address("10.9.9.9", 9094)


def node(world: World, number: int, **changes: object) -> Node:
    return Node(world, HOSTS[number], config=config_for(**changes))


def test_packets_wait_for_the_handshake_in_order() -> None:
    world = World()
    a, b = node(world, 0), node(world, 1)
    sent = [b"%d" % number for number in range(300)]
    for packet in sent:
        a.send(b, packet)
    assert a.statistics.dtls.queued_packets == 300
    assert world.run(2.0, lambda: len(b.packets) == 300)
    assert b.data == sent
    assert a.statistics.dtls.queued_packets == a.statistics.dtls.queued_bytes == 0
    assert a.outgoing.backlog(b.listen) == 0


def test_who_wants_to_be_woken_at_once_waits_for_the_next_turn() -> None:
    table: AssociationTable[Slot] = AssociationTable()
    slot = table.slots[NOBODY] = Slot(NOBODY, 0.0)
    table.wake_at(slot, 1.0)
    for woken, each in enumerate(table.expired(1.0)):
        assert woken == 0
        table.wake_at(each, 1.0)
    assert table.next_timeout() == 1.0


def test_a_queue_is_bounded_in_packets_and_drops_its_oldest() -> None:
    world = World()
    a = node(world, 0, tls_max_queued_packets=10)
    for number in range(25):
        a.send(NOBODY, b"%d" % number)
    assert a.statistics.dtls.queued_packets == 10
    assert a.statistics.packets_dropped == {"queue_full": 15}
    assert len(a.failures) == 15


def test_a_queue_is_bounded_in_bytes() -> None:
    world = World()
    a = node(world, 0, tls_max_queued_bytes=5000)
    for _ in range(10):
        a.send(NOBODY, bytes(1000))
    assert a.outgoing.backlog(NOBODY) == a.statistics.dtls.queued_bytes == 5000
    assert a.statistics.packets_dropped == {"queue_full": 5}


def test_destinations_are_bounded_and_the_least_recently_used_makes_room() -> None:
    world = World()
    a = node(world, 0, max_outbound_associations=3)
    others = [node(world, number) for number in range(1, 5)]
    for other in others[:3]:
        a.send(other, b"one")
    world.run(2.0, lambda: all(other.packets for other in others[:3]))
    a.send(others[0], b"two")
    a.send(others[3], b"one")
    assert world.run(2.0, lambda: others[3].packets)
    assert a.statistics.dtls.associations_evicted == {"outbound": 1}
    assert others[1].listen not in a.outgoing.connected()
    assert others[0].listen in a.outgoing.connected()
    world.run(0.1)
    assert others[1].statistics.dtls.associations_inbound == 0  # It was told.


def test_a_silent_peer_is_reported_once_and_rests() -> None:
    world = World()
    a = node(world, 0)
    start = world.now
    for _ in range(5):
        a.send(NOBODY, b"anyone?")
    assert world.run(60.0, lambda: a.failures)
    assert 9.9 <= world.now - start <= 12.1
    assert len(a.failures) == 1
    assert a.statistics.dials == 1
    assert a.statistics.dial_failures == {"timeout": 1}
    assert a.statistics.packets_dropped == {"dial": 5}
    a.send(NOBODY, b"again?")
    assert a.statistics.packets_dropped == {"dial": 5, "backoff": 1}
    assert len(a.failures) == 2
    a.outgoing.heard_from(NOBODY)
    a.send(NOBODY, b"again?")
    assert a.statistics.dials == 2
    world.run(1000.0)
    assert not a.outgoing._table.slots


def test_the_systems_word_ends_a_handshake_at_once_and_an_association_not() -> None:
    world = World()
    a, b = node(world, 0), node(world, 1)
    a.send(NOBODY, b"anyone?")
    a.outgoing.unreachable(NOBODY, "connection refused", world.now)
    a.drain()
    assert a.failures == [(NOBODY, "connection refused")]
    assert a.statistics.dial_failures == {"connect": 1}
    a.send(b, b"one")
    world.run(2.0, lambda: b.packets)
    a.outgoing.unreachable(b.listen, "connection refused", world.now)
    assert a.outgoing.connected() == [b.listen]
    a.send(b, b"two")
    assert world.run(1.0, lambda: b.data == [b"one", b"two"])


def test_an_association_is_renewed_within_its_lifetime_and_no_packet_is_lost() -> None:
    world = World()
    a = node(world, 0, association_lifetime=100.0)
    b = node(world, 1, association_lifetime=100.0)
    sent = []
    for number in range(3500):
        sent.append(b"%d" % number)
        a.send(b, sent[-1])
        world.run(0.1)
    world.run(1.0)
    assert b.data == sent
    assert a.statistics.dtls.renewals == 3
    assert b.statistics.dtls.associations_ended == {"renewed": 3}
    assert b.statistics.dtls.associations_inbound == a.statistics.dtls.associations_outbound == 1


def test_the_other_side_insists_on_the_lifetime() -> None:
    world = World()
    a, b = node(world, 0), node(world, 1, association_lifetime=100.0)
    for _ in range(200):
        a.send(b, b"x")
        world.run(1.0)
    assert b.statistics.dtls.associations_ended == {"lifetime": 1}
    assert b.statistics.dtls.handshakes == 2
    assert len(b.packets) >= 199


def test_changed_certificates_are_in_use_within_a_second() -> None:
    world = World()
    contexts = DTLSContexts(ClusterIdentity(shared_tls()))
    a, b = Node(world, HOSTS[0], contexts=contexts), node(world, 1)
    a.send(b, b"one")
    world.run(2.0, lambda: b.packets)
    contexts.identity = ClusterIdentity(authority().cluster_config(authority().issue(*HOSTS)))
    for packet in (b"two", b"three", b"four"):
        world.run(1.0)
        a.send(b, packet)
    world.run(1.0)
    assert b.data == [b"one", b"two", b"three", b"four"]
    assert a.statistics.dtls.renewals == 1
    assert b.statistics.dtls.associations_ended == {"renewed": 1}


def test_a_peer_that_the_new_authorities_do_not_vouch_for_gets_nothing_after_the_grace() -> None:
    world = World()
    contexts = DTLSContexts(ClusterIdentity(shared_tls()))
    a, b = Node(world, HOSTS[0], contexts=contexts), node(world, 1)
    a.send(b, b"one")
    world.run(2.0, lambda: b.packets)
    other = CertificateAuthority("another")
    contexts.identity = ClusterIdentity(other.cluster_config(other.issue(*HOSTS)))
    for _ in range(50):
        a.send(b, b"late")
        world.run(1.0)
    assert 1 < b.data.count(b"late") <= 31
    assert a.outgoing.connected() == []
    assert a.statistics.dtls.associations_ended["certificates"] == 1
    assert a.statistics.refusals["unknown_authority"] >= 1
    assert a.failures


def test_a_peer_that_lost_its_state_is_dialled_anew() -> None:
    world = World()
    a, b = node(world, 0), node(world, 1)
    a.send(b, b"one")
    world.run(2.0, lambda: b.packets)
    reborn = node(world, 1)
    world.run(1.0)
    a.send(reborn, b"two")
    world.run(1.0)
    a.send(reborn, b"three")
    assert world.run(1.0, lambda: b"three" in reborn.data)
    assert a.statistics.dtls.lost_state_received == 1
    assert reborn.statistics.dtls.lost_state_sent == 1


def test_a_forged_word_of_lost_state_costs_handshakes_now_and_then_and_no_packet() -> None:
    world = World()
    a, b = node(world, 0), node(world, 1)
    a.send(b, b"one")
    world.run(2.0, lambda: b.packets)
    for number in range(100):
        a.receive(a.dials, lost_state(), b.listen)
        a.send(b, b"%d" % number)
        world.run(0.01)
    world.run(1.0)
    assert len(b.packets) == 101
    assert a.statistics.dtls.renewals <= 5


def test_a_renewal_without_any_answer_ends_the_association() -> None:
    world = World()
    a, b = node(world, 0), node(world, 1)
    a.send(b, b"one")
    world.run(2.0, lambda: b.packets)
    world.detach(b)
    world.run(1.0)
    a.receive(a.dials, lost_state(), b.listen)
    world.run(15.0)
    assert a.outgoing.connected() == []
    assert a.statistics.dtls.associations_ended == {"unanswered": 1}
    assert a.failures


def test_an_idle_association_is_closed() -> None:
    world = World()
    a, b = node(world, 0, outbound_idle_timeout=60.0), node(world, 1)
    a.send(b, b"one")
    world.run(100.0)
    assert not a.outgoing._table.slots
    assert a.statistics.dtls.associations_ended == {"idle": 1}
    assert b.statistics.dtls.associations_inbound == 0


def test_closing_tells_the_peers() -> None:
    world = World()
    a, b = node(world, 0), node(world, 1)
    a.send(b, b"one")
    world.run(2.0, lambda: b.packets)
    a.send(NOBODY, b"lost")
    a.outgoing.close()
    a.drain()
    world.run(0.1)
    assert b.statistics.dtls.associations_inbound == 0
    assert b.statistics.dtls.associations_ended == {"peer": 1}
    assert a.statistics.packets_dropped == {"closed": 1}
    assert a.statistics.dtls.associations_outbound == a.statistics.dtls.handshakes_outbound_pending == 0


def test_a_packet_costs_forty_bytes() -> None:
    world = World()
    a, b = node(world, 0), node(world, 1)
    a.send(b, bytes(500))
    world.run(2.0, lambda: b.packets)
    (record,) = read_records(world.carried[-1][3])
    assert record.kind == DATA
    assert len(record.data) == 540
