"""Change the key of a running cluster: install the new one everywhere, then use it, then remove the old one.

Each step is asked for over the cluster itself, sealed with the key that is in use.
"""

import asyncio
import secrets

from tocsin.gossip import Address, Gossip, GossipConfig, Keyring, UDPTransport, UDPTransportConfig

STEPS = ("install", "use", "remove")


class Node:
    def __init__(self, name: str, key: bytes) -> None:
        self._keyring = Keyring([key])
        transport = UDPTransport(UDPTransportConfig(listen_address=Address("127.0.0.1", 0)))
        self.gossip = Gossip(
            GossipConfig.local(), transport, name=name, keyring=self._keyring, answer=self._answer
        )

    def step(self, step: str, key: bytes) -> None:
        {"install": self._keyring.install, "use": self._keyring.use, "remove": self._keyring.remove}[step](
            key
        )

    async def _answer(self, who: str, question: bytes) -> bytes:
        step, _, key = question.partition(b" ")
        self.step(step.decode(), key)
        return b"done"

    async def rotate(self, new: bytes) -> None:
        """A step begins when all members have done the one before it; or somebody could read nothing."""
        old = self._keyring.keys[0]
        for step, key in zip(STEPS, (new, new, old), strict=True):
            self.step(step, key)
            others = [member.name for member in self.gossip.members if member.name != self.gossip.name]
            question = step.encode() + b" " + key
            await asyncio.gather(*(self.gossip.ask(other, question) for other in others))
            print(step, "done by", *sorted(others))

    @property
    def keys(self) -> list[bytes]:
        return self._keyring.keys


async def main() -> None:
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    nodes = [Node(name, old) for name in ("alice", "bob", "carol")]
    async with nodes[0].gossip as first, nodes[1].gossip, nodes[2].gossip:
        for node in nodes[1:]:
            await node.gossip.join([first.local.address])
        await first.wait_for_members(3, timeout=10)
        await nodes[0].rotate(new)
        print("one key each:", all(node.keys == [new] for node in nodes))


if __name__ == "__main__":
    asyncio.run(main())
