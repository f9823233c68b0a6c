"""What only the TLS transport promises: records, refusals told on both ends, bounds, files that change."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import DAY, CertificateAuthority
from tests.support.tls_records import application_records
from tests.support.transports import Recorder, eventually, read_all
from tocsin.errors import ConfigError, TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.transport.tls.inbound import FRAMES_AT_ONCE
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.transport.tls.transport import TLSTransport
from tocsin.gossip.wire.framing import STREAM_HEADER, encode_packet_frame
from tocsin.tls.identity import build_client_context, build_server_context
from tocsin.tls.settings import (
    ClientAuthType,
    ClusterTLSConfig,
    TLSClientConfig,
    TLSServerConfig,
)

AUTHORITY = CertificateAuthority()
OTHER = CertificateAuthority("another authority")
MUTUAL = AUTHORITY.cluster_config()
ANY_PORT = Address("127.0.0.1", 0)


@dataclass
class Node:
    transport: TLSTransport
    recorder: Recorder = field(default_factory=Recorder)

    @property
    def address(self) -> Address:
        return self.transport.listen_address

    def send(self, destination: Address, data: bytes) -> None:
        self.transport.send_packet(destination, data)


@contextlib.asynccontextmanager
async def node(tls: ClusterTLSConfig = MUTUAL, **settings: Any) -> AsyncIterator[Node]:
    """Speaks Alertmanager's framing; test_mux.py has the other protocol."""
    settings = {"listen_address": ANY_PORT, "close_timeout": 0.5, "offer_alpn": False, **settings}
    one = Node(TLSTransport(TLSTransportConfig(**settings), tls))
    await one.transport.start(one.recorder)
    try:
        yield one
    finally:
        await one.transport.close()


class Tap:
    """A TCP relay in front of ``target`` that keeps what clients sent."""

    def __init__(self, target: Address) -> None:
        self.target = target
        self.connections: list[bytearray] = []
        self.address = ANY_PORT
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Tap:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.address = Address("127.0.0.1", self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen = bytearray()
        self.connections.append(seen)
        far_reader, far_writer = await asyncio.open_connection(*self.target)

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, keep: bytearray) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    keep += data
                    sink.write(data)
                    await sink.drain()
                sink.write_eof()

        await asyncio.gather(copy(reader, far_writer, seen), copy(far_reader, writer, bytearray()))
        writer.close()
        far_writer.close()


def plaintext_records(wire: bytearray) -> list[int]:
    """Sizes of application records, the sealed handshake among them, ``close_notify`` (2 bytes) not."""
    return [size for size in application_records(bytes(wire)) if size != 2]


def test_each_packet_is_a_tls_record_of_its_own() -> None:
    async def story() -> None:
        async with node() as a, node() as b, Tap(b.address) as tap:
            a.send(tap.address, b"first")
            await eventually(lambda: b.recorder.packets)
            before = len(plaintext_records(tap.connections[0]))
            sizes = [100, 1, 1400, 5000, 2, 16000, 7]
            for size in sizes:
                a.send(tap.address, bytes(size))
            await eventually(lambda: len(b.recorder.packets) == 1 + len(sizes))
            frames = [len(encode_packet_frame(bytes(size), str(a.address))) for size in sizes]
            assert plaintext_records(tap.connections[0])[before:] == frames
            assert len(tap.connections) == 1

    asyncio.run(story())


def test_packets_that_waited_for_the_dial_are_not_coalesced_either() -> None:
    async def story() -> None:
        async with node() as a, node() as b, Tap(b.address) as tap:
            for index in range(40):
                a.send(tap.address, b"%02d" % index)
            await eventually(lambda: len(b.recorder.packets) == 40)
            frame = len(encode_packet_frame(b"00", str(a.address)))
            assert plaintext_records(tap.connections[0])[-40:] == [frame] * 40

    asyncio.run(story())


def test_the_stream_header_has_a_record_of_its_own() -> None:
    async def story() -> None:
        async with node() as a, node() as b, Tap(b.address) as tap:
            stream = await a.transport.open_stream(tap.address, 5.0)
            await stream.write(b"label")
            await stream.write(b"message")
            far = await b.recorder.stream()
            closing = asyncio.create_task(stream.close())
            assert await read_all(far) == b"labelmessage"
            await far.close()
            await closing
            assert plaintext_records(tap.connections[0])[-3:] == [len(STREAM_HEADER), 5, 7]

    asyncio.run(story())


def test_packets_carry_the_advertised_address() -> None:
    async def story() -> None:
        advertised = Address("127.0.0.1", 7)
        async with node(advertise_address=advertised) as a, node() as b:
            a.send(b.address, b"hello")
            await eventually(lambda: b.recorder.packets)
            assert b.recorder.packets == [(b"hello", advertised)]

    asyncio.run(story())


def test_a_wildcard_needs_an_advertised_address() -> None:
    async def story() -> None:
        with pytest.raises(ConfigError, match="advertise_address"):
            async with node(listen_address=Address("0.0.0.0", 0)):
                pass
        wildcard = {"listen_address": Address("0.0.0.0", 0), "advertise_address": ANY_PORT}
        async with node(**wildcard) as a, node() as b:  # type: ignore[arg-type]
            a.send(b.address, b"hello")
            await eventually(lambda: b.recorder.packets)
            assert b.recorder.packets == [(b"hello", Address("127.0.0.1", a.address.port))]

    asyncio.run(story())


async def tls_client(address: Address, tls: TLSClientConfig = MUTUAL.client) -> asyncio.StreamWriter:
    """A client that is not ours: asyncio's own TLS."""
    context = build_client_context(tls)
    _, writer = await asyncio.open_connection(*address, ssl=context, server_hostname=address.host)
    return writer


async def hang_up(*writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.mark.parametrize("cut", [1, 3, 4, 20, 60])
def test_frames_are_read_whatever_the_records(cut: int) -> None:
    async def story() -> None:
        async with node() as b:
            writer = await tls_client(b.address)
            frames = b"".join(encode_packet_frame(b"packet %d" % n, "127.0.0.1:9094") for n in range(3))
            writer.write(frames[:cut])
            await writer.drain()
            writer.write(frames[cut:] + STREAM_HEADER + b"and a")
            writer.write(b" stream")
            await writer.drain()
            stream = await b.recorder.stream()
            assert b.recorder.data == [b"packet 0", b"packet 1", b"packet 2"]
            assert b.recorder.packets[0][1] == Address("127.0.0.1", 9094)
            received = b""
            while received != b"and a stream":
                received += await stream.read()
            await asyncio.gather(stream.close(), hang_up(writer))

    asyncio.run(story())


@pytest.mark.parametrize(
    ("said", "host", "port"),
    [
        ("10.1.2.3:9094", "10.1.2.3", 9094),
        ("[fd00::1]:9094", "fd00::1", 9094),
        ("[::]:9094", "127.0.0.1", 9094),
        ("0.0.0.0:9094", "127.0.0.1", 9094),
        ("[::ffff:10.1.2.3]:9094", "10.1.2.3", 9094),
        ("host.example:9094", "127.0.0.1", None),
        ("10.1.2.3:99999", "127.0.0.1", None),
        ("", "127.0.0.1", None),
    ],
)
def test_the_source_is_what_the_frame_says_if_it_can_be_used(said: str, host: str, port: int | None) -> None:
    async def story() -> None:
        async with node() as b:
            writer = await tls_client(b.address)
            writer.write(encode_packet_frame(b"hello", said))
            await eventually(lambda: b.recorder.packets)
            here = writer.get_extra_info("sockname")[1]
            assert b.recorder.packets[0][1] == Address(host, here if port is None else port)
            await hang_up(writer)

    asyncio.run(story())


def test_a_flood_of_frames_leaves_turns_to_others() -> None:
    async def story() -> None:
        async with node() as b:
            turn = 0
            turns: set[int] = set()

            async def count() -> None:
                nonlocal turn
                while True:
                    turn += 1
                    turns.add(len(b.recorder.packets))
                    await asyncio.sleep(0)

            writer = await tls_client(b.address)
            counting = asyncio.create_task(count())
            expected = [b"%d" % index for index in range(1000)]
            writer.write(
                b"".join(encode_packet_frame(data, "") for data in expected) + STREAM_HEADER + b"end"
            )
            stream = await b.recorder.stream()
            counting.cancel()
            assert b.recorder.data == expected
            assert max(b - a for a, b in itertools.pairwise(sorted(turns))) <= 2 * FRAMES_AT_ONCE
            assert await stream.read() == b"end"
            await asyncio.gather(stream.close(), hang_up(writer))

    asyncio.run(story())


def test_closing_does_not_wait_for_a_peer_that_never_closes() -> None:
    """As Go peers do not: neither those that we send packets to, nor those that send them to us."""

    async def story() -> None:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            received.append(await reader.read())

        writers: list[asyncio.StreamWriter] = []
        received: list[bytes] = []
        server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=build_server_context(MUTUAL.server))
        address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
        one = Node(TLSTransport(TLSTransportConfig(listen_address=ANY_PORT, close_timeout=600.0), MUTUAL))
        await one.transport.start(one.recorder)
        writers.append(await tls_client(one.address))
        one.send(address, b"hello")
        await eventually(lambda: len(writers) == 2)
        one.send(address, b"last words")
        async with asyncio.timeout(30):
            await one.transport.close()
        await eventually(lambda: received and received[0].endswith(b"last words"))
        server.close()
        await hang_up(*writers)

    asyncio.run(story())


def test_an_empty_packet_is_ignored() -> None:
    async def story() -> None:
        async with node() as b:
            writer = await tls_client(b.address)
            body = b"\x0a\x06v0.1.0\x10\x01\x1a\x00\x22\x00"
            writer.write(len(body).to_bytes(4, "little") + body + encode_packet_frame(b"next", ""))
            await eventually(lambda: b.recorder.packets)
            assert b.recorder.data == [b"next"]
            assert b.transport.statistics.packets_ignored == 1
            await hang_up(writer)

    asyncio.run(story())


def with_client(certificate: tuple[bytes, bytes] | None) -> ClusterTLSConfig:
    cert, key = certificate or (None, None)
    return replace(MUTUAL, client=replace(MUTUAL.client, cert=cert, key=key))


def pem(authority: CertificateAuthority, *hosts: str, **how: Any) -> tuple[bytes, bytes]:
    issued = authority.issue(*hosts, **how)
    return issued.certificate, issued.key


ALLOWING = replace(MUTUAL, server=replace(MUTUAL.server, client_allowed_sans=("node-1.example",)))
IF_GIVEN = replace(
    MUTUAL, server=replace(MUTUAL.server, client_auth_type=ClientAuthType.VERIFY_CLIENT_CERT_IF_GIVEN)
)
OPEN = replace(
    MUTUAL,
    server=replace(MUTUAL.server, client_auth_type=ClientAuthType.NO_CLIENT_CERT, client_ca=None),
)
REQUESTING = replace(OPEN, server=replace(OPEN.server, client_auth_type=ClientAuthType.REQUEST_CLIENT_CERT))


@pytest.mark.parametrize(
    ("server", "client"),
    [
        (MUTUAL, with_client(pem(AUTHORITY))),
        (IF_GIVEN, with_client(pem(AUTHORITY))),
        (IF_GIVEN, with_client(None)),
        (OPEN, with_client(None)),
        (OPEN, with_client(pem(OTHER))),
        (REQUESTING, with_client(None)),
        (REQUESTING, with_client(pem(OTHER))),
        (ALLOWING, with_client(pem(AUTHORITY, "node-1.example"))),
    ],
)
def test_clients_that_are_let_in(server: ClusterTLSConfig, client: ClusterTLSConfig) -> None:
    async def story() -> None:
        async with node(client) as a, node(server) as b:
            a.send(b.address, b"hello")
            await eventually(lambda: b.recorder.packets)
            assert not b.transport.statistics.refusals

    asyncio.run(story())


REFUSED_BY_SERVER = [
    (MUTUAL, with_client(pem(OTHER)), "unknown_authority", "unknown_authority"),
    (MUTUAL, with_client(pem(AUTHORITY, ends=-DAY)), "expired", "expired"),
    (MUTUAL, with_client(None), "no_certificate", "no_certificate"),
    (IF_GIVEN, with_client(pem(OTHER)), "unknown_authority", "unknown_authority"),
    (ALLOWING, with_client(pem(AUTHORITY, "node-2.example")), "name_not_allowed", "closed"),
]


@pytest.mark.parametrize(("server", "client", "reason", "told"), REFUSED_BY_SERVER)
def test_a_refused_client_is_told_why_and_both_ends_log_it(
    server: ClusterTLSConfig,
    client: ClusterTLSConfig,
    reason: str,
    told: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        async with node(client) as a, node(server) as b:
            a.send(b.address, b"let me in")
            await eventually(lambda: a.recorder.failures and b.transport.statistics.refusals)
            assert b.transport.statistics.refusals == {reason: 1}
            assert a.recorder.failed == [b.address]
            assert not b.recorder.packets
            if told != "closed":
                assert a.transport.statistics.refused_by_peer == {told: 1}
            with pytest.raises(TransportError):
                await read_all(await a.transport.open_stream(b.address, 5.0))
            warnings = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
            assert any(text.startswith("refused peer 127.0.0.1:") for text in warnings)
            assert any(text.startswith(f"peer {b.address} refused us: ") for text in warnings)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        (OTHER.cluster_config(), "unknown_authority"),
        (AUTHORITY.cluster_config(AUTHORITY.issue(ends=-DAY)), "expired"),
        (AUTHORITY.cluster_config(AUTHORITY.issue("10.0.0.1")), "wrong_name"),
    ],
)
def test_a_server_that_we_refuse_is_told_too(
    server: ClusterTLSConfig, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with node() as a, node(server) as b:
            a.send(b.address, b"hello")
            await eventually(lambda: a.recorder.failures and b.transport.statistics.refused_by_peer)
            assert a.transport.statistics.refusals == {reason: 1}
            assert a.transport.statistics.dial_failures == {"refused": 1}
            with pytest.raises(TransportError, match="certificate"):
                await a.transport.open_stream(b.address, 5.0)
            assert f"refused peer {b.address}: certificate" in caplog.text
            assert "refused us" in caplog.text

    asyncio.run(story())


def test_a_stream_that_is_refused_late_is_logged_too(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with node(with_client(pem(OTHER))) as a, node() as b:
            stream = await a.transport.open_stream(b.address, 5.0)
            with pytest.raises(TransportError, match="signed by an authority it does not know"):
                await read_all(stream)
            assert f"peer {b.address} refused us: our certificate is signed" in caplog.text

    asyncio.run(story())


def test_a_refusal_is_logged_once_a_minute_for_a_host_and_reason(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with node() as b:
            for _ in range(5):
                with contextlib.suppress(OSError):
                    writer = await tls_client(b.address, with_client(None).client)
                    await hang_up(writer)
            await eventually(lambda: b.transport.statistics.refusals["no_certificate"] == 5)
            assert caplog.text.count("showed no certificate") == 1

    with caplog.at_level(logging.WARNING):
        asyncio.run(story())


def test_reconnecting_resumes_the_session() -> None:
    async def story() -> None:
        async with node() as a, node() as b:
            for index in range(3):
                stream = await a.transport.open_stream(b.address, 5.0)
                await stream.write(b"x")
                far = await b.recorder.stream()
                await asyncio.gather(stream.close(), far.close())
                # Both sides count a handshake.
                assert a.transport.statistics.handshakes == index + 1
            assert a.transport.statistics.resumptions == b.transport.statistics.resumptions == 2

    asyncio.run(story())


def test_replaced_certificate_files_are_used_for_the_next_connection(tmp_path: Path) -> None:
    async def story() -> None:
        cert_file, key_file = AUTHORITY.issue(name="old").write(tmp_path, "node")
        on_disk = ClusterTLSConfig(
            server=TLSServerConfig(
                cert_file=cert_file,
                key_file=key_file,
                client_ca=AUTHORITY.certificate,
                client_auth_type=ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT,
            ),
            client=MUTUAL.client,
        )
        async with node() as a, node(on_disk) as b:

            async def subject() -> str:
                writer = await tls_client(b.address)
                certificate = writer.get_extra_info("peercert")
                await hang_up(writer)
                names: dict[str, str] = dict(part[0] for part in certificate["subject"])
                return names["commonName"]

            assert await subject() == "old"
            AUTHORITY.issue(name="new").write(tmp_path, "node")
            assert await subject() == "new"
            # A connection that is open goes on.
            a.send(b.address, b"hello")
            await eventually(lambda: b.recorder.packets)
            cert_file.write_bytes(b"not a certificate")
            assert await subject() == "new"
            assert b.transport.identity.reload_failures == 1

    asyncio.run(story())


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xff\xff\xff",
        (5 * 1024 * 1024).to_bytes(4, "little"),
        b"\x08\x00\x00\x00\x0a\x06v9.9.9",
        b"\x00\x00\x00\x00",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_frames_that_are_not_the_protocol_end_the_connection(garbage: bytes) -> None:
    async def story() -> None:
        async with node() as b:
            writer = await tls_client(b.address)
            writer.write(garbage)
            await eventually(lambda: b.transport.statistics.frames_refused == 1)
            await eventually(lambda: b.transport.statistics.connections_inbound == 0)
            await hang_up(writer)

    asyncio.run(story())


def test_bytes_that_are_not_tls_are_refused() -> None:
    async def story() -> None:
        async with node() as b:
            _, writer = await asyncio.open_connection(*b.address)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await eventually(lambda: b.transport.statistics.refusals["not_tls"] == 1)
            await hang_up(writer)
            await eventually(lambda: b.transport.statistics.connections_inbound == 0)

    asyncio.run(story())


def test_inbound_connections_are_bounded_for_each_host() -> None:
    async def story() -> None:
        async with node(max_inbound_connections_per_host=2) as b:
            writers = [await tls_client(b.address) for _ in range(2)]
            with pytest.raises(OSError):
                await tls_client(b.address)
            assert b.transport.statistics.connections_rejected == {"host": 1}
            await hang_up(*writers)
            await eventually(lambda: b.transport.statistics.connections_inbound == 0)
            await hang_up(await tls_client(b.address))

    asyncio.run(story())


def test_inbound_handshakes_are_bounded_and_have_a_deadline() -> None:
    async def story() -> None:
        async with node(max_inbound_handshakes=2, handshake_timeout=0.3) as b:
            silent = [await asyncio.open_connection(*b.address) for _ in range(2)]
            await eventually(lambda: b.transport.statistics.handshakes_inbound_pending == 2)
            with pytest.raises(OSError):
                await tls_client(b.address)
            assert b.transport.statistics.connections_rejected == {"handshakes": 1}
            await eventually(lambda: b.transport.statistics.refusals["timeout"] == 2)
            await eventually(lambda: b.transport.statistics.handshakes_inbound_pending == 0)
            await hang_up(await tls_client(b.address))
            await hang_up(*(writer for _, writer in silent))

    asyncio.run(story())


@pytest.mark.parametrize("start", [b"", b"\x40\x00\x00"])
def test_a_connection_must_bring_a_frame_in_time(start: bytes) -> None:
    async def story() -> None:
        async with node(first_frame_timeout=0.1) as b:
            writer = await tls_client(b.address)
            writer.write(start)
            await eventually(lambda: b.transport.statistics.connections_rejected["first_frame"] == 1)
            await eventually(lambda: b.transport.statistics.connections_inbound == 0)
            await hang_up(writer)

    asyncio.run(story())


def test_a_frame_that_stops_half_way_is_given_up_later_too() -> None:
    async def story() -> None:
        async with node(first_frame_timeout=0.1) as b:
            writer = await tls_client(b.address)
            frame = encode_packet_frame(b"hello", "127.0.0.1:1")
            writer.write(frame)
            await eventually(lambda: b.recorder.packets)
            writer.write(frame[:10])
            await eventually(lambda: b.transport.statistics.connections_rejected["first_frame"] == 1)
            await hang_up(writer)

    asyncio.run(story())


def test_a_frame_that_comes_byte_by_byte_is_given_up_too() -> None:
    async def story() -> None:
        async with node(first_frame_timeout=0.1) as b:
            writer = await tls_client(b.address)
            frame = encode_packet_frame(b"hello", "127.0.0.1:1")
            writer.write(frame)
            await eventually(lambda: b.recorder.packets)
            writer.write((60_000).to_bytes(4, "little"))

            def rejected() -> bool:
                writer.write(b"\x00")
                return bool(b.transport.statistics.connections_rejected["first_frame"])

            await eventually(rejected)
            await hang_up(writer)

    asyncio.run(story())


def test_a_frame_that_is_slow_and_goes_on_is_waited_for() -> None:
    async def story() -> None:
        async with node(first_frame_timeout=0.1) as b:
            writer = await tls_client(b.address)
            frame = encode_packet_frame(b"x" * 20_000, "127.0.0.1:1")
            writer.write(frame[:15_000])  # good for 15 seconds more
            await eventually(lambda: held(b) == 15_000)
            await asyncio.sleep(0.3)  # past what any frame has
            writer.write(frame[15_000:])
            await eventually(lambda: b.recorder.packets)
            assert not b.transport.statistics.connections_rejected
            await hang_up(writer)

    def held(b: Node) -> int:
        assert b.transport._inbound is not None
        return sum(b.transport._inbound._frame_bytes.values())

    asyncio.run(story())


def test_frames_that_are_not_whole_have_a_bound_for_each_host() -> None:
    async def story() -> None:
        async with node(max_frame_bytes_per_host=250_000, first_frame_timeout=60.0) as b:
            half = (200_000).to_bytes(4, "little") + bytes(100_000)
            greedy = [await tls_client(b.address) for _ in range(3)]
            for writer in greedy:
                writer.write(half)
                await writer.drain()
            await eventually(lambda: b.transport.statistics.connections_rejected["frame_bytes"] == 1)
            await eventually(lambda: b.transport.statistics.connections_inbound == 2)
            frame = encode_packet_frame(b"x" * 40_000, "127.0.0.1:1")  # what is delivered takes none of it
            writer = await tls_client(b.address)
            for number in range(1, 11):  # one by one: what waits for its turn counts too
                writer.write(frame)
                await eventually(lambda: len(b.recorder.packets) == number)  # noqa: B023
            assert b.transport.statistics.connections_rejected == {"frame_bytes": 1}
            await hang_up(writer, *greedy)
            await eventually(lambda: b.transport.statistics.connections_inbound == 0)
            assert b.transport._inbound is not None
            assert not b.transport._inbound._frame_bytes

    asyncio.run(story())


def test_an_idle_inbound_connection_is_closed() -> None:
    async def story() -> None:
        async with node(first_frame_timeout=0.1, inbound_idle_timeout=0.3) as b:
            writer = await tls_client(b.address)
            writer.write(encode_packet_frame(b"hello", "127.0.0.1:1"))
            await eventually(lambda: b.transport.statistics.connections_rejected["idle"] == 1)
            await eventually(lambda: b.transport.statistics.connections_inbound == 0)
            await hang_up(writer)

    asyncio.run(story())


def test_an_idle_outbound_connection_is_closed_and_dialled_again() -> None:
    async def story() -> None:
        async with node(outbound_idle_timeout=0.1) as a, node() as b:
            a.send(b.address, b"one")
            await eventually(lambda: a.transport.statistics.connections_idled == 1)
            await eventually(lambda: b.transport.statistics.connections_inbound == 0)
            assert a.transport.statistics.connections_outbound == 0
            a.send(b.address, b"two")
            await eventually(lambda: b.recorder.data == [b"one", b"two"])
            assert a.transport.statistics.resumptions == 1
            assert not a.recorder.failures

    asyncio.run(story())


def test_the_least_recently_used_connection_makes_room() -> None:
    async def story() -> None:
        async with node(max_outbound_connections=2) as a, node() as b, node() as c, node() as d:
            for other in (b, c, b, d):
                a.send(other.address, b"hello")
                await eventually(lambda other=other: other.recorder.packets)  # type: ignore[misc]
            statistics = a.transport.statistics
            assert (statistics.connections_outbound, statistics.connections_evicted) == (2, 1)
            await eventually(lambda: c.transport.statistics.connections_inbound == 0)
            assert b.transport.statistics.connections_inbound == 1
            assert (a.transport.connection_limit, a.transport.connected()) == (2, [b.address, d.address])
            await eventually(lambda: statistics.connections_open == 2)

    asyncio.run(story())


def test_open_connections_are_counted_at_both_ends_until_they_close() -> None:
    async def story() -> None:
        async with node() as a:
            async with node() as b:
                a.send(b.address, b"hello")
                await eventually(lambda: b.recorder.packets)
                stream = await a.transport.open_stream(b.address, 5.0)
                accepted = await b.recorder.stream()
                # Not how many: two ends may share one connection for everything.
                assert 1 <= a.transport.statistics.connections_open <= 2
                assert a.transport.statistics.connections_open == b.transport.statistics.connections_open
                assert a.transport.statistics.handshakes == b.transport.statistics.handshakes
                await stream.close()
                await accepted.close()
            await eventually(lambda: a.transport.statistics.connections_open == 0)
            await eventually(lambda: b.transport.statistics.connections_open == 0)

    asyncio.run(story())


def test_a_link_rests_after_a_failed_dial_until_the_peer_is_heard_of() -> None:
    async def story() -> None:
        async with node(backoff_minimum=600.0, backoff_maximum=600.0) as a:
            with socket.socket() as bound:
                bound.bind(("127.0.0.1", 0))
                address = Address("127.0.0.1", bound.getsockname()[1])
                a.send(address, b"one")
                await eventually(lambda: len(a.recorder.failures) == 1)
                a.send(address, b"two")
                assert len(a.recorder.failures) == 2
                assert a.transport.statistics.dials == 1
                assert a.transport.statistics.packets_dropped == {"dial": 1, "backoff": 1}
            async with node(listen_address=address) as b:
                b.send(a.address, b"I am back")
                await eventually(lambda: a.recorder.packets)
                a.send(address, b"three")
                await eventually(lambda: b.recorder.data == [b"three"])

    asyncio.run(story())


def test_a_full_queue_is_bounded_in_bytes_too() -> None:
    async def story() -> None:
        async with node(max_queued_bytes=2500) as a, node() as b:
            for index in range(10):
                a.send(b.address, bytes([index]) * 1000)
            await eventually(lambda: len(b.recorder.packets) == 2)
            assert [data[0] for data in b.recorder.data] == [8, 9]
            assert a.transport.statistics.packets_dropped == {"queue_full": 8}

    asyncio.run(story())


def test_a_peer_that_takes_no_data_runs_into_the_write_deadline() -> None:
    async def story() -> None:
        stuck: list[asyncio.StreamWriter] = []

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            stuck.append(writer)
            writer.transport.pause_reading()  # type: ignore[attr-defined]

        server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=build_server_context(MUTUAL.server))
        address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
        async with node(write_timeout=0.3, max_queued_bytes=64 * 1024) as a:
            chunk = bytes(60_000)
            statistics = a.transport.statistics

            def timed_out() -> bool:
                # On and on: what fills the queue while we dial is soon taken by the system's buffers. Much at
                # once: were they filled slowly, the system would give the connection up first.
                if not statistics.connections_lost["write_timeout"]:
                    for _ in range(200):
                        a.send(address, chunk)
                return statistics.connections_lost["write_timeout"] == 1

            await eventually(timed_out)
            assert statistics.packets_dropped["queue_full"]
            assert any("queue of packets to it is full" in reason for _, reason in a.recorder.failures)
            assert a.transport.backlog(address) == 0
        server.close()
        for writer in stuck:
            writer.transport.abort()

    asyncio.run(story())


def test_a_killed_peer_is_noticed_without_sending(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with node() as a, node() as b, Tap(b.address) as tap:
            a.send(tap.address, b"hello")
            await eventually(lambda: b.recorder.packets)
            for connection in list(b.transport._inbound.connections):  # type: ignore[union-attr]
                connection.abort()
            await eventually(lambda: a.recorder.failures)
            assert a.recorder.failed == [tap.address]

    asyncio.run(story())


def test_an_address_that_cannot_be_bound_is_a_configuration_error() -> None:
    async def story() -> None:
        with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1:0"):
            async with node(listen_address=Address("192.0.2.1", 0)):
                pass

    asyncio.run(story())
