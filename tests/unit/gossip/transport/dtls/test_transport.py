"""The asyncio side, on loopback: two UDP sockets, TLS on the same port number, logs and counters."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from tests.support.certificates import CertificateAuthority
from tests.support.transports import Recorder, eventually, read_all
from tocsin.errors import ConfigError, TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.transport.dtls.incoming import Incoming
from tocsin.gossip.transport.dtls.settings import PACKET_BYTES, DTLSTransportConfig
from tocsin.gossip.transport.dtls.transport import DTLSTransport
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.transport.udp.shares import ShareSettings
from tocsin.tls.settings import ClusterTLSConfig

AUTHORITY = CertificateAuthority()
TLS = AUTHORITY.cluster_config()


class Peer:
    """A transport with a recorder."""

    def __init__(
        self, tls: ClusterTLSConfig = TLS, host: str = "127.0.0.1", port: int = 0, **changes: object
    ) -> None:
        base = TLSTransportConfig(listen_address=Address(host, port), dial_timeout=2.0, close_timeout=0.5)
        own = {key: value for key, value in changes.items() if not key.startswith("tls_")}
        base = replace(base, **{k[4:]: v for k, v in changes.items() if k.startswith("tls_")})  # type: ignore[arg-type]
        self.transport = DTLSTransport(DTLSTransportConfig(tls=base, **own), tls)  # type: ignore[arg-type]
        self.statistics = self.transport.statistics
        self.recorder = Recorder()

    @property
    def address(self) -> Address:
        return self.transport.listen_address


@asynccontextmanager
async def started(*peers: Peer) -> AsyncIterator[None]:
    for peer in peers:
        await peer.transport.start(peer.recorder)
    try:
        async with asyncio.timeout(30):
            yield
    finally:
        await asyncio.gather(*(peer.transport.close() for peer in peers))


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def tell() -> None:
        await story()

    asyncio.run(tell())


def test_packets_up_to_a_datagram_go_over_dtls_and_longer_ones_over_tls() -> None:
    async def story() -> None:
        a, b = Peer(), Peer()
        async with started(a, b):
            a.transport.send_packet(b.address, bytes(PACKET_BYTES))
            await eventually(lambda: b.recorder.packets)
            assert b.statistics.connections_inbound == 0
            a.transport.send_packet(b.address, bytes(PACKET_BYTES + 1))
            await eventually(lambda: len(b.recorder.packets) == 2)
            assert b.statistics.connections_inbound == 1
            assert b.recorder.packets == [
                (bytes(PACKET_BYTES), a.address),
                (bytes(PACKET_BYTES + 1), a.address),
            ]
            assert a.statistics.packets_sent == b.statistics.packets_received == 2

    run(story)


def test_streams_go_over_tls_on_the_same_port_number() -> None:
    async def story() -> None:
        a, b = Peer(), Peer()
        async with started(a, b):
            near = await a.transport.open_stream(b.address, 5.0)
            await near.write(bytes(300_000))
            far = await b.recorder.stream()
            closing = asyncio.create_task(near.close())
            assert await read_all(far) == bytes(300_000)
            await asyncio.gather(closing, far.close())

    run(story)


def test_a_burst_of_packets_arrives_whole() -> None:
    async def story() -> None:
        a, b = Peer(), Peer()
        async with started(a, b):
            for number in range(1000):
                a.transport.send_packet(b.address, b"%d" % number)
            await eventually(lambda: len(b.recorder.packets) == 1000)
            assert b.recorder.data == [b"%d" % number for number in range(1000)]
            assert b.statistics.receive_buffer_drops == 0
            assert a.statistics.receive_buffer_bytes > 0

    run(story)


def test_ipv6() -> None:
    async def story() -> None:
        a, b = Peer(host="::1"), Peer(host="::1")
        async with started(a, b):
            a.transport.send_packet(b.address, b"hello")
            await eventually(lambda: b.recorder.packets)
            assert b.recorder.packets == [(b"hello", a.address)]

    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    run(story)


def test_refusals_are_logged_on_both_ends_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    async def story() -> None:
        stranger = Peer(CertificateAuthority("elsewhere").cluster_config())
        b = Peer()
        async with started(stranger, b):
            b.transport.send_packet(stranger.address, b"hello")
            stranger.transport.send_packet(b.address, b"hello")
            await eventually(lambda: b.recorder.failures and stranger.recorder.failures)
            with pytest.raises(TransportError):
                await stranger.transport.open_stream(b.address, 5.0)
            assert not b.recorder.packets
            assert b.statistics.refusals["unknown_authority"] >= 1
            assert b.statistics.dtls.associations_inbound == b.statistics.dtls.associations_outbound == 0

    run(story)
    assert "refused peer 127.0.0.1:" in caplog.text
    assert "refused us" in caplog.text
    assert "certificate signed by unknown authority" in caplog.text


def test_a_datagram_that_is_too_long_or_no_dtls_is_counted_and_dropped() -> None:
    async def story() -> None:
        b = Peer()
        async with started(b):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.sendto(bytes(5000), b.address)
                stranger.sendto(b"GET / HTTP/1.1", b.address)
                ignored = b.statistics.dtls.datagrams_ignored
                await eventually(lambda: ignored == {"too_long": 1, "malformed": 1})
            assert b.statistics.dtls.datagrams_received == 2
            assert b.statistics.dtls.datagram_bytes_received == 5014

    run(story)


def test_a_peer_that_is_killed_is_reported_and_found_again_when_it_is_back() -> None:
    async def story() -> None:
        a, b = Peer(), Peer()
        async with started(a):
            await b.transport.start(b.recorder)
            a.transport.send_packet(b.address, b"one")
            await eventually(lambda: b.recorder.packets)
            await crash(b)

            async def send_until(done: Callable[[], object], data: bytes) -> None:
                while not done():
                    a.transport.send_packet(b.address, data)
                    await asyncio.sleep(0.02)

            await send_until(lambda: a.recorder.failures, b"two")
            reborn = Peer(port=b.address.port)
            async with started(reborn):
                await send_until(lambda: b"three" in reborn.recorder.data, b"three")
            await b.transport.close()

    run(story)


async def crash(peer: Peer) -> None:
    """Its sockets are gone without a word, as the system closes them for a process that was killed."""
    for side in (peer.transport._incoming, peer.transport._outgoing):
        assert side is not None
        await side.endpoint.close()
    await peer.transport._tls.close()


def test_both_sockets_share_the_port_number_and_a_taken_one_is_an_error() -> None:
    async def story() -> None:
        a = Peer()
        async with started(a):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as taken, pytest.raises(OSError, match="in use"):
                    taken.bind(tuple(a.address))
            with pytest.raises(ConfigError, match=str(a.address.port)):
                await Peer(port=a.address.port).transport.start(Recorder())

    run(story)


def test_a_wildcard_needs_an_address_to_advertise_and_leaves_no_socket_behind() -> None:
    async def story() -> None:
        with pytest.raises(ConfigError, match="wildcard"):
            await Peer(host="0.0.0.0").transport.start(Recorder())
        b = Peer()
        a = Peer(host="0.0.0.0", tls_advertise_address=Address("127.0.0.1", 0))
        async with started(a, b):
            a.transport.send_packet(b.address, b"hello")
            await eventually(lambda: b.recorder.packets)
            assert b.recorder.packets == [(b"hello", Address("127.0.0.1", a.address.port))]

    run(story)


def test_the_handler_may_answer_from_within() -> None:
    async def story() -> None:
        a, b = Peer(), Peer()

        class Echo(Recorder):
            def packet_received(self, data: bytes, source: Address, peer: PeerIdentity | None = None) -> None:
                super().packet_received(data, source, peer)
                b.transport.send_packet(source, b"re: " + data)

        b.recorder = Echo()
        async with started(a, b):
            for number in range(20):
                a.transport.send_packet(b.address, b"%d" % number)
            await eventually(lambda: len(a.recorder.packets) == 20)
            assert a.recorder.packets[0] == (b"re: 0", b.address)

    run(story)


HOSTILE = "127.0.0.9"


def slowed(part: Incoming, order: list[str]) -> None:
    """Each datagram of the hostile host takes it some milliseconds."""
    receive = part.receive

    def slow(datagram: bytes, source: Address, now: float) -> None:
        order.append(source.host)
        end = time.thread_time() + 0.004
        while source.host == HOSTILE and time.thread_time() < end:
            pass
        receive(datagram, source, now)

    part.receive = slow  # type: ignore[method-assign]


def test_a_members_datagram_passes_a_flood_that_came_before_it() -> None:
    async def story() -> None:
        a, b = Peer(), Peer(shares=ShareSettings(others_burst=0.004, other_bytes=40 * 512))
        b.recorder.strangers = {HOSTILE}
        async with started(a, b):
            side, order = b.transport._incoming, list[str]()
            assert side is not None
            slowed(side.part, order)
            with socket.socket(type=socket.SOCK_DGRAM) as hostile:
                hostile.bind((HOSTILE, 0))
                for _ in range(60):
                    hostile.sendto(b"hello", b.address)
                a.transport.send_packet(b.address, b"member")
                await eventually(lambda: b.recorder.data == [b"member"])
                assert order.count(HOSTILE) < 30
                await eventually(lambda: order.count(HOSTILE) > 5)
            assert b.statistics.packets_shed["strangers"] > 0

    run(story)


def test_who_was_authenticated_passes_a_flood_wherever_members_are() -> None:
    """Behind NAT, say."""

    async def story() -> None:
        a, b = Peer(), Peer(shares=ShareSettings(others_burst=0.004, other_bytes=40 * 512))
        async with started(a, b):
            a.transport.send_packet(b.address, b"first")
            await eventually(lambda: b.recorder.data == [b"first"])
            b.recorder.strangers = {HOSTILE, a.address.host}
            side, order = b.transport._incoming, list[str]()
            assert side is not None
            slowed(side.part, order)
            with socket.socket(type=socket.SOCK_DGRAM) as hostile:
                hostile.bind((HOSTILE, 0))
                for _ in range(60):
                    hostile.sendto(b"hello", b.address)
                a.transport.send_packet(b.address, b"second")
                await eventually(lambda: len(b.recorder.data) == 2)
                assert order.count(HOSTILE) < 30

    run(story)


def test_packets_past_the_share_of_a_peer_wait_in_order() -> None:
    async def story() -> None:
        a, b = Peer(), Peer(tls_peer_share=0.001, tls_peer_burst=0.0000001, max_late_packets=1000)
        async with started(a, b):
            sent = [b"%d" % number for number in range(200)]
            for packet in sent:
                a.transport.send_packet(b.address, packet)
            await eventually(lambda: len(b.recorder.packets) == len(sent))
            assert b.recorder.data == sent
            assert b.statistics.throttled["peer"] > 0
            assert not b.transport._late

    run(story)


def test_of_packets_past_the_share_of_a_peer_a_bounded_number_waits() -> None:
    async def story() -> None:
        a, b = Peer(), Peer(tls_peer_share=0.001, tls_peer_burst=0.0000001, max_late_packets=5)
        async with started(a, b):
            for number in range(200):
                a.transport.send_packet(b.address, b"%d" % number)
            ignored = b.statistics.dtls.datagrams_ignored
            await eventually(lambda: len(b.recorder.packets) + ignored["share"] == 200)
            assert ignored["share"] > 0

    run(story)


def test_what_waits_for_a_handshake_goes_out_before_the_close() -> None:
    async def story() -> None:
        a, b, c = Peer(tls_close_timeout=10.0), Peer(), Peer()
        async with started(a, b, c):
            a.transport.send_packet(b.address, b"earlier")
            await eventually(lambda: b.recorder.packets)
            a.transport.send_packet(c.address, b"at the last moment")
            await a.transport.close()
            await eventually(lambda: c.recorder.data == [b"at the last moment"])

    run(story)


def test_what_peers_are_told_is_the_advertised_address() -> None:
    async def story() -> None:
        a = Peer(host="0.0.0.0", tls_advertise_address=Address("192.0.2.1", 0))
        async with started(a):
            assert a.transport.advertise_address == Address("192.0.2.1", a.address.port)

    run(story)
