"""What is special about UDP and TCP on one port; the rest is in the conformance suite."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from tests.support.transports import Recorder, eventually, read_all
from tocsin.errors import TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.transport.udp.settings import UDPTransportConfig
from tocsin.gossip.transport.udp.transport import UDPTransport

LOOPBACK = Address("127.0.0.1", 0)


async def started(**bounds: float) -> tuple[UDPTransport, Recorder]:
    transport, recorder = UDPTransport(UDPTransportConfig(listen_address=LOOPBACK, **bounds)), Recorder()  # type: ignore[arg-type]
    await transport.start(recorder)
    return transport, recorder


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def tell() -> None:
        async with asyncio.timeout(60):
            await story()

    asyncio.run(tell())


def test_packets_and_streams_have_one_port_number() -> None:
    async def story() -> None:
        a, heard = await started()
        udp = socket.socket(type=socket.SOCK_DGRAM)
        udp.sendto(b"packet", a.listen_address)
        tcp = socket.create_connection(a.listen_address)
        tcp.sendall(b"stream")
        tcp.shutdown(socket.SHUT_WR)
        await eventually(lambda: heard.packets)
        stream = await heard.stream()
        assert await read_all(stream) == b"stream"
        assert heard.packets[0][0] == b"packet"
        await stream.close()
        udp.close()
        tcp.close()
        await a.close()

    run(story)


def test_one_host_cannot_take_all_connections() -> None:
    async def story() -> None:
        a, _ = await started(max_inbound_connections_per_host=2)
        b, _ = await started()
        streams = [await b.open_stream(a.listen_address, 5.0) for _ in range(3)]
        with pytest.raises(TransportError):
            await streams[2].read()
        assert a.statistics.connections_rejected == {"host": 1}
        assert a.statistics.connections_inbound == 2
        for stream in streams:
            stream.abort()
        await eventually(lambda: a.statistics.connections_inbound == 0)
        again = await b.open_stream(a.listen_address, 5.0)
        again.abort()
        await eventually(lambda: a.statistics.connections_open == 0)
        await asyncio.gather(a.close(), b.close())

    run(story)


def test_a_peer_that_takes_nothing_runs_into_the_write_deadline() -> None:
    async def story() -> None:
        a, heard = await started(write_timeout=0.2, close_timeout=0.2)
        b, _ = await started(write_timeout=0.2, close_timeout=0.2)
        near = await b.open_stream(a.listen_address, 5.0)
        with pytest.raises(TransportError, match="took nothing"):
            await near.write(bytes(64 * 1024 * 1024))
        far = await heard.stream()
        near.abort()
        far.abort()
        await asyncio.gather(a.close(), b.close())

    run(story)


def test_the_gauges_go_back_to_nothing() -> None:
    async def story() -> None:
        (a, heard), (b, _) = await started(), await started()
        near = await b.open_stream(a.listen_address, 5.0)
        await near.write(b"x")
        far = await heard.stream()
        assert (a.statistics.connections_inbound, b.statistics.connections_outbound) == (1, 1)
        await asyncio.gather(near.close(), far.close())
        for transport in (a, b):
            await eventually(lambda transport=transport: transport.statistics.connections_open == 0)  # type: ignore[misc]
        await asyncio.gather(a.close(), b.close())

    run(story)


def test_work_for_the_streams_of_one_host_is_done_in_turns_and_none_is_held_back() -> None:
    async def story() -> None:
        a, _ = await started()
        assert a.scheduler is not None
        done: list[int] = []
        for number in range(3):
            a.scheduler.later("192.0.2.1", lambda number=number: done.append(number))  # type: ignore[misc]
        await asyncio.sleep(0)
        assert len(done) <= 1
        await eventually(lambda: done == [0, 1, 2])
        await a.close()

    run(story)
