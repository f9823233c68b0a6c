"""Certificates, authorities, revocation lists and allowed names change under open connections."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import DAY, Certificate, CertificateAuthority
from tests.support.transports import Recorder, eventually, read_all
from tocsin.errors import ConfigError, TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.transport.tls.transport import TLSTransport
from tocsin.tls.settings import (
    ClientAuthType,
    ClusterTLSConfig,
    TLSClientConfig,
    TLSServerConfig,
)

both_protocols = pytest.mark.parametrize("alpn", [False, True], ids=["alertmanager framing", "tocsin/1"])


class Files:
    """One node's files, as an operator would replace them."""

    def __init__(self, directory: Path, authority: CertificateAuthority, *, name: str = "node") -> None:
        self.directory = directory
        self.name = name
        self.certificate = authority.issue("127.0.0.1", name)
        self.certificate.write(directory, "node")
        self.trust(authority)
        self.revoke(authority.revoke())

    def trust(self, *authorities: CertificateAuthority) -> None:
        self.put("ca.crt", b"".join([one.certificate for one in authorities]))

    def revoke(self, *lists: bytes) -> None:
        self.put("ca.crl", b"".join(lists))

    def put(self, name: str, content: bytes) -> None:
        new = self.directory / f"{name}.new"
        new.write_bytes(content)
        new.replace(self.directory / name)

    def issue(self, authority: CertificateAuthority, **more: Any) -> None:
        self.certificate = authority.issue("127.0.0.1", self.name, **more)
        self.certificate.write(self.directory, "node")

    @property
    def config(self) -> ClusterTLSConfig:
        cert, key = self.directory / "node.crt", self.directory / "node.key"
        ca, crl = self.directory / "ca.crt", self.directory / "ca.crl"
        return ClusterTLSConfig(
            server=TLSServerConfig(
                cert_file=cert,
                key_file=key,
                client_ca_file=ca,
                client_crl_file=crl,
                client_auth_type=ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT,
            ),
            client=TLSClientConfig(cert_file=cert, key_file=key, ca_file=ca, crl_file=crl),
        )


class Node:
    def __init__(self, transport: TLSTransport, files: Files) -> None:
        self.transport = transport
        self.files = files
        self.recorder = Recorder()
        self.statistics = transport.statistics

    @property
    def address(self) -> Address:
        return self.transport.listen_address

    def send(self, destination: Node, data: bytes) -> None:
        self.transport.send_packet(destination.address, data)

    async def reaches(self, other: Node, data: bytes) -> None:
        self.send(other, data)
        await eventually(lambda: data in other.recorder.data)


@pytest.fixture
def authority() -> CertificateAuthority:
    return CertificateAuthority("old authority")


@contextlib.asynccontextmanager
async def pair(
    folder: Path, authority: CertificateAuthority, *, alpn: bool, seed: int = 1
) -> AsyncIterator[tuple[Node, Node]]:
    nodes = []
    for number, name in enumerate(("a", "b")):
        files = Files(folder / name, authority, name=name)
        settings = TLSTransportConfig(
            listen_address=Address("127.0.0.1", 0),
            offer_alpn=alpn,
            close_timeout=0.5,
            reload_interval=0.05,
            renewal_time=1.0,
        )
        chance = random.Random(10 * seed + number)
        nodes.append(Node(TLSTransport(settings, files.config, random_source=chance), files))
    for node in nodes:
        await node.transport.start(node.recorder)
    try:
        yield nodes[0], nodes[1]
    finally:
        await asyncio.gather(*(node.transport.close() for node in nodes))


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def tell() -> None:
        async with asyncio.timeout(40):
            await story()

    asyncio.run(tell())


async def meet(a: Node, b: Node) -> None:
    """Connect in both directions."""
    await a.reaches(b, b"hello")
    await b.reaches(a, b"hello")


@contextlib.asynccontextmanager
async def chatter(a: Node, b: Node) -> AsyncIterator[None]:
    """Both send packets to each other meanwhile; afterwards all must have arrived."""
    stop = asyncio.Event()

    async def talk(sender: Node, receiver: Node) -> list[bytes]:
        sent: list[bytes] = []
        while not stop.is_set():
            sent.append(f"packet {len(sent)}".encode())
            sender.send(receiver, sent[-1])
            await asyncio.sleep(0.002)
        return sent

    await meet(a, b)
    talks = [asyncio.create_task(talk(a, b)), asyncio.create_task(talk(b, a))]
    try:
        yield
        await a.reaches(b, b"good evening")
    finally:
        stop.set()
        from_a, from_b = await asyncio.gather(*talks)
    await eventually(lambda: set(from_a) <= set(b.recorder.data))
    await eventually(lambda: set(from_b) <= set(a.recorder.data))
    for node in (a, b):
        assert not node.recorder.failures
        assert not node.statistics.connections_cut


@both_protocols
@pytest.mark.parametrize("seed", range(1, 4))
def test_a_new_leaf_renews_open_connections_and_no_packet_is_lost(
    tmp_path: Path, authority: CertificateAuthority, alpn: bool, seed: int
) -> None:
    async def story() -> None:
        async with pair(tmp_path, authority, alpn=alpn, seed=seed) as (a, b):
            async with chatter(a, b):
                old = {peer.certificate for peer in a.recorder.peers if peer is not None}
                b.files.issue(authority)
                await eventually(lambda: b.statistics.connections_renewed)
                a.files.issue(authority)
                await eventually(lambda: a.statistics.connections_renewed)
                await eventually(lambda: len({peer.certificate for _, peer in a.recorder.identified}) > 1)
            assert not any(node.statistics.packets_dropped for node in (a, b))
            new = {peer.certificate for peer in a.recorder.peers[-3:] if peer is not None}
            assert not old & new

    run(story)


@both_protocols
def test_authorities_change_with_an_overlap_and_no_packet_is_lost(
    tmp_path: Path, authority: CertificateAuthority, alpn: bool
) -> None:
    async def story() -> None:
        new = CertificateAuthority("new authority")
        async with pair(tmp_path, authority, alpn=alpn) as (a, b):

            async def step(change: Callable[[Files], None]) -> None:
                for node in (a, b):
                    before = node.transport.identity.reloads
                    change(node.files)
                    await eventually(lambda: node.transport.identity.reloads > before)  # noqa: B023
                for node in (a, b):
                    await eventually(lambda: renewed(node))  # noqa: B023

            def renewed(node: Node) -> bool:
                assert node.transport._rotation is not None
                return len(node.transport._rotation._tasks) == 1  # the watch

            async with chatter(a, b):
                await step(lambda files: files.trust(authority, new))
                await step(lambda files: files.issue(new))
                await step(lambda files: files.revoke(new.revoke()))
                await step(lambda files: files.trust(new))

    run(story)


@both_protocols
def test_a_revoked_certificate_ends_its_open_connections_and_gets_no_new_one(
    tmp_path: Path, authority: CertificateAuthority, alpn: bool
) -> None:
    async def story() -> None:
        async with pair(tmp_path, authority, alpn=alpn) as (a, b):
            await meet(a, b)
            a.files.revoke(authority.revoke(b.files.certificate))
            await eventually(lambda: a.statistics.connections_cut["revoked"])
            await eventually(lambda: a.statistics.connections_open == 0)

            def turned_away() -> bool:
                b.send(a, b"let me in")
                return a.statistics.refusals["revoked"] > a.statistics.connections_cut["revoked"]

            await eventually(turned_away)
            with pytest.raises(TransportError, match="revoked"):
                await a.transport.open_stream(b.address, 2.0)
            assert b"let me in" not in a.recorder.data

    run(story)


@both_protocols
def test_a_removed_authority_ends_the_open_connections_of_its_certificates(
    tmp_path: Path, authority: CertificateAuthority, alpn: bool
) -> None:
    async def story() -> None:
        new = CertificateAuthority("new authority")
        async with pair(tmp_path, authority, alpn=alpn) as (a, b):
            await meet(a, b)
            a.files.revoke(new.revoke())
            a.files.trust(new)
            await eventually(lambda: a.statistics.connections_cut["unknown_authority"])
            await eventually(lambda: a.statistics.connections_open == 0)

            def turned_away() -> bool:
                b.send(a, b"let me in")
                return bool(b.statistics.refused_by_peer["unknown_authority"])

            await eventually(turned_away)
            assert b"let me in" not in a.recorder.data

    run(story)


def test_an_open_stream_of_a_revoked_peer_ends_too(tmp_path: Path, authority: CertificateAuthority) -> None:
    async def story() -> None:
        async with pair(tmp_path, authority, alpn=False) as (a, b):
            stream = await b.transport.open_stream(a.address, 2.0)
            await stream.write(b"half a state")
            far = await a.recorder.stream()
            assert await far.read() == b"half a state"
            a.files.revoke(authority.revoke(b.files.certificate))
            with pytest.raises(TransportError, match="revoked"):
                await read_all(far)
            stream.abort()
            far.abort()

    run(story)


@both_protocols
def test_a_certificate_that_runs_out_ends_its_open_connections(
    tmp_path: Path, authority: CertificateAuthority, alpn: bool
) -> None:
    async def story() -> None:
        async with pair(tmp_path, authority, alpn=alpn) as (a, b):
            await a.reaches(b, b"hello")
            assert a.transport._rotation is not None
            for connection in a.transport._rotation._established():
                assert connection.expires_at is not None
                connection.expires_at -= 2 * DAY.total_seconds()
            await eventually(lambda: a.statistics.connections_cut["expired"])

    run(story)


def test_files_behind_a_link_that_is_turned_are_noticed(
    tmp_path: Path, authority: CertificateAuthority
) -> None:
    """As Kubernetes does it: the names are links into a folder that is itself a link."""

    async def story() -> None:
        def version(number: int, certificate: Certificate) -> None:
            folder = tmp_path / f"..{number}"
            certificate.write(folder, "node")
            (folder / "ca.crt").write_bytes(authority.certificate)
            (folder / "ca.crl").write_bytes(authority.revoke())
            link = tmp_path / "..data.new"
            link.symlink_to(folder.name)
            link.replace(tmp_path / "..data")

        files = Files(tmp_path / "unused", authority)
        version(1, authority.issue())
        for name in ("node.crt", "node.key", "ca.crt", "ca.crl"):
            (tmp_path / name).symlink_to(f"..data/{name}")
        files.directory = tmp_path
        settings = TLSTransportConfig(listen_address=Address("127.0.0.1", 0), reload_interval=0.05)
        transport = TLSTransport(settings, files.config)
        await transport.start(Recorder())
        version(2, authority.issue())
        await eventually(lambda: transport.identity.reloads == 1)
        await transport.close()

    run(story)


BAD: list[tuple[str, Callable[[Files, CertificateAuthority], None]]] = [
    ("has expired", lambda files, authority: files.issue(authority, ends=-DAY)),
    ("is not the private key", lambda files, authority: files.put("node.key", authority.issue().key)),
    ("holds no PEM certificate", lambda files, authority: files.put("ca.crt", b"")),
    ("holds no PEM revocation list", lambda files, authority: files.put("ca.crl", b"nothing")),
    (
        "signed by none of the authorities",
        lambda files, authority: files.revoke(CertificateAuthority("old authority").revoke()),
    ),
    (
        "a revocation list in it cannot be read",
        lambda files, authority: files.put(
            "ca.crl", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"
        ),
    ),
    ("cannot be read", lambda files, authority: (files.directory / "ca.crt").unlink()),
]


@pytest.mark.parametrize(("words", "spoil"), BAD, ids=[words for words, _ in BAD])
def test_what_cannot_be_used_leaves_all_of_the_old_in_place(
    tmp_path: Path,
    authority: CertificateAuthority,
    words: str,
    spoil: Callable[[Files, CertificateAuthority], None],
) -> None:
    async def story() -> None:
        async with pair(tmp_path, authority, alpn=False) as (a, b):
            await a.reaches(b, b"hello")
            identity = a.transport.identity
            before = identity.server_context(), identity.client_context()
            spoil(a.files, authority)
            await eventually(lambda: identity.reload_failures == 1)
            assert not identity.reload_successful
            with pytest.raises(ConfigError, match=words):
                a.transport.reload()
            assert (identity.server_context(), identity.client_context()) == before
            await a.reaches(b, b"still here")
            assert a.statistics.connections_renewed == 0
            a.files.issue(authority)
            a.files.trust(authority)
            a.files.revoke(authority.revoke())
            await eventually(lambda: identity.reload_successful)

    run(story)


def test_a_revocation_list_that_is_out_of_date_goes_on_revoking(
    tmp_path: Path, authority: CertificateAuthority
) -> None:
    async def story() -> None:
        async with pair(tmp_path, authority, alpn=False) as (a, b):
            a.files.revoke(authority.revoke(authority.issue(), next_update=-DAY))
            await eventually(lambda: a.transport.identity.reloads == 1)
            await b.reaches(a, b"hello")
            a.files.revoke(authority.revoke(b.files.certificate, next_update=-DAY))
            await eventually(lambda: a.statistics.connections_cut["revoked"])
            assert a.transport.identity.crl_updates.keys() == {"clients", "servers"}

    run(story)


def test_a_source_is_asked_again_when_its_file_changes(
    tmp_path: Path, authority: CertificateAuthority
) -> None:
    async def story() -> None:
        files = Files(tmp_path, authority)
        files.put("tls.yml", b"node")

        def source() -> ClusterTLSConfig:
            config = files.config
            return replace(
                config,
                server=replace(
                    config.server, client_allowed_sans=tuple((tmp_path / "tls.yml").read_text().split())
                ),
            )

        settings = TLSTransportConfig(listen_address=Address("127.0.0.1", 0), reload_interval=0.05)
        transport = TLSTransport(settings, source=source, watched=[tmp_path / "tls.yml"])
        await transport.start(Recorder())
        friend = Node(TLSTransport(settings, Files(tmp_path / "f", authority).config), files)
        await friend.transport.start(friend.recorder)
        await friend.transport.open_stream(transport.listen_address, 2.0)
        files.put("tls.yml", b"somebody-else")
        await eventually(lambda: transport.statistics.connections_cut["name_not_allowed"])
        await friend.transport.close()
        await transport.close()

    run(story)


def test_a_server_without_an_allowed_name_is_not_talked_to(
    tmp_path: Path, authority: CertificateAuthority
) -> None:
    async def story() -> None:
        async with pair(tmp_path, authority, alpn=False) as (a, b):
            for allowed, good in ((("c",), False), (("c", "b"), True)):
                config = a.files.config
                config = replace(config, client=replace(config.client, server_allowed_sans=allowed))
                picky = TLSTransport(TLSTransportConfig(listen_address=Address("127.0.0.1", 0)), config)
                await picky.start(Recorder())
                if good:
                    (await picky.open_stream(b.address, 2.0)).abort()
                else:
                    with pytest.raises(TransportError, match="server_allowed_sans has none"):
                        await picky.open_stream(b.address, 2.0)
                    assert picky.statistics.refusals["name_not_allowed"] == 1
                await picky.close()

    run(story)


@both_protocols
def test_a_peer_given_by_name_is_verified_by_that_name(
    tmp_path: Path, authority: CertificateAuthority, alpn: bool
) -> None:
    async def story() -> None:
        async with pair(tmp_path, authority, alpn=alpn) as (a, b):
            a.transport.expect_names({b.address: "b"})
            await a.reaches(b, b"hello")
            a.transport.expect_names({b.address: "somebody-else"})
            await eventually(lambda: a.statistics.connections_cut["wrong_name"])
            with pytest.raises(TransportError, match="somebody-else"):
                await a.transport.open_stream(b.address, 2.0)
            a.transport.expect_names({b.address: "b"})
            (await a.transport.open_stream(b.address, 2.0)).abort()
            assert a.transport.identity.server_hostname(b.address.host, 1) == b.address.host

    run(story)


def test_expiries_of_connected_peers_are_shown(tmp_path: Path, authority: CertificateAuthority) -> None:
    async def story() -> None:
        async with pair(tmp_path, authority, alpn=False) as (a, b):
            assert a.transport.peer_expiries() == {}
            await a.reaches(b, b"hello")
            [(peer, when)] = a.transport.peer_expiries().items()
            assert peer == str(b.address)
            assert when == b.transport.identity.expiries["server"]
            assert a.recorder.identified[0][1].carries("B")

    run(story)
