"""Join a cluster of serf agents: ``python serf.py 127.0.0.1:7946``. ``serf members`` shows us."""

import asyncio
import sys
from dataclasses import replace

from tocsin.gossip import Address, Gossip, GossipConfig, UDPTransport, UDPTransportConfig, encode_tags


async def main(agent: str, name: str = "python", listen: str = "127.0.0.1:0") -> None:
    # serf's agents refuse states of members that do not speak serf's own protocol, version 2 to 5.
    config = replace(GossipConfig.lan(), delegate_versions=(2, 5, 5))
    transport = UDPTransport(UDPTransportConfig(listen_address=Address.parse(listen)))
    async with Gossip(config, transport, name=name, meta=encode_tags({"role": "guest"})) as gossip:
        (result,) = await gossip.join([Address.parse(agent)], timeout=10)
        if not result.joined:
            sys.exit(result.error)
        for member in await gossip.wait_for_members(2, timeout=10):
            print(member.name, member.address, dict(member.tags), flush=True)
        await asyncio.to_thread(sys.stdin.read)  # until somebody ends it


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
