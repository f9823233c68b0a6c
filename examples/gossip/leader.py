"""A leader by rank: the live member with the lowest name. In a partition each side has its own.

That suits work that may be done twice, such as a nightly clean-up. For work that may not, use consensus.
"""

import asyncio
from collections.abc import AsyncIterator

from tocsin.gossip import (
    Address,
    EventsDropped,
    Gossip,
    GossipConfig,
    MemberJoined,
    MemberLeft,
    UDPTransport,
    UDPTransportConfig,
)


def leader(gossip: Gossip) -> str:
    return min(member.name for member in gossip.members)


async def leaders(gossip: Gossip) -> AsyncIterator[str]:
    """Who leads now, and again whenever that changes."""
    async with gossip.events() as events:
        yield (now := leader(gossip))
        async for event in events:
            if isinstance(event, MemberJoined | MemberLeft | EventsDropped) and leader(gossip) != now:
                yield (now := leader(gossip))


def member(name: str) -> Gossip:
    transport = UDPTransport(UDPTransportConfig(listen_address=Address("127.0.0.1", 0)))
    return Gossip(GossipConfig.local(), transport, name=name)


async def main() -> None:
    async with member("carol") as carol:
        changes = leaders(carol)
        print("leads:", await anext(changes))
        async with member("alice") as alice:
            await alice.join([carol.local.address])
            print("leads:", await anext(changes))
        print("leads:", await anext(changes))


if __name__ == "__main__":
    asyncio.run(main())
