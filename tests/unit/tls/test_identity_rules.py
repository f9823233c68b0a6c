"""One table of whom a certificate names, held against everything that asks: TLS, DTLS, webhooks."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.support.certificates import DAY, Certificate, CertificateAuthority
from tests.support.dtls import HOSTS, Node, World
from tests.support.handshakes import shake_hands
from tests.support.pki import BOTH, Issued, authority, issue
from tocsin.config.httpclient import TLSClientConfig as ReceiverTLSConfig
from tocsin.errors import TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.transport.dtls.context import DTLSContexts
from tocsin.gossip.transport.statistics import TransportStatistics
from tocsin.gossip.transport.tls.dial import Dialer, SessionCache
from tocsin.gossip.transport.tls.listener_proof import proves_listener
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.notify.integrations.tlscontext import tls_context
from tocsin.tls.identity import ClusterIdentity
from tocsin.tls.settings import ClientAuthType, ClusterTLSConfig, TLSClientConfig, TLSServerConfig

ROOT = authority()
ADDRESS = "10.0.0.2"

NAMES: list[tuple[str, str, tuple[str, ...], bool]] = [
    # wanted, common name, alternative names, accepted
    (ADDRESS, "node2", (ADDRESS,), True),
    (ADDRESS, "node2", ("10.0.0.3",), False),
    (ADDRESS, ADDRESS, (), False),
    (ADDRESS, ADDRESS, ("node2.example.org",), False),
    (ADDRESS, "node2", (f"dns={ADDRESS}",), False),
    (ADDRESS, "node2", (f"uri={ADDRESS}",), False),
    (ADDRESS, "node2", ("dns=*.0.0.2",), False),
    ("node1.example.org", "node1.example.org", (), False),
    ("node1.example.org", "node1.example.org", (ADDRESS,), False),
    ("node1.example.org", "node1.example.org", ("email=node1@example.org",), False),
    ("node1.example.org", "node1.example.org", ("other.example.org",), False),
    ("node1.example.org", "x", ("node1.example.org",), True),
    ("node1.example.org", "x", ("other.example.org", "node1.example.org"), True),
    ("Node1.Example.Org", "x", ("nODE1.example.org",), True),
    ("node1.example.org.", "x", ("node1.example.org",), True),
    ("node1.example.org", "x", ("dns=node1.example.org.",), False),
    ("node1.example.org", "x", ("uri=node1.example.org",), False),
    ("node1.example.org", "x", ("email=node1.example.org",), False),
    ("node1.example.org", "x", ("*.example.org",), True),
    ("xn--a.example.org", "x", ("*.example.org",), True),
    ("example.org", "x", ("*.example.org",), False),
    ("a.node1.example.org", "x", ("*.example.org",), False),
    ("node_1.example.org", "x", ("*.example.org",), False),
    ("node1.example.org", "x", ("*.*.org",), False),
    ("node1.example.org", "x", ("n*.example.org",), False),
    ("node1.example.org", "x", ("node1.*.org",), False),
    ("example.org", "x", ("*.org",), False),
    ("localhost", "x", ("dns=*",), False),
]


def tls(presented: Certificate, wanted: str) -> ClusterTLSConfig:
    return ClusterTLSConfig(
        server=TLSServerConfig(cert=presented.certificate, key=presented.key),
        client=TLSClientConfig(ca=ROOT.pem, server_name="" if wanted == ADDRESS else wanted),
    )


def by_tls(presented: Certificate, wanted: str) -> bool:
    identity = ClusterIdentity(tls(presented, wanted))
    try:
        shake_hands(
            identity.client_context(), identity.server_context(), identity.server_hostname(ADDRESS, 1)
        )
    except ssl.SSLCertVerificationError:
        return False
    return True


def by_dtls(presented: Certificate, wanted: str) -> bool:
    contexts = DTLSContexts(ClusterIdentity(tls(presented, wanted)))
    world = World()
    a, b = (Node(world, host, contexts=contexts) for host in HOSTS[:2])
    a.send(b, b"hello")
    world.run(30.0, lambda: b.packets or a.failures)
    assert bool(b.packets) != bool(a.failures)
    return bool(b.packets)


def by_a_connection_that_it_made(presented: Certificate, wanted: str) -> bool:
    """It dialled us, and asks to be sent what is for its address."""
    config = tls(presented, wanted)
    ours = CertificateAuthority().issue()
    answering = ClusterTLSConfig(
        server=TLSServerConfig(
            cert=ours.certificate,
            key=ours.key,
            client_ca=ROOT.pem,
            client_auth_type=ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT,
        ),
        client=config.client,
    )
    dialling = replace(
        config.client, cert=presented.certificate, key=presented.key, insecure_skip_verify=True, ca=None
    )
    identity = ClusterIdentity(answering)
    client = ClusterIdentity(replace(config, client=dialling)).client_context()
    _, server = shake_hands(client, identity.server_context(), None)
    connection = SimpleNamespace(
        remote=Address(ADDRESS, 5),
        session=SimpleNamespace(tls=server),
        certificate=server.getpeercert(binary_form=True),
        context=identity.server_context(),
    )
    return proves_listener(identity, connection, Address(ADDRESS, 1))  # type: ignore[arg-type]


def by_a_webhook(presented: Certificate, wanted: str) -> bool:
    client = tls_context(ReceiverTLSConfig(ca=ROOT.pem.decode()))
    server = ClusterIdentity(tls(presented, wanted)).server_context()
    try:
        shake_hands(client, server, wanted.removesuffix("."))
    except ssl.SSLCertVerificationError:
        return False
    return True


@pytest.mark.parametrize("asked", [by_tls, by_dtls, by_a_connection_that_it_made, by_a_webhook])
@pytest.mark.parametrize(("wanted", "common", "names", "accepted"), NAMES)
def test_only_alternative_names_count_and_the_same_everywhere(
    asked: Callable[[Certificate, str], bool],
    wanted: str,
    common: str,
    names: tuple[str, ...],
    accepted: bool,
) -> None:
    presented: Issued = issue(common, ROOT, hosts=names, uses=BOTH)
    assert asked(presented.pair(), wanted) is accepted


def test_a_session_is_resumed_only_under_the_name_that_its_handshake_verified() -> None:
    """A resumed handshake verifies nothing, and a ticket may come after another name is expected."""
    identity = ClusterIdentity(
        tls(issue("x", ROOT, hosts=("node1.example.org",)).pair(), "node1.example.org")
    )
    context = identity.client_context()
    client, _ = shake_hands(context, identity.server_context(), "node1.example.org")
    with pytest.raises(ssl.SSLWantReadError):
        client.read(1)  # The tickets.
    cache, place = SessionCache(8, 3600.0), Address(ADDRESS, 1)
    connection = SimpleNamespace(
        session=SimpleNamespace(tls=client),
        established_at=0.0,
        context=context,
        server_hostname="node1.example.org",
    )
    cache.store(place, connection, 0.0)  # type: ignore[arg-type]
    assert cache.get(place, context, "node1.example.org", 1.0) is not None
    assert cache.get(place, context, "node2.example.org", 1.0) is None
    assert cache.get(place, context, "node1.example.org", 1.0) is None


def test_what_a_peer_has_shown_is_known_after_the_session_has_ended() -> None:
    """A peer that refuses us does so right after the handshake: asking for its name was a traceback."""
    expired = issue("x", ROOT, hosts=("node1.example.org",), uses=BOTH, starts=-3 * DAY, ends=-DAY)
    fine = issue("y", ROOT, hosts=("127.0.0.1",), uses=BOTH).pair()
    answering = ClusterTLSConfig(
        server=TLSServerConfig(
            cert=fine.certificate,
            key=fine.key,
            client_ca=ROOT.pem,
            client_auth_type=ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT,
        )
    )
    shown = expired.pair()
    dialling = ClusterTLSConfig(
        server=TLSServerConfig(cert=shown.certificate, key=shown.key),
        client=TLSClientConfig(cert=shown.certificate, key=shown.key, ca=ROOT.pem),
    )

    async def story() -> None:
        identity = ClusterIdentity(dialling)
        server_context = ClusterIdentity(answering).server_context()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            raise AssertionError("nobody is let in")

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context)
        place = Address(*server.sockets[0].getsockname())
        config = TLSTransportConfig(listen_address=Address("127.0.0.1", 0))
        dialer = Dialer(config, identity, TransportStatistics())
        connection = await dialer.dial(place, 10.0)
        await asyncio.wait_for(connection.wait_closed(), 10.0)
        assert connection.peer.carries("127.0.0.1")
        server.close()

    asyncio.run(story())


def test_an_expired_certificate_of_our_own_is_told_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    expired = issue("x", ROOT, hosts=("node1.example.org",), starts=-3 * DAY, ends=-DAY)
    with caplog.at_level(logging.ERROR):
        ClusterIdentity(tls(expired.pair(), ADDRESS))
    assert "our certificate in tls_server_config has expired on" in caplog.text
    assert "put a new one in its place" in caplog.text


def test_a_certificate_of_our_own_that_is_not_valid_yet_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    early = issue("x", ROOT, hosts=("node1.example.org",), starts=DAY, ends=3 * DAY)
    with caplog.at_level(logging.ERROR):
        ClusterIdentity(tls(early.pair(), ADDRESS))
    assert "our certificate in tls_server_config is not valid before" in caplog.text
    assert "clock" in caplog.text


def test_a_refused_connection_is_told_in_words() -> None:
    async def story() -> None:
        free = socket.create_server(("127.0.0.1", 0))
        place = Address(*free.getsockname())
        free.close()
        config = TLSTransportConfig(listen_address=Address("127.0.0.1", 0))
        identity = ClusterIdentity(tls(issue("x", ROOT, hosts=(ADDRESS,)).pair(), ADDRESS))
        with pytest.raises(TransportError) as told:
            await Dialer(config, identity, TransportStatistics()).dial(place, 10.0)
        assert str(told.value).startswith(f"dialling {place} failed: connection refused")
        assert "(" not in str(told.value)

    asyncio.run(story())
