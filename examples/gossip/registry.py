"""A service registry: members say by tags what they offer and how they are; who looks finds healthy ones."""

import asyncio

from tocsin.gossip import Address, Gossip, GossipConfig, UDPTransport, UDPTransportConfig


class Service:
    """One instance of a service, as the others see it."""

    def __init__(self, name: str, service: str, url: str) -> None:
        self._tags = {"service": service, "url": url, "health": "starting"}
        transport = UDPTransport(UDPTransportConfig(listen_address=Address("127.0.0.1", 0)))
        self.gossip = Gossip(GossipConfig.local(), transport, name=name)

    def report(self, health: str) -> None:
        """Tell all; nothing is sent while nothing changes."""
        if self._tags["health"] != health:
            self._tags["health"] = health
            self.gossip.set_tags(self._tags)

    def find(self, service: str) -> list[str]:
        """Where healthy instances are. Who has died or left is no member any more."""
        return sorted(one.tags["url"] for one in self.gossip.members_with(service=service, health="ok"))


async def main() -> None:
    web = Service("web-1", "web", "http://192.0.2.1")
    stores = [Service(f"store-{n}", "store", f"http://192.0.2.{10 + n}") for n in (1, 2)]
    async with web.gossip, stores[0].gossip, stores[1].gossip:
        for store in stores:
            await store.gossip.join([web.gossip.local.address])
            store.report("ok")
        await web.gossip.wait_for_members(lambda _: len(web.find("store")) == 2, timeout=30)
        print("stores:", *web.find("store"))
        stores[0].report("disk full")
        await web.gossip.wait_for_members(lambda _: len(web.find("store")) == 1, timeout=30)
        print("stores:", *web.find("store"))


if __name__ == "__main__":
    asyncio.run(main())
