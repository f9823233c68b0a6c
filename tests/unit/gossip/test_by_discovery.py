"""Members that discovery lists, over a real transport: UDP and TCP on loopback, both address families."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from tests.support.transports import eventually
from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.effects import Event, UserMessage
from tocsin.gossip.gossip import Gossip
from tocsin.gossip.transport.udp.settings import UDPTransportConfig
from tocsin.gossip.transport.udp.transport import UDPTransport

QUICK = GossipConfig(gossip_interval=0.02, probe_interval=0.2, probe_timeout=0.1, push_pull_interval=0.5)


class Member:
    """One of a cluster, and the payloads that it heard."""

    def __init__(self, name: str, host: str) -> None:
        self.heard: set[bytes] = set()
        self.gossip = Gossip(
            QUICK,
            # A UDP socket of one family reaches no peer of the other.
            UDPTransport(UDPTransportConfig(listen_address=Address("::", 0))),
            name=name,
            address=Address(host, 0),
            on_event=self._handle,
            random_source=Random(name),
            static_membership=True,
        )

    def _handle(self, event: Event) -> None:
        if isinstance(event, UserMessage):
            self.heard.add(event.payload)

    @property
    def names(self) -> list[str]:
        return sorted(member.name for member in self.gossip.members)


def run(story: Callable[[list[Member]], Awaitable[None]]) -> None:
    async def main() -> None:
        members = [Member("a", "127.0.0.1"), Member("b", "::1"), Member("c", "127.0.0.1")]
        for member in members:
            await member.gossip.start()
        addresses = [member.gossip.local.address for member in members]
        for member in members:
            member.gossip.set_listed(addresses)
        for member in members:
            await member.gossip.join(
                address for address in addresses if address != member.gossip.local.address
            )
        try:
            await eventually(lambda: all(member.names == ["a", "b", "c"] for member in members), 30)
            await story(members)
        finally:
            for member in members:
                await member.gossip.close()

    asyncio.run(main())


def test_what_one_tells_all_hear() -> None:
    async def story(members: list[Member]) -> None:
        for member in members:
            member.gossip.broadcast(member.gossip.name.encode())
        names = {b"a", b"b", b"c"}
        await eventually(lambda: all(m.heard >= names - {m.gossip.name.encode()} for m in members))

    run(story)


def test_one_that_dies_is_noticed_without_a_transport_that_says_so() -> None:
    async def story(members: list[Member]) -> None:
        a, b, c = members
        await c.gossip.close()
        await eventually(lambda: a.names == b.names == ["a", "b"], 30)

    run(story)


def test_one_that_leaves_is_heard_and_one_that_is_unlisted_is_gone() -> None:
    async def story(members: list[Member]) -> None:
        a, b, c = members
        assert await c.gossip.leave(10)
        await eventually(lambda: a.names == b.names == ["a", "b"], 30)
        a.gossip.set_listed([])
        assert a.names == ["a"]
        assert b.names == ["a", "b"]

    run(story)
