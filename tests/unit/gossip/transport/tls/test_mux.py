"""``tocsin/1`` on real sockets: one connection for each pair, whatever happens to it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.support.certificates import CertificateAuthority
from tests.support.transports import Recorder, eventually, read_all
from tocsin.errors import TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.transport.statistics import TransportStatistics
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.transport.tls.transport import TLSTransport
from tocsin.gossip.wire import mux as wire
from tocsin.tls.settings import ClientAuthType, ClusterTLSConfig

AUTHORITY = CertificateAuthority()
MUTUAL = AUTHORITY.cluster_config()
ANY_PORT = Address("127.0.0.1", 0)


@dataclass
class Node:
    transport: TLSTransport
    recorder: Recorder = field(default_factory=Recorder)

    @property
    def address(self) -> Address:
        return self.transport.listen_address

    @property
    def statistics(self) -> TransportStatistics:
        return self.transport.statistics

    def send(self, destination: Node, data: bytes) -> None:
        self.transport.send_packet(destination.address, data)


@contextlib.asynccontextmanager
async def node(tls: ClusterTLSConfig = MUTUAL, seed: int | None = None, **more: Any) -> AsyncIterator[Node]:
    more = {"listen_address": ANY_PORT, "close_timeout": 0.5, **more}
    chance = random.Random(seed) if seed is not None else None
    one = Node(TLSTransport(TLSTransportConfig(**more), tls, random_source=chance))
    await one.transport.start(one.recorder)
    try:
        yield one
    finally:
        await one.transport.close()


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def tell() -> None:
        async with asyncio.timeout(40):
            await story()

    asyncio.run(tell())


def with_client(hosts: tuple[str, ...]) -> ClusterTLSConfig:
    """Dials show a certificate for other names than the listener's."""
    issued = AUTHORITY.issue(*hosts)
    return replace(MUTUAL, client=replace(MUTUAL.client, cert=issued.certificate, key=issued.key))


async def packets(sender: Node, receiver: Node, *data: bytes) -> None:
    expected = len(receiver.recorder.packets) + len(data)
    for one in data:
        sender.send(receiver, one)
    await eventually(lambda: len(receiver.recorder.packets) == expected)


def test_one_connection_and_one_handshake_for_everything_both_ways() -> None:
    async def story() -> None:
        async with node() as a, node() as b:
            await packets(a, b, b"there")
            await packets(b, a, b"and back")
            for opener, accepter in ((a, b), (b, a)):
                for _ in range(20):
                    near = await opener.transport.open_stream(accepter.address, 5.0)
                    await near.write(b"state")
                    far = await accepter.recorder.stream()
                    closing = asyncio.create_task(near.close())
                    assert await read_all(far) == b"state"
                    await far.close()
                    await closing
            assert b.recorder.packets == [(b"there", a.address)]
            assert a.recorder.packets == [(b"and back", b.address)]
            for one in (a, b):
                assert one.statistics.handshakes == one.statistics.connections_mux == 1
                assert one.statistics.mux.streams_opened == one.statistics.mux.streams_accepted == 20
            assert a.statistics.dials == 1
            assert b.statistics.dials == 0

    run(story)


@pytest.mark.parametrize("seeds", [(1, 2), (2, 1)])
def test_two_dials_at_once_end_in_one_connection_and_lose_nothing(seeds: tuple[int, int]) -> None:
    async def story() -> None:
        for _ in range(5):
            async with node(seed=seeds[0]) as a, node(seed=seeds[1]) as b:
                for index in range(200):
                    a.send(b, b"to b %d" % index)
                    b.send(a, b"to a %d" % index)
                streams = await asyncio.gather(
                    a.transport.open_stream(b.address, 5.0), b.transport.open_stream(a.address, 5.0)
                )
                for stream in streams:
                    await stream.write(b"hello")
                assert await (await a.recorder.stream()).read() == b"hello"
                assert await (await b.recorder.stream()).read() == b"hello"
                await eventually(lambda: len(a.recorder.packets) == len(b.recorder.packets) == 200)
                assert b.recorder.data == [b"to b %d" % index for index in range(200)]
                assert a.recorder.data == [b"to a %d" % index for index in range(200)]
                for stream in streams:
                    stream.abort()
                await eventually(lambda: a.statistics.connections_mux == b.statistics.connections_mux == 1)
                await packets(a, b, b"later")
                await packets(b, a, b"later")
                assert not a.recorder.failures
                assert not b.recorder.failures
                assert a.statistics.connections_mux == b.statistics.connections_mux == 1

    run(story)


def test_many_streams_at_once_to_a_new_peer_share_one_dial() -> None:
    async def story() -> None:
        async with node() as a, node() as b:
            streams = await asyncio.gather(*(a.transport.open_stream(b.address, 5.0) for _ in range(30)))
            await eventually(lambda: b.recorder.streams.qsize() == 30)
            assert a.statistics.dials == 1
            for stream in streams:
                stream.abort()

    run(story)


def test_a_large_stream_does_not_hold_up_packets() -> None:
    async def story() -> None:
        async with node() as a, node() as b:
            near = await a.transport.open_stream(b.address, 5.0)
            writing = asyncio.create_task(near.write(bytes(8 * 1024 * 1024)))
            far = await b.recorder.stream()
            await far.read()  # And no more: its window fills up.
            await packets(a, b, b"urgent")
            assert not writing.done()
            near.abort()
            with pytest.raises(TransportError):
                await writing
            far.abort()

    run(story)


def test_a_peer_that_restarts_fails_packets_at_once_and_is_dialled_again() -> None:
    async def story() -> None:
        async with node() as a, contextlib.AsyncExitStack() as stack:
            b = await stack.enter_async_context(node())
            await packets(a, b, b"one")
            address = b.address
            for connection in list(b.transport._inbound.connections):  # type: ignore[union-attr]
                connection.abort()
            await eventually(lambda: a.recorder.failures)
            assert set(a.recorder.failed) == {address}
            await eventually(lambda: not b.statistics.connections_mux)
            await b.transport.close()
            reborn = await stack.enter_async_context(node(listen_address=address))

            def reached() -> bool:
                a.send(reborn, b"two")
                return bool(reborn.recorder.packets)

            await eventually(reached)
            assert a.statistics.connections_mux == 1

    run(story)


def test_reconnecting_resumes_the_session() -> None:
    async def story() -> None:
        async with node() as a, node() as b:
            await packets(a, b, b"one")
            for connection in list(b.transport._inbound.connections):  # type: ignore[union-attr]
                connection.abort()
            await eventually(lambda: a.recorder.failures)

            def reached() -> bool:
                a.send(b, b"two")
                return b.recorder.data[-1] == b"two"

            await eventually(reached)
            assert a.statistics.handshakes == 2
            assert a.statistics.resumptions == 1

    run(story)


class Relay:
    """A TCP relay that can fall silent: a half-open connection."""

    def __init__(self, target: Address) -> None:
        self.target = target
        self.silent = False
        self.writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Relay:
        self.server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.address = Address("127.0.0.1", self.server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        for writer in self.writers:
            writer.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self.target)
        self.writers += [writer, far_writer]
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if not self.silent:
                    writer.write(data)
            writer.close()


def test_a_half_open_connection_is_noticed_by_its_heartbeat() -> None:
    async def story() -> None:
        async with node(heartbeat_interval=0.1) as a, node() as b, Relay(b.address) as relay:
            a.transport.send_packet(relay.address, b"hello")
            await eventually(lambda: b.recorder.packets)
            relay.silent = True
            await eventually(lambda: a.recorder.failures)
            assert set(a.recorder.failed) == {relay.address, b.address}
            assert a.statistics.connections_lost == {"heartbeat": 1}
            assert a.statistics.mux.heartbeats_missed == 2
            assert a.statistics.connections_mux == 0

    run(story)


def test_a_quiet_connection_stays() -> None:
    async def story() -> None:
        async with node(heartbeat_interval=0.02) as a, node(heartbeat_interval=0.02) as b:
            await packets(a, b, b"hello")
            await asyncio.sleep(0.5)
            assert a.statistics.connections_mux == 1
            assert a.statistics.handshakes == 1
            assert a.statistics.connections_lost == {}

    run(story)


def test_last_words_arrive_and_the_peer_notices_a_goaway_not_a_failure() -> None:
    async def story() -> None:
        async with node() as b:
            for index in range(10):
                async with node() as a:
                    await packets(a, b, b"hello")
                    a.send(b, b"last words %d" % index)
                    b.send(a, b"crossing %d" % index)
                assert a.recorder.data == [b"crossing %d" % index]
            await eventually(lambda: len(b.recorder.packets) == 20)
            assert not b.recorder.failures
            await eventually(lambda: not b.statistics.connections_mux)

    run(story)


def test_a_certificate_for_another_host_draws_no_packets_to_itself() -> None:
    """The client's certificate is not one that a dial to its listener would accept: each side dials."""

    async def story() -> None:
        async with node(with_client(("10.9.9.9",))) as a, node(with_client(("10.9.9.8",))) as b:
            await packets(a, b, b"there")
            await packets(b, a, b"back")
            assert a.statistics.dials == b.statistics.dials == 1
            await eventually(lambda: a.statistics.connections_mux == b.statistics.connections_mux == 2)

    run(story)


def test_a_listener_that_asks_for_no_certificate_dials_itself() -> None:
    async def story() -> None:
        server = replace(
            MUTUAL.server, client_auth_type=ClientAuthType.NO_CLIENT_CERT, client_ca=None, client_ca_file=None
        )
        async with node(replace(MUTUAL, server=server)) as a, node(replace(MUTUAL, server=server)) as b:
            await packets(a, b, b"there")
            await packets(b, a, b"back")
            assert a.statistics.dials == b.statistics.dials == 1

    run(story)


def test_a_node_reaches_itself() -> None:
    async def story() -> None:
        async with node() as a:
            await packets(a, a, b"me")
            near = await a.transport.open_stream(a.address, 5.0)
            await near.write(b"hello")
            assert await (await a.recorder.stream()).read() == b"hello"
            near.abort()

    run(story)


def test_a_node_told_not_to_offer_it_gets_alertmanagers_framing() -> None:
    async def story() -> None:
        async with node() as a, node(offer_alpn=False) as b, node() as c:
            for sender, receiver in ((a, b), (b, a), (a, c), (c, a), (b, c), (c, b)):
                await packets(sender, receiver, b"hello")
            assert b.statistics.connections_mux == 0
            assert a.statistics.connections_mux == c.statistics.connections_mux == 1

    run(story)


def test_least_recently_used_and_idle_connections_send_goaway() -> None:
    async def story() -> None:
        async with node(max_outbound_connections=1) as a, node() as b, node() as c:
            await packets(a, b, b"one")
            await packets(a, c, b"two")
            await eventually(lambda: a.statistics.connections_mux == 1)
            assert a.statistics.connections_evicted == 1
            await packets(a, b, b"three")
            assert not a.recorder.failures
        async with node(outbound_idle_timeout=0.1) as a, node() as b:
            await packets(a, b, b"one")
            await eventually(lambda: not a.statistics.connections_mux and not b.statistics.connections_mux)
            assert a.statistics.connections_idled == 1
            await packets(b, a, b"two")

    run(story)


def test_a_connection_that_takes_long_to_open_is_not_idle_and_loses_nothing() -> None:
    """Once, a packet was dropped with its dial when that took longer than the idle timeout."""

    async def story() -> None:
        held = asyncio.Event()
        ends: list[asyncio.StreamWriter] = []

        async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await held.wait()
            there, back = await asyncio.open_connection(*b.address)
            ends.extend((writer, back))

            async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
                while data := await source.read(65536):
                    target.write(data)

            await asyncio.gather(pump(reader, back), pump(there, writer))

        async with node(outbound_idle_timeout=0.02) as a, node() as b:
            server = await asyncio.start_server(pass_on, "127.0.0.1", 0)
            async with server:
                a.transport.send_packet(Address(*server.sockets[0].getsockname()), b"late")
                for _ in range(20):
                    await asyncio.sleep(0.01)  # meanwhile it is looked at
                held.set()
                await eventually(lambda: [data for data, _ in b.recorder.packets] == [b"late"])
                assert not a.recorder.failures
                for one in ends:
                    one.close()

    run(story)


def test_a_connection_that_carries_streams_is_not_idle_and_holds_nothing_up() -> None:
    """Once, looking for idle ones did not end where each had an open stream."""

    async def story() -> None:
        async with node(outbound_idle_timeout=1.0) as a, node() as b:
            await packets(a, b, b"one")
            stream = await a.transport.open_stream(b.address, 5.0)
            await stream.write(b"open")
            far = await b.recorder.stream()
            assert await far.read() == b"open"
            before = a.statistics.connections_idled
            for _ in range(150):
                await asyncio.sleep(0.01)  # meanwhile it is looked at
            assert a.statistics.connections_idled == before
            await stream.close()
            await far.close()
            await eventually(lambda: a.statistics.connections_idled > before)

    run(story)


def test_a_stream_outlives_the_goaway_of_its_connection() -> None:
    async def story() -> None:
        async with node(max_outbound_connections=1, close_timeout=0.02) as a, node() as b, node() as c:
            await packets(a, b, b"one")
            near = await a.transport.open_stream(b.address, 5.0)
            far = await b.recorder.stream()
            await packets(a, c, b"two")
            assert a.statistics.connections_evicted == 1
            for _ in range(10):
                await near.write(b"still here")
                assert await far.read() == b"still here"
                await asyncio.sleep(0.02)
            await far.write(b"answer")
            closing = asyncio.create_task(far.close())
            assert await read_all(near) == b"answer"
            await near.close()
            await closing
            await eventually(lambda: a.statistics.connections_mux == 1)

    run(story)


async def raw_client(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A TLS client that negotiated the protocol and can send what it likes."""
    issued = AUTHORITY.issue()
    context = ssl.create_default_context(cadata=AUTHORITY.certificate.decode())
    with tempfile.NamedTemporaryFile() as file:
        file.write(issued.certificate + issued.key)
        file.flush()
        context.load_cert_chain(file.name)
    context.set_alpn_protocols([wire.PROTOCOL])
    return await asyncio.open_connection(*address, ssl=context)


HELLO = wire.Hello(
    instance=bytes(16),
    address="127.0.0.1:1",
    sequence=1,
    max_streams=9,
    stream_window=65536,
    connection_window=65536,
    max_packet=65536,
)


@pytest.mark.parametrize(
    ("hostile", "code"),
    [
        (wire.encode_frame(wire.PACKET, 0, 0, b"before HELLO"), "protocol"),
        (wire.encode_header(wire.HELLO, 0, 0xFFFF, 0), "frame_size"),
        (wire.encode_hello(HELLO) * 2, "protocol"),
        (wire.encode_hello(HELLO) + wire.encode_frame(wire.DATA, 0, 5, b"x"), "protocol"),
    ],
)
def test_a_peer_that_breaks_the_rules_is_told_and_closed(hostile: bytes, code: str) -> None:
    async def story() -> None:
        async with node() as a:
            reader, writer = await raw_client(a.address)
            writer.write(hostile)
            answer = await reader.read()
            decoder = wire.MuxFrameDecoder()
            decoder.feed(answer)
            last = (0, 0, 0, b"")
            while (frame := decoder.next_frame()) is not None:
                last = frame
            assert last[0] == wire.GOAWAY
            assert wire.decode_reason(last[3])[0].name.lower() == code
            assert a.statistics.mux.errors == {code: 1}
            assert a.statistics.frames_refused == 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    run(story)


def test_a_peer_that_never_says_hello_is_closed() -> None:
    async def story() -> None:
        async with node(first_frame_timeout=0.1) as a:
            reader, writer = await raw_client(a.address)
            with contextlib.suppress(OSError):
                assert await reader.read() == b""
            assert a.statistics.connections_lost == {"hello": 1}
            assert a.statistics.connections_mux == 0
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    run(story)


def test_a_peer_that_never_reads_costs_a_bounded_queue_and_then_the_connection() -> None:
    async def story() -> None:
        async with node(max_queued_packets=50, heartbeat_interval=0.2) as a, node() as b:
            await packets(a, b, b"hello")
            for connection in list(b.transport._inbound.connections):  # type: ignore[union-attr]
                assert connection._transport is not None
                connection._transport.pause_reading()

            def flooded() -> bool:
                for _ in range(20):
                    a.transport.send_packet(b.address, bytes(60_000))
                return a.statistics.connections_lost["heartbeat"] == 1

            await eventually(flooded, 20.0)
            assert a.statistics.mux.packets_dropped["queue_full"] > 0
            assert a.recorder.failed[0] == b.address

    run(story)


def test_the_system_holds_little_unsent() -> None:
    async def story() -> None:
        async with node() as a, node() as b:
            await packets(a, b, b"hello")
            if hasattr(socket, "TCP_NOTSENT_LOWAT"):
                [mux] = a.transport._mux_peers._connections  # type: ignore[union-attr]
                sock = mux.connection.tcp_socket
                assert sock is not None
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 128 * 1024

    run(story)


def test_nothing_small_waits_in_the_system_for_an_acknowledgement_at_either_end() -> None:
    """asyncio knows an accepted socket for one of TCP only if its listener names the protocol."""

    async def story() -> None:
        async with node() as a, node() as b:
            await packets(a, b, b"hello")
            for one in (a, b):
                [mux] = one.transport._mux_peers._connections  # type: ignore[union-attr]
                sock = mux.connection.tcp_socket
                assert sock is not None
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    run(story)
