"""A chat without a server.

``python chat.py alice 127.0.0.1:7946`` begins it, ``python chat.py bob 127.0.0.1:0 127.0.0.1:7946`` comes in.
"""

import asyncio
import sys
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
    UserMessage,
)


async def typed() -> AsyncIterator[str]:
    """Lines from standard input."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield line.strip()


async def listen(gossip: Gossip) -> None:
    heard: set[bytes] = set()  # gossip repeats itself: each line begins with who said it and its number
    async for event in gossip.events():
        match event:
            case UserMessage(payload) if payload not in heard:
                heard.add(payload)
                who, _, text = payload.decode().split(" ", 2)
                print(f"{who}: {text}", flush=True)
            case MemberJoined(member):
                print(f"* {member.name} is here", flush=True)
            case MemberLeft(member):
                print(f"* {member.name} has gone", flush=True)
            case EventsDropped(count):
                print(f"* {count} lines are missing", flush=True)
            case _:
                pass


async def main(name: str, listen_on: str, *peers: str) -> None:
    transport = UDPTransport(UDPTransportConfig(listen_address=Address.parse(listen_on)))
    async with Gossip(GossipConfig.local(), transport, name=name) as gossip:
        print(f"* at {gossip.local.address}", flush=True)
        listener = asyncio.create_task(listen(gossip))
        await gossip.join(map(Address.parse, peers), timeout=10)
        number = 0
        async for line in typed():
            number += 1
            gossip.broadcast(f"{name} {number} {line}".encode())
    await listener


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
