"""Members' datagrams come first, and those of others have a share of the processor."""

from __future__ import annotations

import asyncio
import socket
from time import thread_time

from tests.support.transports import Recorder, eventually
from tocsin.gossip.address import Address
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.transport.udp.settings import UDPTransportConfig
from tocsin.gossip.transport.udp.shares import HeldDatagram, Shares, ShareSettings
from tocsin.gossip.transport.udp.transport import UDPTransport

MEMBER, JOINING, HOSTILE = "10.0.0.1", "10.0.0.2", "10.0.0.9"
SETTINGS = ShareSettings(
    member=0.5, member_burst=1.0, others=0.125, others_burst=0.25, other_bytes=2048, all_other_bytes=4096
)


def datagram(source: str, data: bytes = b"x", *, member: bool = False) -> HeldDatagram:
    return HeldDatagram(data, Address(source, 7946), source, member)


def worked_on(shares: Shares, cost: float, until: float) -> list[HeldDatagram]:
    """All that is worked on up to an instant, when each datagram costs that much and nothing else happens."""
    now, done = 0.0, list[HeldDatagram]()
    while now < until:
        if (one := shares.next(now)) is not None:
            done.append(one)
            now += cost
            shares.charge(one.source, one.member, cost, now)
        elif (wait := shares.wait(now)) is not None:
            now += max(wait, 1e-6)
        else:
            break
    return done


def test_a_member_need_not_wait_and_others_always_do() -> None:
    shares = Shares(SETTINGS)
    assert shares.at_once(MEMBER, True, 0.0)
    assert not shares.at_once(JOINING, False, 0.0)
    assert shares.wait(0.0) is None


def test_others_have_their_share_and_no_more_however_many_they_are() -> None:
    shares = Shares(ShareSettings(others=0.125, others_burst=0.25, all_other_bytes=1 << 30))
    for number in range(2000):
        assert shares.hold(datagram(f"10.9.{number >> 8}.{number & 255}"))
    done = worked_on(shares, 1 / 1024, 8.0)
    assert 8.0 / 8 <= len(done) / 1024 <= 8.0 / 8 + 0.25 + 2 / 1024


def test_a_member_comes_before_all_others() -> None:
    shares = Shares(SETTINGS)
    assert shares.hold(datagram(HOSTILE))
    assert shares.hold(datagram(MEMBER, member=True))
    assert [one.source for one in worked_on(shares, 1 / 1024, 1.0)] == [MEMBER, HOSTILE]


def test_a_node_that_joins_does_not_wait_behind_all_of_a_flood() -> None:
    shares = Shares(SETTINGS)
    while shares.hold(datagram(HOSTILE)):
        pass
    assert shares.hold(datagram(JOINING))
    assert [one.source for one in worked_on(shares, 1 / 1024, 1.0)][:2] == [HOSTILE, JOINING]


def test_what_waits_is_bounded_for_each_source_and_in_all() -> None:
    shares = Shares(SETTINGS)
    assert shares.hold(datagram(HOSTILE, bytes(1536)))
    assert not shares.hold(datagram(HOSTILE, bytes(513)))
    assert shares.hold(datagram(HOSTILE, b"counts as 512"))
    assert not shares.hold(datagram(HOSTILE, b""))
    for number in range(4):
        assert shares.hold(datagram(f"10.0.1.{number}"))
    assert not shares.hold(datagram("10.0.1.4"))
    assert len(worked_on(shares, 0.0, 1.0)) == 6
    assert shares.hold(datagram("10.0.1.4"))


def test_who_forges_a_member_costs_that_member_alone() -> None:
    shares = Shares(SETTINGS)
    shares.charge(MEMBER, True, 2.0, 0.0)
    assert not shares.at_once(MEMBER, True, 0.0)
    assert shares.at_once("10.0.0.3", True, 0.0)
    first, second = datagram(MEMBER, b"1", member=True), datagram(MEMBER, b"2", member=True)
    assert shares.hold(first)
    assert shares.hold(second)
    assert shares.next(0.0) is None
    assert shares.wait(0.0) == 2.0
    assert not shares.at_once(MEMBER, True, 2.0)  # The earlier ones come first.
    assert [shares.next(2.0), shares.next(2.0), shares.next(2.0)] == [first, second, None]
    assert shares.at_once(MEMBER, True, 2.0)


class Busy(Recorder):
    """Each datagram of the hostile host takes it some milliseconds."""

    def packet_received(self, data: bytes, source: Address, peer: PeerIdentity | None = None) -> None:
        super().packet_received(data, source, peer)
        end = thread_time() + 0.004
        while data == b"hostile" and thread_time() < end:
            pass


def test_a_members_datagram_passes_a_flood_that_came_before_it() -> None:
    async def story() -> None:
        settings = ShareSettings(others_burst=0.004, other_bytes=40 * 512)
        config = UDPTransportConfig(listen_address=Address("127.0.0.1", 0), shares=settings)
        transport, heard = UDPTransport(config), Busy()
        heard.strangers = {"127.0.0.9"}
        await transport.start(heard)
        with (
            socket.socket(type=socket.SOCK_DGRAM) as hostile,
            socket.socket(type=socket.SOCK_DGRAM) as member,
        ):
            hostile.bind(("127.0.0.9", 0))
            member.bind(("127.0.0.1", 0))
            for _ in range(60):
                hostile.sendto(b"hostile", transport.listen_address)
            member.sendto(b"member", transport.listen_address)
            await eventually(lambda: b"member" in heard.data)
            assert heard.data.index(b"member") < 30
            await eventually(lambda: heard.data.count(b"hostile") > 5)
            assert transport.statistics.packets_received == 61
            assert transport.statistics.packets_shed["strangers"] > 0
        await transport.close()

    asyncio.run(story())
