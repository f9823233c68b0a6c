"""A node between clear text and TLS, beside nodes that have not begun to move and nodes that are done."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Coroutine
from functools import partial
from typing import Any

import pytest

from tests.support.certificates import CertificateAuthority
from tests.support.transports import Recorder, eventually, read_all
from tocsin.gossip.address import Address
from tocsin.gossip.transport.base import Stream, Transport
from tocsin.gossip.transport.migrating import transport as module
from tocsin.gossip.transport.migrating.transport import MigratingTransport
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.transport.tls.transport import TLSTransport
from tocsin.gossip.transport.udp.settings import UDPTransportConfig
from tocsin.gossip.transport.udp.transport import UDPTransport

AUTHORITY = CertificateAuthority()
MUTUAL = AUTHORITY.cluster_config()
ANY_PORT = Address("127.0.0.1", 0)


def over_tls(address: Address = ANY_PORT, **settings: Any) -> TLSTransportConfig:
    return TLSTransportConfig(**{"listen_address": address, "close_timeout": 0.5, **settings})


def migrating(address: Address = ANY_PORT, **settings: Any) -> MigratingTransport:
    clear = UDPTransportConfig(listen_address=address, close_timeout=0.5)
    return MigratingTransport(TLSTransport(over_tls(address, **settings), MUTUAL), clear)


def udp(address: Address = ANY_PORT) -> UDPTransport:
    return UDPTransport(UDPTransportConfig(listen_address=address, close_timeout=0.5))


def tls(address: Address = ANY_PORT) -> TLSTransport:
    return TLSTransport(over_tls(address), MUTUAL)


class Plain(Recorder):
    """As a member does that speaks no TLS: a stream that begins with no message of memberlist is dropped."""

    def stream_accepted(self, stream: Stream) -> None:
        stream.abort()


@contextlib.asynccontextmanager
async def started(
    transport: Transport, recorder: Recorder | None = None
) -> AsyncIterator[tuple[Transport, Recorder]]:
    recorder = recorder or Recorder()
    await transport.start(recorder)
    try:
        yield transport, recorder
    finally:
        await transport.close()


def got(recorder: Recorder, data: bytes) -> bool:
    return recorder.data == [data]


def run(story: Coroutine[Any, Any, None]) -> None:
    async def tell() -> None:
        async with asyncio.timeout(60):
            await story

    asyncio.run(tell())


def test_it_talks_with_all_three_kinds_and_counts_who_is_reached_in_clear_text() -> None:
    async def story() -> None:
        mine = migrating()
        async with (
            started(mine) as (_, heard),
            started(udp(), Plain()) as (old, old_heard),
            started(migrating()) as (moving, moving_heard),
            started(tls()) as (new, new_heard),
        ):
            for other, others_heard in ((old, old_heard), (moving, moving_heard), (new, new_heard)):
                mine.send_packet(other.listen_address, b"from the one that moves")
                await eventually(partial(got, others_heard, b"from the one that moves"))
                other.send_packet(mine.listen_address, b"to it")
                await eventually(partial(got, heard, b"to it"))
                heard.packets.clear()
            assert mine.statistics.peers_in_clear == 1
            assert not heard.failures

    run(story())


def test_streams_go_both_ways_with_all_three_kinds() -> None:
    async def story() -> None:
        async with started(migrating()) as (mine, heard):
            for other in (udp(), migrating(), tls()):
                async with started(other) as (_, others_heard):
                    near = await mine.open_stream(other.listen_address, 10.0)
                    await near.write(b"question")
                    far = await others_heard.stream()
                    if isinstance(
                        other, UDPTransport
                    ):  # First came the trial of TLS, which a real peer drops.
                        assert (await far.read())[0] == 22
                        far.abort()
                        far = await others_heard.stream()
                    assert await far.read() == b"question"
                    await asyncio.gather(near.close(), far.close())
                    near = await other.open_stream(mine.listen_address, 10.0)
                    await near.write(b"question")
                    far = await heard.stream()
                    assert await far.read() == b"question"
                    await asyncio.gather(near.close(), far.close(), read_all(near))

    run(story())


def test_a_peer_that_goes_strict_and_one_that_goes_back_are_found_again() -> None:
    async def story() -> None:
        mine = migrating()
        async with started(mine):
            async with started(migrating()) as (other, heard):
                address = other.listen_address
                mine.send_packet(address, b"1")
                await eventually(lambda: heard.data == [b"1"])
            for later in (tls(address), udp(address), migrating(address)):
                async with started(later, Plain()) as (_, heard):

                    def arrived(heard: Recorder = heard) -> bool:
                        mine.send_packet(address, b"2")
                        return b"2" in heard.data

                    await eventually(arrived)

    run(story())


def test_who_connects_and_says_nothing_is_sent_away_and_bounded() -> None:
    async def story() -> None:
        mine = migrating(max_inbound_handshakes=3, first_frame_timeout=0.5)
        async with started(mine):
            connections = [
                await asyncio.open_connection(mine.listen_address.host, mine.listen_address.port)
                for _ in range(5)
            ]
            for reader, writer in connections:
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
                writer.close()
            assert mine.statistics.connections_rejected == {"handshakes": 2, "first_frame": 3}

    run(story())


def test_what_waits_for_the_first_trial_is_bounded() -> None:
    async def story() -> None:
        hole = socket.create_server(("127.0.0.1", 0))  # Nobody accepts there, so that the trial lasts.
        address = Address(*hole.getsockname())
        mine = migrating(max_queued_packets=10, dial_timeout=5.0, close_timeout=0.1)
        async with started(mine) as (_, heard):
            for _ in range(15):
                mine.send_packet(address, b"x" * 100)
            assert mine.backlog(address) == 1000
            assert mine.statistics.packets_dropped["queue_full"] == 5
            assert heard.failed == [address] * 5
        hole.close()

    run(story())


def test_of_those_who_say_nothing_one_host_has_only_its_share() -> None:
    async def story() -> None:
        mine = migrating(max_inbound_connections_per_host=2)
        async with started(mine):
            near = [
                await asyncio.open_connection(mine.listen_address.host, mine.listen_address.port)
                for _ in range(3)
            ]
            assert await near[2][0].read() == b""
            assert mine.statistics.connections_rejected == {"host": 1}
            for _, writer in near:
                writer.close()

    run(story())


def test_a_stream_waits_for_the_trial_that_is_under_way() -> None:
    async def story() -> None:
        mine = migrating()
        async with started(mine), started(tls()) as (strict, heard):
            mine.send_packet(strict.listen_address, b"first")
            near = await mine.open_stream(strict.listen_address, 10.0)
            await near.write(b"question")
            far = await heard.stream()
            assert await far.read() == b"question"
            await asyncio.gather(near.close(), far.close())
            assert heard.data == [b"first"]

    run(story())


def test_a_stream_that_is_given_up_leaves_no_trial_that_never_ends() -> None:
    async def story() -> None:
        hole = socket.create_server(("127.0.0.1", 0))
        address = Address(*hole.getsockname())
        mine = migrating(dial_timeout=0.5, close_timeout=0.1)
        async with started(mine):
            opening = asyncio.create_task(mine.open_stream(address, 5.0))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            opening.cancel()
            await asyncio.wait({opening})
            mine.send_packet(address, b"waits")
            assert mine.backlog(address)
            await eventually(lambda: not mine.backlog(address))
        hole.close()

    run(story())


def test_a_peer_that_dials_us_gets_what_waited_for_our_own_dial() -> None:
    async def story() -> None:
        mine, other = migrating(), migrating()
        async with started(mine), started(other) as (_, heard):
            hole = socket.create_server(("127.0.0.1", 0))
            real, mine.tls.reach = mine.tls.reach, lambda *_: asyncio.sleep(3600)  # type: ignore[method-assign]
            mine.send_packet(other.listen_address, b"waited")
            await asyncio.sleep(0)
            other.send_packet(mine.listen_address, b"hello")

            def arrived() -> bool:
                mine.send_packet(other.listen_address, b"later")
                return len(heard.data) > 1

            await eventually(arrived)
            assert heard.data[:2] == [b"waited", b"later"]
            mine.tls.reach = real  # type: ignore[method-assign]
            hole.close()

    run(story())


def test_trials_and_what_waits_for_them_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        monkeypatch.setattr(module, "MAX_TRIALS", 2)
        monkeypatch.setattr(module, "MAX_HELD", 250)
        holes = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        first, second, third = (Address(*hole.getsockname()) for hole in holes)
        mine = migrating(close_timeout=0.1)
        async with started(mine) as (_, heard):
            for address in (first, second, third):
                mine.send_packet(address, b"x" * 100)
            assert [mine.backlog(address) for address in (first, second)] == [100, 100]
            assert mine.statistics.trials_postponed == 1
            mine.send_packet(second, b"y" * 100)
            assert mine.backlog(second) == 100
            assert mine.statistics.packets_dropped["queue_full"] == 1
            assert heard.failed == [second]
        for hole in holes:
            hole.close()

    run(story())


def test_links_and_streams_in_clear_text_share_a_gauge() -> None:
    async def story() -> None:
        mine = migrating()
        async with started(mine), started(udp()) as (old, _), started(tls()) as (new, heard):
            near = await mine.clear.open_stream(old.listen_address, 10.0)
            assert mine.statistics.connections_outbound == 1
            mine.send_packet(new.listen_address, b"1")
            await eventually(lambda: heard.data)
            assert mine.statistics.connections_outbound == 2
            near.abort()
            await eventually(lambda: mine.statistics.connections_outbound == 1)
        assert mine.statistics.connections_outbound == 0

    run(story())
