"""The UDP socket: bursts, losses that are counted, refusals that are heard, bounds."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from time import perf_counter

import pytest

from tests.support.transports import eventually
from tocsin.errors import ConfigError
from tocsin.gossip.address import Address
from tocsin.gossip.transport import datagram
from tocsin.gossip.transport.datagram import (
    RECEIVED_AT_ONCE,
    DatagramEndpoint,
    DatagramSettings,
    bind_pair,
)
from tocsin.gossip.transport.listening import bound_socket
from tocsin.gossip.transport.scheduler import SLICE
from tocsin.gossip.transport.statistics import TransportStatistics

LOOPBACK = Address("127.0.0.1", 0)


class End:
    """An endpoint with what its handler was told."""

    def __init__(self, settings: DatagramSettings | None = None, address: Address = LOOPBACK) -> None:
        self.received: list[tuple[bytes, Address]] = []
        self.failed: list[tuple[Address, str]] = []
        self.on_failed: Callable[[Address], None] = lambda _: None
        self.statistics = TransportStatistics()
        self.endpoint = DatagramEndpoint(self, self.statistics, settings or DatagramSettings())
        self.stream, bound = bind_pair(address)
        self.address = Address(address.host, bound.getsockname()[1])
        self.endpoint.start(bound)

    def datagram_received(self, data: bytes, source: Address) -> None:
        self.received.append((data, source))

    def datagram_failed(self, destination: Address, reason: str) -> None:
        self.failed.append((destination, reason))
        self.on_failed(destination)

    async def close(self) -> None:
        self.stream.close()
        await self.endpoint.close()


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def tell() -> None:
        async with asyncio.timeout(60):
            await story()

    asyncio.run(tell())


def test_a_burst_that_fits_the_receive_buffer_arrives_whole() -> None:
    async def story() -> None:
        a, b = End(), End()
        # Each small datagram costs the buffer less than 2 KiB of the system's bookkeeping.
        count = min(1000, b.statistics.receive_buffer_bytes // 2048)
        assert count > RECEIVED_AT_ONCE
        for number in range(count):
            a.endpoint.send(b.address, b"%d" % number)
        await eventually(lambda: len(b.received) == count)
        assert [data for data, _ in b.received] == [b"%d" % number for number in range(count)]
        assert b.statistics.receive_buffer_drops == 0
        await asyncio.gather(a.close(), b.close())

    run(story)


def test_what_the_system_drops_for_a_full_receive_buffer_is_counted() -> None:
    async def story() -> None:
        a, b = End(), End(DatagramSettings(receive_buffer=4096))
        sender = socket.socket(type=socket.SOCK_DGRAM)
        for _ in range(200):  # Behind the event loop's back, which reads nothing meanwhile.
            sender.sendto(bytes(1000), b.address)
        await eventually(lambda: b.received)
        await asyncio.sleep(0)
        taken = len(b.received)
        # The system tells with the next datagram that arrives.
        a.endpoint.send(b.address, b"next")
        await eventually(lambda: b.received[-1][0] == b"next")
        assert taken < 200
        assert b.statistics.receive_buffer_drops == 200 - (len(b.received) - 1)
        assert b.statistics.receive_buffer_bytes < 200_000
        sender.close()
        await asyncio.gather(a.close(), b.close())

    run(story)


def test_a_flood_leaves_the_event_loop_to_others() -> None:
    async def story() -> None:
        b = End()
        sender = socket.socket(type=socket.SOCK_DGRAM)
        for _ in range(RECEIVED_AT_ONCE * 2):
            sender.sendto(b"x", b.address)
        turns: list[int] = []
        while len(b.received) < RECEIVED_AT_ONCE * 2:
            await asyncio.sleep(0)
            turns.append(len(b.received))
        steps = [after - before for before, after in zip([0, *turns], turns, strict=False)]
        assert max(steps) <= RECEIVED_AT_ONCE
        sender.close()
        await b.close()

    run(story)


def test_a_refused_datagram_is_told_with_its_destination() -> None:
    async def story() -> None:
        a, b = End(), End()
        gone = End()
        await gone.close()
        a.endpoint.send(gone.address, b"anyone?")
        a.endpoint.send(b.address, b"hello")
        a.endpoint.send(b.address, b"again")
        await eventually(lambda: a.failed and len(b.received) == 2)
        assert [destination for destination, _ in a.failed] == [gone.address]
        assert "refused" in a.failed[0][1].lower()
        assert a.statistics.packets_dropped == {"dial": 1}
        await asyncio.gather(a.close(), b.close())

    run(story)


def test_an_unreachable_family_is_a_failure_and_nothing_else() -> None:
    async def story() -> None:
        a, b = End(), End()
        a.endpoint.send(Address("::1", 9), b"to another family")
        a.endpoint.send(b.address, b"hello")
        await eventually(lambda: b.received)
        assert [destination.host for destination, _ in a.failed] == ["::1"]
        await asyncio.gather(a.close(), b.close())

    run(story)


def test_a_failure_may_queue_more_and_nothing_is_lost_of_it() -> None:
    async def story() -> None:
        a, b = End(), End()
        nowhere = Address("::1", 9)
        a.on_failed = lambda _: a.endpoint.send(b.address, b"instead")
        for _ in range(3):
            a.endpoint.send(nowhere, b"x")
        await eventually(lambda: len(b.received) == 3)
        assert a.endpoint.backlog(b.address) == a.endpoint.backlog(nowhere) == 0
        await asyncio.gather(a.close(), b.close())

    run(story)


def test_the_queues_are_bounded_for_each_destination_and_together() -> None:
    async def story() -> None:
        a, b = End(DatagramSettings(max_queued_bytes=2500, max_queued_total=5)), End()
        for number in range(4):
            a.endpoint.send(b.address, bytes([number]) * 1000)
        assert a.endpoint.backlog(b.address) == 2000
        for port in range(1, 6):
            a.endpoint.send(Address("127.0.0.1", 40_000 + port), b"x")
        assert a.statistics.packets_dropped["queue_full"] == 2 + 2
        assert [destination for destination, _ in a.failed[:2]] == [b.address] * 2
        await eventually(lambda: len(b.received) == 2)
        assert [data[0] for data, _ in b.received] == [2, 3]
        await asyncio.gather(a.close(), b.close())

    run(story)


def test_a_large_datagram_does_not_leave_the_queue_over_its_bound() -> None:
    async def story() -> None:
        a, b = End(DatagramSettings(max_queued_bytes=2500)), End()
        for number in range(5):
            a.endpoint.send(b.address, bytes([number]) * 500)
        a.endpoint.send(b.address, b"\x09" * 2000)
        assert a.endpoint.backlog(b.address) == 2500
        assert a.statistics.packets_dropped["queue_full"] == 4
        await eventually(lambda: len(b.received) == 2)
        assert [data[0] for data, _ in b.received] == [4, 9]
        await asyncio.gather(a.close(), b.close())

    run(story)


def test_many_destinations_take_turns() -> None:
    async def story() -> None:
        a, b, c = End(), End(), End()
        order: list[str] = []
        b.datagram_received = lambda *_: order.append("b")  # type: ignore[method-assign]
        c.datagram_received = lambda *_: order.append("c")  # type: ignore[method-assign]
        for _ in range(600):
            a.endpoint.send(b.address, b"x")
        a.endpoint.send(c.address, b"x")
        await eventually(lambda: len(order) == 601)
        assert order.index("c") < 600
        await asyncio.gather(a.close(), b.close(), c.close())

    run(story)


def test_a_system_that_takes_no_more_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        a, b = End(), End()
        real = a.endpoint._socket
        assert real is not None

        class Full:
            """A socket that takes nothing at its first try."""

            refused = 0

            def __getattr__(self, name: str) -> object:
                return getattr(real, name)

            def sendto(self, data: bytes, target: tuple[str, int]) -> int:
                if self.refused < 1:
                    self.refused += 1
                    raise BlockingIOError
                assert real is not None
                return real.sendto(data, target)

        monkeypatch.setattr(a.endpoint, "_socket", Full())
        for number in range(3):
            a.endpoint.send(b.address, b"%d" % number)
        await eventually(lambda: len(b.received) == 3)
        assert [data for data, _ in b.received] == [b"0", b"1", b"2"]
        await asyncio.gather(a.close(), b.close())

    run(story)


def test_two_sockets_share_a_port_and_a_half_free_one_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, datagrams = bind_pair(LOOPBACK)
    assert stream.getsockname() == datagrams.getsockname()
    taken = Address("127.0.0.1", stream.getsockname()[1])
    stream.close()  # Now the port is free for TCP and taken for UDP.
    with pytest.raises(ConfigError, match=str(taken.port)):
        bind_pair(taken)
    real = bound_socket
    asked: list[Address] = []

    def first_the_half_free_one(address: Address, kind: socket.SocketKind) -> socket.socket:
        asked.append(address)
        return real(taken if len(asked) == 1 else address, kind)

    monkeypatch.setattr(datagram, "bound_socket", first_the_half_free_one)
    other, other_datagrams = bind_pair(LOOPBACK)
    assert len(asked) == 4
    assert other.getsockname() == other_datagrams.getsockname() != datagrams.getsockname()
    for one in (datagrams, other, other_datagrams):
        one.close()


def test_an_ipv6_wildcard_takes_ipv4_too() -> None:
    async def story() -> None:
        try:
            a = End(address=Address("::", 0))
        except ConfigError:
            pytest.skip("no IPv6 on this machine")
        b = End()
        a.endpoint.send(b.address, b"from six to four")
        await eventually(lambda: b.received)
        b.endpoint.send(Address("127.0.0.1", a.address.port), b"and back")
        await eventually(lambda: a.received)
        assert a.received == [(b"and back", b.address)]
        assert b.received[0][1].host == "127.0.0.1"
        gone = End()
        await gone.close()
        a.endpoint.send(gone.address, b"anyone?")
        await eventually(lambda: a.failed)
        assert a.failed[0][0] == gone.address
        await asyncio.gather(a.close(), b.close())

    run(story)


def test_datagrams_that_cost_much_leave_the_event_loop_to_others() -> None:
    async def story() -> None:
        a, b = End(), End()
        turns = 0
        seen: list[int] = []

        def costly(data: bytes, source: Address) -> None:
            seen.append(turns)
            end = perf_counter() + 2 * SLICE
            while perf_counter() < end:
                pass

        b.datagram_received = costly  # type: ignore[method-assign]
        for _ in range(20):
            a.endpoint.send(b.address, b"x")
        while len(seen) < 20:
            await asyncio.sleep(0)
            turns += 1
        assert len(set(seen)) == 20
        await asyncio.gather(a.close(), b.close())

    run(story)
