"""A replicated dictionary: the last write wins, in whatever order writes arrive."""

import asyncio
import json
import time

from tocsin.gossip import Address, Gossip, GossipConfig, UDPTransport, UDPTransportConfig

Entry = tuple[int, str, str]
"""When it was written (nanoseconds), by whom, and the value: of two entries one is always the larger."""


class KeyValue:
    """The state. ``merge`` keeps the larger entry of each key: commutative, associative, idempotent."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    def snapshot(self) -> bytes:
        return json.dumps(self.entries).encode()

    def merge(self, payload: bytes) -> bytes:
        found = {key: (int(at), str(by), str(value)) for key, (at, by, value) in json.loads(payload).items()}
        news = {key: entry for key, entry in found.items() if entry > self.entries.get(key, (0, "", ""))}
        self.entries |= news
        return json.dumps(news).encode() if news else b""


class Store:
    """A member with such a state."""

    def __init__(self, name: str) -> None:
        transport = UDPTransport(UDPTransportConfig(listen_address=Address("127.0.0.1", 0)))
        self._state = KeyValue()
        self.gossip = Gossip(GossipConfig.local(), transport, name=name, states={"kv": self._state})

    def get(self, key: str) -> str | None:
        entry = self._state.entries.get(key)
        return entry[2] if entry else None

    def put(self, key: str, value: str) -> None:
        at = max(time.time_ns(), self._state.entries.get(key, (0,))[0] + 1)  # later than what it replaces
        change = json.dumps({key: (at, self.gossip.name, value)}).encode()
        self._state.merge(change)
        self.gossip.share("kv", change)


async def main() -> None:
    stores = [Store(name) for name in ("alice", "bob", "carol")]
    async with stores[0].gossip as first, stores[1].gossip, stores[2].gossip:
        stores[0].put("colour", "red")
        for store in stores[1:]:
            await store.gossip.join([first.local.address])  # brings the whole state
        stores[2].put("colour", "blue")
        while any(store.get("colour") != "blue" for store in stores):
            await asyncio.sleep(0.01)
        print("all say", *{store.get("colour") for store in stores})


if __name__ == "__main__":
    asyncio.run(main())
