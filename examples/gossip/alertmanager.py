"""Join a Go program that uses memberlist, here Alertmanager: ``python alertmanager.py 127.0.0.1:9094``."""

import asyncio
import sys

from tocsin.gossip import (
    Address,
    Gossip,
    GossipConfig,
    MemberJoined,
    MemberLeft,
    UDPTransport,
    UDPTransportConfig,
)


async def main(peer: str, name: str = "watcher", listen: str = "127.0.0.1:0") -> None:
    transport = UDPTransport(UDPTransportConfig(listen_address=Address.parse(listen)))
    async with Gossip(GossipConfig.lan(), transport, name=name) as gossip, gossip.events() as events:
        (result,) = await gossip.join([Address.parse(peer)], timeout=10)
        if not result.joined:
            sys.exit(result.error)
        async for event in events:
            match event:
                case MemberJoined(member):
                    print("joined", member.name, member.address, flush=True)
                case MemberLeft(member):
                    print(member.state.name.lower(), member.name, flush=True)
                case _:
                    pass  # its silences and notifications come as UserMessage and RemoteState


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        asyncio.run(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        pass
