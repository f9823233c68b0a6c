"""What every transport promises (``gossip/transport/base.py``), as tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.conformance.networks import Limits, Network
from tests.support.transports import eventually, read_all
from tocsin.errors import ClosedError, ConfigError, TransportError
from tocsin.gossip.address import Address

MakeNetwork = Callable[[], Network]


def run(make_network: MakeNetwork, story: Callable[[Network], Awaitable[None]]) -> None:
    """Run one story on a network of its own."""

    async def tell() -> None:
        network = make_network()
        try:
            async with asyncio.timeout(60):
                await story(network)
        finally:
            await network.close()

    asyncio.run(tell())


def test_packets_keep_their_borders_and_their_order(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        a, b = await network.node(), await network.node()
        sent = [bytes([index % 256]) * (1 + index % 700) for index in range(500)]
        for data in sent:
            a.transport.send_packet(b.address, data, "b")
        await eventually(lambda: len(b.recorder.packets) >= len(sent))
        assert b.recorder.data == sent
        assert {source for _, source in b.recorder.packets} == {a.address}
        assert a.statistics.packets_sent == b.statistics.packets_received == len(sent)

    run(make_network, story)


def test_a_peer_is_known_and_charged_where_it_is_authenticated(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        a, b = await network.node(), await network.node()
        assert a.transport.statistics is a.statistics
        assert a.transport.advertise_address == a.address
        stream = await a.transport.open_stream(b.address, 10, "b")
        await stream.write(b"hello")
        await eventually(lambda: not b.recorder.streams.empty())
        if a.transport.certificates is None:
            assert stream.peer is None
        else:
            assert a.transport.scheduler is not None
            assert a.transport.certificates.identity.expiries
            assert stream.peer is None or stream.peer.host == b.address.host
        await stream.close()

    run(make_network, story)


def test_who_has_had_a_packet_is_connected_where_connections_are_needed(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        a, b = await network.node(), await network.node()
        assert not a.transport.connected()
        a.transport.send_packet(network.nobody(), b"lost")
        await eventually(lambda: a.recorder.failures)
        assert not a.transport.connected()
        a.transport.send_packet(b.address, b"hello")
        await eventually(lambda: b.recorder.packets)
        if a.transport.connection_limit is None:
            assert not a.transport.connected()
        else:
            assert list(a.transport.connected()) == [b.address]
            await network.kill(b)
            await eventually(lambda: not a.transport.connected())

    run(make_network, story)


def test_both_directions_at_once(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        a, b = await network.node(), await network.node()
        for index in range(50):
            a.transport.send_packet(b.address, b"to b %d" % index)
            b.transport.send_packet(a.address, b"to a %d" % index)
        await eventually(lambda: len(a.recorder.packets) == len(b.recorder.packets) == 50)
        assert a.recorder.data == [b"to a %d" % index for index in range(50)]
        assert b.recorder.data == [b"to b %d" % index for index in range(50)]

    run(make_network, story)


@pytest.mark.parametrize("size", [1, 127, 128, 1400, 4096, 16384, 16385, 64 * 1024])
def test_packets_of_every_size_up_to_the_limit_arrive(make_network: MakeNetwork, size: int) -> None:
    async def story(network: Network) -> None:
        a, b = await network.node(), await network.node()
        data = bytes(index % 251 for index in range(min(size, network.largest_packet)))
        a.transport.send_packet(b.address, data)
        a.transport.send_packet(b.address, b"next")
        await eventually(lambda: len(b.recorder.packets) == 2)
        received = b.recorder.data
        assert (received if network.one_way else sorted(received)) == (
            [data, b"next"] if network.one_way else sorted([data, b"next"])
        )

    run(make_network, story)


def test_a_packet_past_the_limit_and_an_empty_one_are_not_sent(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        a, b = await network.node(), await network.node()
        a.transport.send_packet(b.address, bytes(64 * 1024 + 100))
        a.transport.send_packet(b.address, b"")
        a.transport.send_packet(b.address, b"fits")
        await eventually(lambda: b.recorder.packets)
        assert b.recorder.data == [b"fits"]
        assert a.statistics.packets_dropped == {"too_big": 1, "empty": 1}

    run(make_network, story)


def test_a_full_queue_drops_the_oldest_and_counts(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        a, b = await network.node(Limits(max_queued_packets=10)), await network.node()
        for index in range(25):
            a.transport.send_packet(b.address, b"%d" % index)
        assert a.recorder.failed == [b.address] * 15
        await eventually(lambda: len(b.recorder.packets) == 10)
        assert b.recorder.data == [b"%d" % index for index in range(15, 25)]
        assert a.statistics.packets_dropped == {"queue_full": 15}

    run(make_network, story)


def test_what_is_not_with_the_system_yet_is_the_backlog(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        a, b, c = await network.node(), await network.node(), await network.node()
        for _ in range(3):
            a.transport.send_packet(b.address, bytes(1000))
        assert 3000 <= a.transport.backlog(b.address) <= 3300
        assert a.transport.backlog(c.address) == 0
        await eventually(lambda: len(b.recorder.packets) == 3)
        assert a.transport.backlog(b.address) == 0

    run(make_network, story)


def test_a_packet_to_nobody_is_reported(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        a = await network.node()
        nobody = network.nobody()
        a.transport.send_packet(nobody, b"anyone?")
        await eventually(lambda: a.recorder.failures)
        assert a.recorder.failed == [nobody]
        assert a.recorder.failures[0][1]
        assert a.statistics.dial_failures["connect"] == network.ways
        assert a.statistics.packets_dropped == {"dial": 1}

    run(make_network, story)


def test_a_black_hole_delays_nobody_else(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        a, b = await network.node(Limits(close_timeout=0.1)), await network.node()
        hole = await network.black_hole()
        for index in range(200):
            a.transport.send_packet(hole, b"lost")
            a.transport.send_packet(b.address, b"%d" % index)
        await eventually(lambda: len(b.recorder.packets) == 200)
        assert b.recorder.data == [b"%d" % index for index in range(200)]
        assert hole not in a.recorder.failed  # The hole's dial still runs: b did not wait for its end.

    run(make_network, story)


def test_a_peer_that_went_away_and_came_back_is_reached_again(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        a, b = await network.node(), await network.node()
        address = b.address
        a.transport.send_packet(address, b"one")
        await eventually(lambda: b.recorder.packets)
        await b.transport.close()

        async def send_until(done: Callable[[], object], data: bytes) -> None:
            while not done():
                a.transport.send_packet(address, data)
                await asyncio.sleep(0.02)

        await send_until(lambda: a.recorder.failures, b"two")
        assert set(a.recorder.failed) == {address}
        reborn = await network.node(address=address)
        await send_until(lambda: reborn.recorder.packets, b"three")
        assert set(reborn.recorder.data) <= {b"two", b"three"}

    run(make_network, story)


def test_a_stream_carries_bytes_both_ways(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        a, b = await network.node(), await network.node()
        near = await a.transport.open_stream(b.address, 5.0, "b")
        assert near.remote == b.address
        await near.write(b"question")
        far = await b.recorder.stream()
        assert far.remote.host == a.address.host
        assert await far.read() == b"question"
        await far.write(b"answer")
        await far.close()
        assert await read_all(near) == b"answer"
        assert await near.read() == b""
        await near.close()
        assert a.statistics.streams_opened == b.statistics.streams_accepted == 1

    run(make_network, story)


def test_a_large_stream_arrives_whole(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        a, b = await network.node(), await network.node()
        content = bytes(range(256)) * 12_000
        near = await a.transport.open_stream(b.address, 5.0)
        other_end = asyncio.create_task(b.recorder.stream())
        sending = asyncio.create_task(near.write(content))
        far = await other_end
        received = bytearray()
        while len(received) < len(content):
            received += await far.read()
        await sending
        assert received == content
        await asyncio.gather(near.close(), far.close())

    run(make_network, story)


def test_an_orderly_close_right_after_the_last_write_loses_nothing(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        a, b = await network.node(), await network.node()
        received: list[bytes] = []

        async def serve() -> None:
            while True:
                far = await b.recorder.stream()
                received.append(await read_all(far))
                await far.close()

        serving = asyncio.create_task(serve())
        for index in range(100):
            near = await a.transport.open_stream(b.address, 5.0)
            await near.write(b"message %d" % index)
            await near.close()
        await eventually(lambda: len(received) == 100)
        assert received == [b"message %d" % index for index in range(100)]
        serving.cancel()

    run(make_network, story)


def test_closing_the_transport_flushes_what_is_queued(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        b = await network.node()
        for index in range(20):
            a = await network.node()
            a.transport.send_packet(b.address, b"last words %d" % index)
            await a.transport.close()
        await eventually(lambda: len(b.recorder.packets) == 20)
        assert b.recorder.data == [b"last words %d" % index for index in range(20)]

    run(make_network, story)


def test_an_aborted_stream_is_an_error_at_the_far_end(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        a, b = await network.node(), await network.node()
        near = await a.transport.open_stream(b.address, 5.0)
        await near.write(b"cut")
        far = await b.recorder.stream()
        assert await far.read() == b"cut"
        near.abort()
        with pytest.raises(TransportError):
            await far.read()
        with pytest.raises(TransportError):
            await near.write(b"more")
        await far.close()

    run(make_network, story)


def test_closing_a_stream_twice_is_harmless(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        a, b = await network.node(), await network.node()
        near = await a.transport.open_stream(b.address, 5.0)
        far = await b.recorder.stream()
        await asyncio.gather(near.close(), near.close(), far.close())
        await near.close()
        near.abort()
        with pytest.raises(TransportError):
            await near.write(b"late")

    run(make_network, story)


def test_a_stream_to_nobody_and_to_a_black_hole_fails(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        a = await network.node()
        with pytest.raises(TransportError):
            await a.transport.open_stream(network.nobody(), 5.0)
        with pytest.raises(TransportError):
            await a.transport.open_stream(await network.black_hole(), 0.1)
        # Finding out which way a peer takes may outlast the stream that asked for it.
        failed = {"connect": network.ways, "timeout": network.ways}
        await eventually(lambda: a.statistics.dial_failures == failed)

    run(make_network, story)


def test_a_silent_peer_runs_into_the_read_deadline(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        limits = Limits(read_timeout=0.1, close_timeout=0.1)
        a, b = await network.node(limits), await network.node(limits)
        near = await a.transport.open_stream(b.address, 5.0)
        with pytest.raises(TransportError):
            await near.read()
        await near.close()

    run(make_network, story)


def test_inbound_streams_are_bounded_and_counted(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        limits = Limits(max_inbound=3, close_timeout=0.1)
        a, b = await network.node(limits), await network.node(limits)
        streams = [await a.transport.open_stream(b.address, 5.0) for _ in range(3)]

        async def one_too_many() -> None:
            stream = await a.transport.open_stream(b.address, 5.0)
            await stream.read()  # Without a handshake the system has connected us already.

        with pytest.raises(TransportError):
            await one_too_many()
        assert network.streams_rejected(a, b) == {"total": 1}
        for stream in streams:
            stream.abort()

    run(make_network, story)


def test_a_taken_address_is_a_configuration_error(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        a = await network.node()
        with pytest.raises(ConfigError, match=str(a.address.port)):
            await network.node(address=a.address)

    run(make_network, story)


def test_closing_a_transport_twice_is_harmless_and_final(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        a, b = await network.node(), await network.node()
        await asyncio.gather(a.transport.close(), a.transport.close())
        await a.transport.close()
        a.transport.send_packet(b.address, b"late")
        assert a.statistics.packets_dropped == {"closed": 1}
        with pytest.raises(ClosedError):
            await a.transport.open_stream(b.address, 1.0)
        with pytest.raises(ClosedError):
            await a.transport.start(a.recorder)

    run(make_network, story)


def test_a_transport_that_was_never_started_closes(make_network: MakeNetwork) -> None:
    async def story(network: Network) -> None:
        node = network.make(Address("127.0.0.1", 0), Limits())
        node.transport.send_packet(network.nobody(), b"early")
        assert node.statistics.packets_dropped == {"closed": 1}
        await node.transport.close()

    run(make_network, story)
