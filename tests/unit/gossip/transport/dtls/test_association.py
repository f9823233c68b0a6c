"""One association: datagrams within the MTU, flights repeated by our own timer, ends."""

from __future__ import annotations

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.certificates import Certificate
from tests.support.dtls import HOSTS, Node, World, authority, config_for, shared_contexts
from tocsin.gossip.address import Address
from tocsin.gossip.transport.dtls.association import Association, State
from tocsin.gossip.transport.dtls.context import DTLSContexts
from tocsin.gossip.transport.dtls.records import ALERT, HANDSHAKE, read_records
from tocsin.gossip.transport.dtls.settings import PACKET_BYTES
from tocsin.gossip.transport.dtls.verification import no_rule
from tocsin.tls.identity import ClusterIdentity


def pair() -> tuple[World, Node, Node]:
    world = World()
    return world, Node(world, HOSTS[0]), Node(world, HOSTS[1])


def is_final(datagram: bytes) -> bool:
    """The answering side's last flight: nothing of it is a handshake message in clear."""
    records = read_records(datagram)
    return any(r.kind == HANDSHAKE and r.epoch for r in records) and not any(
        r.handshake_header for r in records
    )


def long_certificate() -> Certificate:
    """With a key of 4,096 bits and many names it does not fit two datagrams."""
    key = rsa.generate_private_key(65537, 4096)
    now = datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(host)) for host in HOSTS]
    names += [x509.DNSName(f"a-rather-long-name-{number}.cluster.example.org") for number in range(60)]
    issuer = authority()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer._name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .sign(issuer._key, hashes.SHA256())
    )
    return Certificate(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )


def test_a_long_chain_of_certificates_goes_in_datagrams_within_the_mtu() -> None:
    tls = authority().cluster_config(long_certificate())
    contexts = DTLSContexts(ClusterIdentity(tls))
    world = World()
    a, b = (Node(world, host, contexts=contexts) for host in HOSTS[:2])
    a.send(b, b"hello")
    assert world.run(5.0, lambda: b.packets)
    assert world.longest <= 1400
    assert len([each for each in world.carried if len(each[3]) > 1000]) >= 4


def test_the_longest_packet_fills_a_datagram_of_the_mtu() -> None:
    world, a, b = pair()
    a.send(b, bytes(PACKET_BYTES))
    assert world.run(5.0, lambda: b.packets)
    assert world.longest == 1400
    assert b.data == [bytes(PACKET_BYTES)]


def test_a_handshake_is_six_datagrams() -> None:
    world, a, b = pair()
    a.send(b, b"hello")
    world.run(5.0, lambda: b.packets)
    handshake = [datagram for _, _, _, datagram in world.carried if read_records(datagram)[0].kind != 23]
    assert len(handshake) == 6
    assert a.statistics.dtls.retransmissions == b.statistics.dtls.retransmissions == 0


def test_whichever_flight_is_lost_it_is_sent_again() -> None:
    for lost in range(6):
        world, a, b = pair()
        count = 0

        def cut(source: Address, to: Address, datagram: bytes, lost: int = lost) -> bool:
            nonlocal count
            count += 1
            return count == lost + 1

        world.cut = cut
        start = world.now
        a.send(b, b"hello")
        assert world.run(5.0, lambda b=b: b.packets), f"flight {lost}"  # type: ignore[misc]
        assert world.now - start < 0.5, f"flight {lost}"
        assert a.statistics.dtls.retransmissions == 1
        assert b.statistics.dtls.retransmissions == (1 if lost in (3, 5) else 0)


def test_a_silent_peer_is_given_up_and_asked_less_and_less_often() -> None:
    config = config_for()
    client = Association.dial(config, shared_contexts().client_context(), no_rule, 0.0)
    first = client.drain()
    times = []
    while client.state is State.HANDSHAKING:
        now = client.next_timeout()
        assert now is not None
        client.handle_timeout(now)
        if repeated := client.drain():
            assert repeated == first
            times.append(now)
    assert times == [0.25, 0.75, 1.75, 3.75]
    assert client.error is not None
    assert client.next_timeout() is None


def test_the_answering_side_never_speaks_first() -> None:
    world, a, b = pair()
    world.cut = lambda source, to, datagram: to == a.dials and len(datagram) > 200
    a.send(b, b"hello")
    world.run(0.2)
    world.detach(a)
    before = len(world.carried)
    world.run(3.0)
    assert len(world.carried) == before
    assert b.statistics.dtls.handshakes_inbound_pending == 1
    world.run(10.0)
    assert b.statistics.dtls.handshakes_inbound_pending == 0
    assert b.statistics.refusals == {"timeout": 1}


def test_a_lost_last_flight_is_repeated_by_who_is_through_already() -> None:
    world, a, b = pair()
    world.cut = lambda source, to, datagram: is_final(datagram)
    a.send(b, b"hello")
    world.run(1.0)
    assert b.statistics.dtls.associations_inbound == 1
    assert a.statistics.dtls.associations_outbound == 0
    world.cut = lambda source, to, datagram: False
    assert world.run(3.0, lambda: b.packets)


def test_the_reason_of_a_refusal_is_told_again_when_it_was_lost() -> None:
    stranger = authority().cluster_config(authority().issue(*HOSTS, ends=datetime.timedelta(days=-1)))
    world = World()
    a = Node(world, HOSTS[0], contexts=DTLSContexts(ClusterIdentity(stranger)))
    b = Node(world, HOSTS[1])
    lost: list[bytes] = []

    def cut(source: Address, to: Address, datagram: bytes) -> bool:
        if read_records(datagram)[0].kind == ALERT and not lost:
            lost.append(datagram)
            return True
        return False

    world.cut = cut
    a.send(b, b"hello")
    assert world.run(3.0, lambda: a.refusals)
    assert lost
    assert a.refusals[0][1].reason == "expired"
    assert a.refusals[0][1].by_peer
    assert len(b.refusals) == 1


def test_a_close_ends_the_association_and_the_next_packet_begins_another() -> None:
    world, a, b = pair()
    a.send(b, b"one")
    world.run(5.0, lambda: b.packets)
    b.incoming.close()
    b.drain()
    world.run(0.1)
    assert a.outgoing.connected() == []
    a.send(b, b"two")
    assert world.run(1.0, lambda: b.data == [b"one", b"two"])


def test_replayed_and_altered_datagrams_are_dropped_and_counted() -> None:
    world, a, b = pair()
    a.send(b, b"one")
    world.run(5.0, lambda: b.packets)
    sealed = world.carried[-1][3]
    b.receive(b.listen, sealed, a.dials)
    a.send(b, b"two")
    altered = bytearray(world.carried[-1][3])
    altered[-1] ^= 1
    b.receive(b.listen, bytes(altered), a.dials)
    assert b.data == [b"one"]
    assert b.statistics.dtls.records_ignored == 2
    world.run(1.0)
    assert b.data == [b"one", b"two"]
