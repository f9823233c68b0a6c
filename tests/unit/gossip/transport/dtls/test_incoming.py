"""Peers that dial us: nothing kept for the unproven, every bound reached, nothing destroyed by a hello."""

from __future__ import annotations

import itertools
import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tests.support.dtls import HOSTS, Node, World, authority, config_for, shared_contexts, shared_tls
from tocsin.gossip.address import Address
from tocsin.gossip.transport.dtls.association import MAX_EARLY, MAX_MESSAGES, MAX_OTHERS, Association
from tocsin.gossip.transport.dtls.context import DTLSContexts
from tocsin.gossip.transport.dtls.records import (
    CHANGE_CIPHER_SPEC,
    DATA,
    HANDSHAKE,
    Record,
    is_lost_state,
    read_records,
)
from tocsin.gossip.transport.dtls.verification import no_rule
from tocsin.tls.identity import ClusterIdentity


def node(world: World, number: int, **changes: object) -> Node:
    return Node(world, HOSTS[number], config=config_for(**changes))


def client_hello() -> bytes:
    return Association.dial(config_for(), shared_contexts().client_context(), no_rule, 0.0).drain()[0]


def begin(target: Node, source: Address) -> Association:
    """A peer that returns the cookie, so that its handshake is pending, and says no more."""
    client = Association.dial(config_for(), shared_contexts().client_context(), no_rule, target.world.now)
    (hello,) = client.drain()
    target.incoming.receive(hello, source, target.world.now)
    for _, answer in target.incoming.drain().datagrams:
        for record in read_records(answer):
            client.receive(record, target.world.now)
    (second,) = client.drain()
    target.incoming.receive(second, source, target.world.now)
    return client


def test_hellos_without_a_cookie_cost_no_memory_and_get_less_than_they_sent() -> None:
    world = World()
    b = node(world, 1)
    hellos = [client_hello() for _ in range(10)]
    for number in range(1000):
        hello = hellos[number % 10]
        b.incoming.receive(hello, Address(f"10.1.{number // 250}.{number % 250}", 1000 + number), world.now)
        ((_, answer),) = b.incoming.drain().datagrams
        assert len(answer) < len(hello)
    assert b.statistics.dtls.cookies_sent == 1000
    assert not b.incoming._table.slots
    assert b.incoming.next_timeout() is None


def test_a_cookie_is_refused_from_another_address_and_when_altered() -> None:
    world = World()
    b = node(world, 1)
    source = Address("10.0.0.1", 5000)
    client = Association.dial(config_for(), shared_contexts().client_context(), no_rule, 0.0)
    b.incoming.receive(client.drain()[0], source, world.now)
    ((_, request),) = b.incoming.drain().datagrams
    for record in read_records(request):
        client.receive(record, 0.1)
    (second,) = client.drain()
    altered = bytearray(second)
    altered[13 + 12 + 36] ^= 1
    b.incoming.receive(bytes(altered), source, world.now)
    b.incoming.receive(second, Address("10.0.0.1", 5001), world.now)
    b.incoming.receive(second, Address("10.0.0.3", 5000), world.now)
    assert b.statistics.dtls.cookies_refused == 3
    assert not b.incoming._table.slots
    assert not b.incoming.drain().datagrams
    b.incoming.receive(second, source, world.now)
    assert b.statistics.dtls.handshakes_inbound_pending == 1


def test_pending_handshakes_are_bounded_in_all_and_for_each_host_and_run_out() -> None:
    world = World()
    b = node(world, 1, max_inbound_handshakes=5, max_inbound_handshakes_per_host=3)
    for port in range(1, 6):
        begin(b, Address("10.0.0.3", port))
    assert b.statistics.dtls.handshakes_inbound_pending == 3
    assert b.statistics.dtls.handshakes_rejected == {"host": 2}
    for port in range(1, 6):
        begin(b, Address("10.0.0.4", port))
    assert b.statistics.dtls.handshakes_inbound_pending == 5
    assert b.statistics.dtls.handshakes_rejected == {"host": 2, "handshakes": 3}
    world.run(11.0)
    assert b.statistics.dtls.handshakes_inbound_pending == 0
    assert not b.incoming._table.slots
    a = node(world, 0)
    a.send(b, b"hello")
    assert world.run(1.0, lambda: b.packets)


def test_a_flood_of_pending_handshakes_of_one_host_holds_up_nobody_else() -> None:
    world = World()
    a, b = node(world, 0), node(world, 1, max_inbound_handshakes_per_host=3)
    for port in range(1, 50):
        begin(b, Address("10.0.0.3", port))
    a.send(b, b"hello")
    assert world.run(1.0, lambda: b.packets)


def piece(number: int, length: int, epoch: int = 0) -> bytes:
    """A record with one byte of a message."""
    body = bytes([11]) + length.to_bytes(3) + number.to_bytes(2) + bytes(3) + (1).to_bytes(3) + b"x"
    head = bytes([HANDSHAKE]) + b"\xfe\xfd" + epoch.to_bytes(2) + bytes(6)
    return head + len(body).to_bytes(2) + body


def clear(kind: int, body: bytes, number: int) -> bytes:
    head = bytes([kind]) + b"\xfe\xfd" + (0).to_bytes(2) + number.to_bytes(6)
    return head + len(body).to_bytes(2) + body


def test_of_records_beside_the_messages_of_a_handshake_few_are_given_to_openssl() -> None:
    world = World()
    b = node(world, 1)
    source = Address("10.0.0.3", 5)
    begin(b, source)
    candidate = b.incoming._table.slots[source].candidate
    assert candidate is not None
    counting = Counting(candidate._connection)
    candidate._connection = counting  # type: ignore[assignment]
    for number in range(100, 1100):
        b.incoming.receive(clear(CHANGE_CIPHER_SPEC, b"\x01", number), source, world.now)
    assert len(counting.given) == MAX_OTHERS
    assert b.statistics.dtls.handshakes_inbound_pending == 1
    b.incoming.drain()
    assert b.statistics.dtls.handshake_records_refused == 1000 - MAX_OTHERS


class Counting:
    """A connection that notes what OpenSSL gets."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.given: list[bytes] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.connection, name)

    def bio_write(self, data: bytes) -> int:
        self.given.append(data)
        return int(self.connection.bio_write(data))

    @property
    def numbers(self) -> list[int]:
        """Of the messages that the records begin with."""
        return [int.from_bytes(each[17:19]) for each in self.given]


def counted(target: Node, source: Address) -> tuple[Association, Counting]:
    """A pending handshake, and what OpenSSL gets of it from now on."""
    begin(target, source)
    association = target.incoming._table.slots[source].candidate
    assert association is not None
    connection = association._connection = Counting(association._connection)  # type: ignore[assignment]
    return association, connection


def test_little_is_kept_of_a_handshake_before_a_certificate() -> None:
    """OpenSSL takes room for all of a message with its first piece, and keeps what is under keys to come."""
    world = World()
    b, source = node(world, 1), Address("10.0.0.3", 1)
    _, connection = counted(b, source)
    for number in range(2, 13):
        for _ in range(3):
            b.incoming.receive(piece(number, 30_000), source, world.now)
    assert connection.numbers == [2, 2, 2, 3, 3, 3]
    _, connection = counted(b, source)
    b.incoming.receive(piece(4, 100) + piece(5, 90_000), source, world.now)
    assert connection.numbers == [4]
    _, connection = counted(b, source)
    two = piece(6, 100)[13:] + piece(7, 90_000)[13:]
    b.incoming.receive(piece(6, 100)[:11] + len(two).to_bytes(2) + two, source, world.now)
    assert connection.numbers == []
    _, connection = counted(b, source)
    for number in range(100):
        b.incoming.receive(piece(number, 100, epoch=1), source, world.now)
    assert len(connection.given) == MAX_EARLY
    assert b.statistics.dtls.handshake_records_refused == 9 * 3 + 1 + 1 + 100 - MAX_EARLY


@pytest.mark.parametrize("in_a_record", [1, MAX_MESSAGES, 340])
def test_of_a_handshake_few_messages_are_noted_and_then_none_is_looked_at(
    in_a_record: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message of one byte, of which no byte comes, takes twelve: a datagram announces thousands."""
    looked_at = 0
    messages = Record.handshake_messages.fget  # type: ignore[attr-defined]

    def looking(record: Record) -> list[tuple[int, int]]:
        nonlocal looked_at
        looked_at += 1
        found: list[tuple[int, int]] = messages(record)
        return found

    monkeypatch.setattr(Record, "handshake_messages", property(looking))
    world = World()
    b, source = node(world, 1), Address("10.0.0.3", 1)
    association, connection = counted(b, source)
    looked_at = 0
    for first in range(20, 20 + 3400, in_a_record):
        body = b"".join(
            bytes([11]) + (1).to_bytes(3) + number.to_bytes(2) + bytes(6)
            for number in range(first, first + in_a_record)
        )
        record = bytes([HANDSHAKE]) + b"\xfe\xfd" + bytes(8) + len(body).to_bytes(2) + body
        b.incoming.receive(record, source, world.now)
    assert len(association._announced) <= 2 * MAX_MESSAGES
    assert looked_at <= MAX_MESSAGES + 1
    assert len(connection.given) < MAX_MESSAGES
    a = Node(world, source.host)
    a.send(b, b"hello")
    assert world.run(1.0, lambda: b.packets)


@pytest.mark.parametrize("before", [0, MAX_EARLY])
def test_forged_records_under_the_keys_to_come_stop_no_handshake(before: int) -> None:
    """Who can send from a peer's address needs no key for them. OpenSSL drops them, once it has the keys."""
    world = World()
    b, source = node(world, 1), Address("10.0.0.3", 1)
    client = begin(b, source)
    for _, answer in b.incoming.drain().datagrams:
        for record in read_records(answer):
            client.receive(record, world.now)
    records = [each for datagram in client.drain() for each in read_records(datagram)]
    *clear, finished = records
    assert (clear[-1].kind, finished.kind, finished.epoch) == (CHANGE_CIPHER_SPEC, HANDSHAKE, 1)
    forged = itertools.count()
    for _ in range(before):
        b.incoming.receive(piece(next(forged), 100, epoch=1), source, world.now)
    for record in clear:
        b.incoming.receive(record.data, source, world.now)
    for _ in range(100):
        b.incoming.receive(piece(next(forged), 100, epoch=1), source, world.now)
    b.incoming.receive(finished.data, source, world.now)
    assert b.statistics.dtls.associations_inbound == 1


def test_handshakes_of_a_source_and_of_all_that_are_not_known_have_a_share() -> None:
    world = World()
    b = node(world, 1, tls_host_burst=0.1, max_inbound_handshakes_per_host=1000)
    friend = node(world, 0)
    friend.send(b, b"hello")
    assert world.run(1.0, lambda: b.packets)
    for port in range(1, 200):
        begin(b, Address("10.0.0.3", port))
    assert 40 < b.statistics.dtls.handshakes_inbound_pending < 60
    for host in range(100):
        begin(b, Address(f"10.1.0.{host}", 1))
    assert b.statistics.dtls.handshakes_inbound_pending < 70
    assert b.statistics.dtls.handshakes_rejected["share"] > 220
    again = Node(world, HOSTS[0], dial_port=40001)
    again.send(b, b"known")
    assert world.run(1.0, lambda: b"known" in b.data)


def test_stalled_handshakes_of_strangers_keep_neither_a_member_nor_for_long_a_stranger_out() -> None:
    world = World()
    b = node(world, 1, max_inbound_handshakes=5)
    node(world, 0).send(b, b"hello")
    assert world.run(1.0, lambda: b.packets)
    for host in range(10):
        begin(b, Address(f"10.1.0.{host}", 1))
    assert b.statistics.dtls.handshakes_inbound_pending == 5
    Node(world, HOSTS[0], dial_port=40001).send(b, b"known")
    assert world.run(0.5, lambda: b"known" in b.data)
    stranger = node(world, 2)
    stranger.send(b, b"stranger")
    assert world.run(9.0, lambda: b"stranger" in b.data)
    assert b.statistics.dtls.handshakes_rejected["stalled"] == 1


def dialled(world: World, b: Node, number: int, port: int) -> Node:
    a = Node(world, HOSTS[number], dial_port=port)
    a.send(b, b"from %d" % port)
    assert world.run(2.0, lambda: b"from %d" % port in b.data)
    return a


def test_a_host_that_comes_from_ever_new_ports_displaces_only_its_own_oldest() -> None:
    world = World()
    b = node(world, 8, max_inbound_associations_per_host=2)
    quiet = dialled(world, b, 1, 2000)
    for port in (3000, 3001, 3002):
        last = dialled(world, b, 2, port)
    assert b.statistics.dtls.associations_inbound == 3
    assert b.statistics.dtls.associations_evicted == {"host": 1}
    for peer in (quiet, last):
        peer.send(b, b"still here")
    assert world.run(1.0, lambda: b.data.count(b"still here") == 2)


def test_all_associations_are_bounded_and_the_least_recently_heard_makes_room() -> None:
    world = World()
    b = node(world, 8, max_inbound_associations=3)
    peers = [dialled(world, b, number, 2000 + number) for number in range(3)]
    peers[0].send(b, b"alive")
    world.run(0.5, lambda: b"alive" in b.data)
    dialled(world, b, 4, 2004)
    assert b.statistics.dtls.associations_inbound == 3
    assert b.statistics.dtls.associations_evicted == {"total": 1}
    world.run(0.1)
    assert peers[0].outgoing.connected() == [b.listen]
    assert peers[1].outgoing.connected() == []  # It was told.


def test_a_hello_on_an_association_in_use_destroys_nothing_until_it_is_authenticated() -> None:
    world = World()
    a, b = node(world, 0), node(world, 1)
    a.send(b, b"one")
    world.run(2.0, lambda: b.packets)
    begin(b, a.dials)  # Whoever it is: from the same address, with the right cookie.
    assert b.statistics.dtls.handshakes_inbound_pending == 1
    a.send(b, b"two")
    world.run(1.0)
    assert b.data == [b"one", b"two"]
    world.run(11.0)
    a.send(b, b"three")
    world.run(1.0)
    assert b.data == [b"one", b"two", b"three"]
    assert b.statistics.dtls.handshakes_inbound_pending == 0


def test_a_peer_that_restarted_at_the_same_port_replaces_its_earlier_life() -> None:
    world = World()
    a, b = node(world, 0), node(world, 1)
    a.send(b, b"one")
    world.run(2.0, lambda: b.packets)
    reborn = node(world, 0)
    reborn.send(b, b"two")
    assert world.run(1.0, lambda: b.data == [b"one", b"two"])
    assert b.statistics.dtls.associations_inbound == 1
    assert b.statistics.dtls.associations_ended == {"renewed": 1}


def test_both_dial_at_once_and_have_an_association_each() -> None:
    world = World()
    a, b = node(world, 0), node(world, 1)
    a.send(b, b"to b")
    b.send(a, b"to a")
    assert world.run(1.0, lambda: a.packets and b.packets)
    for each in (a, b):
        assert each.statistics.dtls.associations_inbound == each.statistics.dtls.associations_outbound == 1
        assert each.statistics.dtls.retransmissions == 0


def test_a_quiet_association_is_forgotten() -> None:
    world = World()
    a, b = node(world, 0), node(world, 1, inbound_idle_timeout=60.0)
    a.send(b, b"one")
    world.run(50.0)
    assert b.statistics.dtls.associations_inbound == 1
    world.run(60.0)
    assert b.statistics.dtls.associations_inbound == 0
    assert b.statistics.dtls.associations_ended == {"idle": 1}
    assert not b.incoming._table.slots
    a.send(b, b"two")
    assert world.run(1.0, lambda: b.data == [b"one", b"two"])


def test_who_was_trusted_under_old_files_is_verified_anew_within_the_grace() -> None:
    world = World()
    contexts = DTLSContexts(ClusterIdentity(shared_tls()))
    a = node(world, 0)
    b = Node(world, HOSTS[1], contexts=contexts)
    a.send(b, b"one")
    world.run(2.0, lambda: b.packets)
    contexts.identity = ClusterIdentity(authority().cluster_config(authority().issue(*HOSTS)))
    for _ in range(40):
        world.run(2.0)
        a.send(b, b"more")
    assert b.statistics.dtls.associations_ended["certificates"] == 1
    assert b.statistics.dtls.associations_inbound == 1
    assert b.statistics.dtls.handshakes == 2
    assert len(b.packets) >= 39


def test_data_without_an_association_is_answered_so_often_and_no_more() -> None:
    world = World()
    b = node(world, 1, lost_state_replies=10)
    sealed = bytes([DATA]) + b"\xfe\xfd\x00\x01" + bytes(6) + b"\x00\x20" + bytes(32)
    for port in range(1, 100):
        b.incoming.receive(sealed, Address("10.0.0.7", port), world.now)
    effects = b.incoming.drain()
    assert len(effects.datagrams) == b.statistics.dtls.lost_state_sent == 10
    assert all(is_lost_state(read_records(datagram)[0]) for _, datagram in effects.datagrams)
    assert all(len(datagram) < len(sealed) for _, datagram in effects.datagrams)
    assert b.statistics.dtls.datagrams_ignored == {"unknown": 99}
    b.incoming.receive(sealed, Address("10.0.0.7", 1), world.now + 2)
    assert b.statistics.dtls.lost_state_sent == 11


@settings(max_examples=many(300))
@given(st.binary(max_size=400))
def test_any_datagram_is_borne(data: bytes) -> None:
    world = World()
    b = node(world, 1)
    b.incoming.receive(data, Address("10.0.0.7", 1), world.now)
    assert not b.incoming._table.slots


@settings(max_examples=many(60))
@given(st.data())
def test_any_datagram_is_borne_amid_a_handshake_and_after_it(data: st.DataObject) -> None:
    world = World()
    a, b = node(world, 0), node(world, 1)
    b.send(a, b"first")
    steps = data.draw(st.integers(0, 8))
    world.run(0.001 * steps)
    kind = data.draw(st.sampled_from([20, 21, 22, 23]))
    epoch = data.draw(st.integers(0, 2))
    body = data.draw(st.binary(min_size=1, max_size=200))
    head = (
        bytes([kind]) + b"\xfe\xfd" + epoch.to_bytes(2, "big") + data.draw(st.binary(min_size=6, max_size=6))
    )
    wild = head + len(body).to_bytes(2, "big") + body
    a.receive(a.listen, wild, b.dials)
    b.receive(b.dials, wild, a.listen)
    world.run(30.0, lambda: a.packets)
    b.send(a, b"second")
    world.run(15.0)
    b.send(a, b"third")
    world.run(1.0)
    assert b"third" in a.data


def test_a_packet_of_a_version_to_come_is_ignored() -> None:
    world = World()
    a, b = node(world, 0), node(world, 1)
    a.send(b, b"one")
    world.run(2.0, lambda: b.packets)
    (slot,) = a.outgoing._table
    assert slot.current is not None
    for plaintext in (b"\x02later", b"\x01", b"\x01\x24\x86"):
        slot.current.send(plaintext)
        for datagram in slot.current.drain():
            b.receive(b.listen, datagram, a.dials)
    assert b.data == [b"one"]
    assert b.statistics.dtls.datagrams_ignored == {"not_packet": 2}
    assert b.statistics.packets_ignored == 1


def test_nothing_of_keys_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world = World()
    a, b = node(world, 0), node(world, 1)
    a.send(b, b"secret packet")
    world.run(2.0, lambda: b.packets)
    assert "secret" not in caplog.text
