"""The asyncio shell: members that find each other, messages that arrive, peers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import cast

import pytest

from tests.support.certificates import CertificateAuthority
from tests.support.transports import eventually, read_all
from tocsin.errors import ClosedError, ConfigError, NotFoundError, TransportError, UserError
from tocsin.gossip import stream_memory
from tocsin.gossip.address import Address
from tocsin.gossip.answering import MAX_INBOUND_STREAMS, MAX_STREAMS_OF_PEER
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.effects import Event, MemberJoined, MemberLeft, RemoteState, UserMessage
from tocsin.gossip.gossip import Gossip
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.testing import run
from tocsin.gossip.transport.base import Stream, Transport
from tocsin.gossip.transport.memory import MemoryNetwork, MemoryStream, MemoryTransport
from tocsin.gossip.transport.scheduler import FairScheduler
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.transport.tls.transport import TLSTransport
from tocsin.gossip.transport.udp.settings import UDPTransportConfig
from tocsin.gossip.transport.udp.transport import UDPTransport
from tocsin.gossip.wire.codec import encode_message
from tocsin.gossip.wire.messages import MemberState, Ping
from tocsin.gossip.wire.msgpack import pack
from tocsin.gossip.wire.stream import StreamCodec

LOCAL = replace(GossipConfig.local(), gossip_interval=0.02, probe_interval=0.2, probe_timeout=0.1)


@dataclass
class Member:
    """A started member with what it was told."""

    gossip: Gossip
    events: list[Event] = field(default_factory=list)

    @property
    def address(self) -> Address:
        return self.gossip.local.address

    @property
    def names(self) -> set[str]:
        return {member.name for member in self.gossip.members}

    @property
    def messages(self) -> list[bytes]:
        return [event.payload for event in self.events if isinstance(event, UserMessage)]


class Cluster:
    """Members on one in-memory network."""

    def __init__(self, config: GossipConfig = LOCAL) -> None:
        self.network = MemoryNetwork()
        self.config = config
        self.members: list[Member] = []

    async def member(self, name: str, transport: Transport | None = None, state: bytes = b"") -> Member:
        events: list[Event] = []
        gossip = Gossip(
            self.config,
            transport or MemoryTransport(self.network, read_timeout=2.0, close_timeout=0.2),
            name=name,
            local_state=lambda join: state,
            on_event=events.append,
            random_source=random.Random(name),
        )
        await gossip.start()
        one = Member(gossip, events)
        self.members.append(one)
        return one


@contextlib.asynccontextmanager
async def cluster(config: GossipConfig = LOCAL) -> AsyncIterator[Cluster]:
    all_members = Cluster(config)
    try:
        async with asyncio.timeout(600):
            yield all_members
    finally:
        await asyncio.gather(*(one.gossip.close() for one in all_members.members))


async def joined(all_members: Cluster, *names: str) -> list[Member]:
    """Members that know each other."""
    members = [await all_members.member(name) for name in names]
    results = [await one.gossip.join([members[0].address]) for one in members[1:]]
    assert all(result.joined for (result,) in results)
    await eventually(lambda: all(one.names == set(names) for one in members))
    return members


def test_members_find_each_other_and_exchange_their_state() -> None:
    async def story() -> None:
        async with cluster() as all_members:
            a = await all_members.member("a", state=b"state of a")
            b = await all_members.member("b", state=b"state of b")
            (result,) = await b.gossip.join([a.address])
            assert result.joined
            await eventually(lambda: a.names == b.names == {"a", "b"})
            for one, other in ((a, "b"), (b, "a")):
                assert [e.member.name for e in one.events if isinstance(e, MemberJoined)] == [other]
                states = [e for e in one.events if isinstance(e, RemoteState)]
                assert (states[0].payload, states[0].join) == (f"state of {other}".encode(), True)

    asyncio.run(story())


@pytest.mark.parametrize("large", ["a", "b"])
def test_a_join_whose_state_goes_on_coming_is_not_begun_again(
    monkeypatch: pytest.MonkeyPatch, large: str
) -> None:
    """Whether the large state is our answer or theirs: in virtual time it takes a minute, three times the
    deadline of an exchange."""
    read = MemoryStream.read

    async def slowly(stream: MemoryStream) -> bytes:
        await asyncio.sleep(1.0)
        return await read(stream)

    monkeypatch.setattr(MemoryStream, "read", slowly)

    async def story() -> None:
        loop = asyncio.get_running_loop()
        async with cluster(replace(LOCAL, stream_timeout=10.0)) as all_members:
            a, b = [
                await all_members.member(name, MemoryTransport(all_members.network, read_timeout=30.0))
                for name in "ab"
            ]
            giver, taker = (a, b) if large == "a" else (b, a)
            giver.gossip.endpoint._state_exchange._state_for = lambda _: Sliced(60, 64 * 1024)
            began = loop.time()
            (result,) = await b.gossip.join([a.address])
            assert result.joined
            assert loop.time() - began > 59
            (state,) = [event for event in taker.events if isinstance(event, RemoteState)]
            assert len(state.payload) == 60 * 64 * 1024
            for one in (a, b):
                assert one.gossip.driver_statistics.streams_broken == 0

    run(story)


class Sliced:
    """A large state in slices, which notes how many turns of the event loop others had between them."""

    def __init__(self, slices: int, size: int) -> None:
        self.slices, self.size = slices, size
        self.turns: list[int] = []
        self.turn = 0

    def __len__(self) -> int:
        return self.slices * self.size

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self.slices):
            self.turns.append(self.turn)
            yield bytes(self.size)


def test_others_get_their_turn_between_the_slices_of_a_large_state() -> None:
    async def story() -> None:
        async with cluster() as all_members:
            a, b = await all_members.member("a"), await all_members.member("b")
            state = Sliced(50, 64 * 1024)
            a.gossip.endpoint._state_exchange._state_for = lambda _: state

            async def others() -> None:
                while True:
                    state.turn += 1
                    await asyncio.sleep(0)

            task = asyncio.create_task(others())
            (result,) = await b.gossip.join([a.address])
            task.cancel()
            assert result.joined
            (arrived,) = [event.payload for event in b.events if isinstance(event, RemoteState)]
            assert arrived == bytes(len(state))
            assert all(later > earlier for earlier, later in pairwise(state.turns))

    asyncio.run(story())


def test_a_broadcast_reaches_everyone() -> None:
    async def story() -> None:
        async with cluster() as all_members:
            a, b, c = await joined(all_members, "a", "b", "c")
            a.gossip.broadcast(b"news", name="paper")
            await eventually(lambda: b"news" in b.messages and b"news" in c.messages)
            with pytest.raises(UserError, match="does not fit"):
                a.gossip.broadcast(bytes(5000))

    asyncio.run(story())


def test_messages_to_one_member_reliable_or_not() -> None:
    async def story() -> None:
        async with cluster() as all_members:
            a, b, c = await joined(all_members, "a", "b", "c")
            large = bytes(range(256)) * 2000
            await a.gossip.send_reliable("b", large)
            a.gossip.send_best_effort("b", b"small")
            await eventually(lambda: sorted(b.messages) == sorted([large, b"small"]))
            assert not c.messages
            with pytest.raises(NotFoundError):
                await a.gossip.send_reliable("nobody", b"")

    asyncio.run(story())


def test_a_meta_update_is_seen_by_the_others() -> None:
    async def story() -> None:
        async with cluster() as all_members:
            a, b = await joined(all_members, "a", "b")
            a.gossip.update_meta(b"leader")
            await eventually(lambda: {m.name: m.meta for m in b.gossip.members}["a"] == b"leader")

    asyncio.run(story())


def test_one_that_leaves_is_seen_to_have_left() -> None:
    async def story() -> None:
        async with cluster() as all_members:
            a, b = await joined(all_members, "a", "b")
            assert await b.gossip.leave(5.0)
            await b.gossip.close()
            await eventually(lambda: a.names == {"a"})
            (event,) = [e for e in a.events if isinstance(e, MemberLeft)]
            assert (event.member.name, event.member.state) == ("b", MemberState.LEFT)
            with pytest.raises(ClosedError):
                b.gossip.broadcast(b"too late")

    asyncio.run(story())


def test_one_that_has_nobody_to_tell_leaves_at_once() -> None:
    async def story() -> None:
        async with cluster() as all_members:
            a, b = await joined(all_members, "a", "b")
            assert await b.gossip.leave(60.0)
            await b.gossip.close()
            await eventually(lambda: a.names == {"a"})
            async with asyncio.timeout(60):
                assert await a.gossip.leave(3600.0)

    asyncio.run(story())


def test_one_that_dies_is_found_out() -> None:
    async def story() -> None:
        async with cluster() as all_members:
            a, b = await joined(all_members, "a", "b")
            await b.gossip.close()
            await eventually(lambda: a.names == {"a"}, 20)
            (event,) = [e for e in a.events if isinstance(e, MemberLeft)]
            assert event.member.state is MemberState.DEAD

    asyncio.run(story())


def test_joining_tells_the_outcome_for_each_address() -> None:
    async def story() -> None:
        async with cluster() as all_members:
            a = await all_members.member("a")
            b = await all_members.member("b")
            nobody = Address("127.0.0.1", all_members.network.free_port())
            hole = Address("127.0.0.1", all_members.network.free_port())
            all_members.network.black_holes.add(hole)
            results = await a.gossip.join([nobody, b.address, hole])
            assert [result.address for result in results] == [nobody, b.address, hole]
            assert [result.joined for result in results] == [False, True, False]
            assert "nobody listens" in results[0].error

    asyncio.run(story())


async def raw_stream(all_members: Cluster, target: Address, *writes: bytes) -> tuple[MemoryTransport, bytes]:
    """What ``target`` answers to these bytes on a stream."""

    class Deaf:
        def packet_received(self, data: bytes, source: Address, peer: object = None) -> None: ...
        def peer_identified(self, address: Address, peer: object) -> None: ...
        def packet_failed(self, destination: Address, reason: str) -> None: ...
        def stream_accepted(self, stream: object) -> None: ...
        def is_member(self, host: str) -> bool:
            return False

    transport = MemoryTransport(all_members.network, read_timeout=5.0, close_timeout=0.2)
    await transport.start(Deaf())
    stream = await transport.open_stream(target, 5.0)
    for data in writes:
        await stream.write(data)
    answer = await read_all(stream)
    await stream.close()
    return transport, answer


def test_a_stream_ping_is_acked() -> None:
    async def story() -> None:
        async with cluster() as all_members:
            a = await all_members.member("a")
            codec = StreamCodec()
            _, answer = await raw_stream(all_members, a.address, *codec.encode(Ping(7, "a"), reply=False))
            assert answer
            assert a.gossip.driver_statistics.streams_answered == 1

    asyncio.run(story())


def test_a_first_message_that_cannot_be_unpacked_is_answered_with_an_error() -> None:
    async def story() -> None:
        async with cluster() as all_members:
            a = await all_members.member("a")
            broken_lzw = b"\x09\x82\xa4Algo\x00\xa3Buf\xa3\xff\xff\xff"
            _, answer = await raw_stream(all_members, a.address, broken_lzw)
            assert answer[:1] == b"\x0d" or b"Error" in answer
            assert a.gossip.driver_statistics.streams_refused == 1

    asyncio.run(story())


def test_whoever_has_another_label_is_told_so() -> None:
    async def story() -> None:
        async with cluster() as all_members:
            a = await all_members.member("a")
            _, answer = await raw_stream(all_members, a.address, b"\xf4\x03abc\x00")
            assert answer[:1] == b"\x0d"
            assert b"'abc'" in answer
            assert a.gossip.driver_statistics.streams_refused == 1

    asyncio.run(story())


@pytest.mark.parametrize("garbage", [b"\x02", b"\xff" * 100, b"\x06\x81\xa5Nodes\xff"])
def test_other_garbage_on_a_stream_just_ends_it(garbage: bytes) -> None:
    async def story() -> None:
        async with cluster(replace(LOCAL, stream_timeout=0.3)) as all_members:
            a = await all_members.member("a")
            _, answer = await raw_stream(all_members, a.address, garbage)
            assert answer == b""
            statistics = a.gossip.driver_statistics
            assert statistics.streams_refused + statistics.streams_broken + statistics.streams_answered == 1
            b = await all_members.member("b")
            (result,) = await b.gossip.join([a.address])
            assert result.joined

    asyncio.run(story())


async def held_streams(network: MemoryNetwork, to: Gossip, host: str, count: int) -> list[Stream]:
    """Streams of one peer that say nothing."""
    other = MemoryTransport(network, listen_address=Address(host, 0), read_timeout=5.0)
    await other.start(to._driver)
    return [await other.open_stream(to.local.address, 5.0) for _ in range(count)]


def test_inbound_streams_of_one_peer_are_bounded() -> None:
    async def story() -> None:
        async with cluster(replace(LOCAL, stream_timeout=30.0)) as all_members:
            a = (await all_members.member("a")).gossip
            streams = await held_streams(all_members.network, a, "127.0.0.2", MAX_STREAMS_OF_PEER + 1)
            assert await streams[-1].read() == b""
            assert a.driver_statistics.streams_rejected == 1
            streams += await held_streams(all_members.network, a, "127.0.0.3", 1)
            assert a.driver_statistics.streams_rejected == 1, "the others are not shut out"
            for stream in streams:
                stream.abort()
            await eventually(lambda: a.driver_statistics.streams_broken == MAX_STREAMS_OF_PEER + 1)

    asyncio.run(story())


def test_inbound_streams_of_one_network_are_bounded_together() -> None:
    async def story() -> None:
        async with cluster(replace(LOCAL, stream_timeout=30.0)) as all_members:
            a = (await all_members.member("a")).gossip
            streams: list[Stream] = []
            for number in range(4):
                host = f"2001:db8::{number + 1}"
                streams += await held_streams(all_members.network, a, host, MAX_STREAMS_OF_PEER // 4)
            [extra] = await held_streams(all_members.network, a, "2001:db8::9", 1)
            assert await extra.read() == b""
            assert a.driver_statistics.streams_rejected == 1
            streams += await held_streams(all_members.network, a, "2001:db8:0:1::9", 1)
            assert a.driver_statistics.streams_rejected == 1, "another network is not shut out"
            for stream in (*streams, extra):
                stream.abort()

    asyncio.run(story())


def test_inbound_streams_are_bounded() -> None:
    async def story() -> None:
        async with cluster(replace(LOCAL, stream_timeout=30.0)) as all_members:
            a = (await all_members.member("a")).gossip
            streams: list[Stream] = []
            for number in range(MAX_INBOUND_STREAMS // MAX_STREAMS_OF_PEER):
                host = f"127.0.0.{2 + number}"
                streams += await held_streams(all_members.network, a, host, MAX_STREAMS_OF_PEER)
            await eventually(lambda: a._driver._answers.open == MAX_INBOUND_STREAMS)
            [extra] = await held_streams(all_members.network, a, "127.0.0.99", 1)
            assert await extra.read() == b""
            assert a.driver_statistics.streams_rejected == 1
            for stream in (*streams, extra):
                stream.abort()
            await eventually(lambda: a.driver_statistics.streams_broken == MAX_INBOUND_STREAMS)

    asyncio.run(story())


def test_what_unfinished_messages_of_one_peer_hold_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_memory, "MAX_HELD_OF_PEER", 100_000)

    async def story() -> None:
        async with cluster(replace(LOCAL, stream_timeout=30.0)) as all_members:
            a = (await all_members.member("a")).gossip
            begun = b"\x08" + pack({"UserMsgLen": 1_000_000}) + bytes(40_000)
            streams = await held_streams(all_members.network, a, "127.0.0.2", 3)
            for stream in streams:
                await stream.write(begun)
            await eventually(lambda: a.driver_statistics.streams_over_memory == 1)
            await eventually(lambda: a.driver_statistics.streams_broken == 1)
            [other] = await held_streams(all_members.network, a, "127.0.0.3", 1)
            await other.write(begun)
            for stream in (*streams, other):
                stream.abort()
            await eventually(lambda: not a._driver._reader.held)
            assert a.driver_statistics.streams_over_memory == 1

    asyncio.run(story())


def test_a_bad_packet_of_a_known_peer_costs_it_part_of_its_share() -> None:
    async def story() -> None:
        async with cluster() as all_members:
            transport = MemoryTransport(all_members.network)
            a = await all_members.member("a", transport)
            turns = transport.scheduler = FairScheduler(rate=0.001, burst=0.001)
            peer = PeerIdentity("certificate", frozenset(), "10.0.0.9")
            a.gossip._driver.packet_received(encode_message(Ping(7, "a")), a.address, peer)
            assert turns.may_go_on(peer)
            a.gossip._driver.packet_received(b"\xff" * 50, a.address, peer)
            assert not turns.may_go_on(peer)
            a.gossip._driver.packet_received(b"\xff" * 50, a.address)  # of nobody in particular
            assert a.gossip.statistics.packets_refused == 2

    asyncio.run(story())


def test_garbage_in_packets_is_survived_and_counted() -> None:
    async def story() -> None:
        async with cluster() as all_members:
            a, b = await joined(all_members, "a", "b")
            noise = random.Random(5)
            for size in range(1, 300):
                a.gossip._driver.packet_received(noise.randbytes(size), b.address)
            assert a.gossip.statistics.packets_refused > 0
            b.gossip.broadcast(b"still here")
            await eventually(lambda: b"still here" in a.messages)

    asyncio.run(story())


def test_an_application_that_raises_or_calls_back_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with cluster() as all_members:
            a = await all_members.member("a")

            def answer_and_fail(event: Event) -> None:
                if isinstance(event, UserMessage):
                    gossip.broadcast(b"re: " + event.payload)
                    raise RuntimeError("the application's own trouble")

            gossip = Gossip(
                LOCAL,
                MemoryTransport(all_members.network, close_timeout=0.2),
                name="echo",
                on_event=answer_and_fail,
            )
            await gossip.start()
            try:
                await gossip.join([a.address])
                await eventually(lambda: a.names == {"a", "echo"})
                a.gossip.broadcast(b"hello")
                await eventually(lambda: b"re: hello" in a.messages)
                assert gossip.driver_statistics.callback_errors >= 1
                assert "the application failed on UserMessage" in caplog.text
            finally:
                await gossip.close()

    asyncio.run(story())


def test_a_member_must_be_started_and_closes_once() -> None:
    async def story() -> None:
        network = MemoryNetwork()
        gossip = Gossip(LOCAL, MemoryTransport(network), name="a")
        with pytest.raises(ClosedError, match="not started"):
            gossip.broadcast(b"")
        await gossip.start()
        with pytest.raises(UserError, match="started already"):
            await gossip.start()
        taken = Gossip(LOCAL, MemoryTransport(network, gossip.local.address), name="b")
        with pytest.raises(ConfigError):
            await taken.start()
        await gossip.close()
        await gossip.close()
        assert gossip.members == []
        with pytest.raises(ClosedError, match="was closed"):
            await gossip.join([])

    asyncio.run(story())


@pytest.mark.parametrize("state", ["text", None])
def test_a_state_that_is_not_bytes_is_an_error_at_the_callers_side(state: object) -> None:
    async def story() -> None:
        async with cluster() as all_members:
            a = await all_members.member("a")
            b = Gossip(
                LOCAL,
                MemoryTransport(all_members.network),
                name="b",
                local_state=cast("Callable[[bool], bytes]", lambda _: state),
            )
            await b.start()
            try:
                [result] = await b.join([a.address])
                assert not result.joined
                assert "local_state returned" in result.error
                [result] = await a.gossip.join([b.local.address])
                assert not result.joined
                assert b.driver_statistics.callback_errors == 2
            finally:
                await b.close()

    asyncio.run(story())


def test_a_state_callback_that_fails_is_an_error_at_the_callers_side() -> None:
    async def story() -> None:
        def fail(join: bool) -> bytes:
            raise KeyError("no such state")

        async with cluster() as all_members:
            a = await all_members.member("a")
            b = Gossip(LOCAL, MemoryTransport(all_members.network), name="b", local_state=fail)
            await b.start()
            try:
                [result] = await b.join([a.address])
                assert result.error == "local_state failed: KeyError: 'no such state'"
            finally:
                await b.close()

    asyncio.run(story())


def test_a_name_that_is_taken_is_a_conflict_in_the_result() -> None:
    async def story() -> None:
        async with cluster() as all_members:
            a = await all_members.member("a")
            b = Gossip(LOCAL, MemoryTransport(all_members.network), name="a")
            await b.start()
            try:
                [result] = await b.join([a.address])
                assert result.conflict == a.address
            finally:
                await b.close()

    asyncio.run(story())


def test_join_says_what_it_takes() -> None:
    async def story() -> None:
        gossip = Gossip(LOCAL, MemoryTransport(MemoryNetwork()), name="a")
        await gossip.start()
        try:
            with pytest.raises(UserError, match="takes values of Address"):
                await gossip.join(cast("list[Address]", [("127.0.0.1", 1)]))
        finally:
            await gossip.close()

    asyncio.run(story())


def test_a_port_in_use_names_the_transports_argument() -> None:
    async def story() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = Address("127.0.0.1", taken.getsockname()[1])
            gossip = Gossip(LOCAL, UDPTransport(UDPTransportConfig(listen_address=address)), name="a")
            with pytest.raises(ConfigError, match=f"^listen_address: cannot listen on {address}"):
                await gossip.start()
            await gossip.close()

    asyncio.run(story())


def test_closing_while_a_join_is_under_way_ends_it() -> None:
    async def story() -> None:
        async with cluster() as all_members:
            a = await all_members.member("a")
            hole = Address("127.0.0.1", all_members.network.free_port())
            all_members.network.black_holes.add(hole)
            joining = asyncio.create_task(a.gossip.join([hole]))
            await asyncio.sleep(0)
            await a.gossip.close()
            (result,) = await joining
            assert result.error == "closed"

    asyncio.run(story())


def test_two_members_over_mutual_tls() -> None:
    async def story() -> None:
        authority = CertificateAuthority()

        def transport() -> TLSTransport:
            config = TLSTransportConfig(listen_address=Address("127.0.0.1", 0), close_timeout=0.5)
            return TLSTransport(config, authority.cluster_config())

        async with cluster() as all_members:
            a = await all_members.member("a", transport())
            b = await all_members.member("b", transport())
            (result,) = await b.gossip.join([a.address])
            assert result.joined
            await eventually(lambda: a.names == b.names == {"a", "b"})
            a.gossip.broadcast(b"by packet")
            await b.gossip.send_reliable("a", bytes(300_000))
            await eventually(lambda: b"by packet" in b.messages and a.messages == [bytes(300_000)])
            await eventually(lambda: a.gossip.statistics.probes_acked > 0)
            await a.gossip.close()
            with pytest.raises(TransportError):
                await b.gossip.send_reliable("a", b"anyone?")
            await eventually(lambda: b.names == {"b"}, 20)

    asyncio.run(story())


def test_large_states_do_not_hold_the_event_loop() -> None:
    """A push/pull of a few megabytes is decoded in slices, so that timers keep running."""

    async def story() -> None:
        async with cluster() as all_members:
            a = await all_members.member("a", state=bytes(4_000_000))
            b = await all_members.member("b")
            turns = 0

            async def count() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0)

            counting = asyncio.create_task(count())
            (result,) = await b.gossip.join([a.address])
            counting.cancel()
            assert result.joined
            assert turns > 20
            state = next(event for event in b.events if isinstance(event, RemoteState))
            assert len(state.payload) == 4_000_000

    asyncio.run(story())
