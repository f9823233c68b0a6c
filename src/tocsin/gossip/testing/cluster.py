"""Members on a network with faults, in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from random import Random
from types import TracebackType
from typing import Self, TypeAlias

from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.effects import Event
from tocsin.gossip.gossip import Gossip
from tocsin.gossip.services.replicas import ReplicatedState
from tocsin.gossip.services.requests import Answer
from tocsin.gossip.testing.clock import run
from tocsin.gossip.testing.network import FaultyNetwork
from tocsin.gossip.transport.memory import MemoryTransport
from tocsin.gossip.wire.tags import encode_tags


class Cluster:
    """Starts members and closes them in the end. One seed gives the same chances again."""

    def __init__(self, seed: int = 0, config: GossipConfig | None = None) -> None:
        self.seed = seed
        self.config: GossipConfig = config or GossipConfig.lan()
        self.network: FaultyNetwork = FaultyNetwork(seed=seed)
        self._stack = AsyncExitStack()
        self._first: Gossip | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def member(
        self,
        name: str,
        *,
        tags: Mapping[str, str] | None = None,
        states: Mapping[str, ReplicatedState] | None = None,
        answer: Answer | None = None,
        on_event: Callable[[Event], None] = lambda event: None,  # noqa: ARG005
        join: bool = True,
    ) -> Gossip:
        """Start one; it joins the first member by default."""
        gossip = Gossip(
            self.config,
            MemoryTransport(self.network),
            name=name,
            meta=encode_tags(tags or {}),
            states=states,
            answer=answer,
            on_event=on_event,
            random_source=Random(f"{self.seed}/{name}"),
        )
        await gossip.start()
        self._stack.push_async_callback(gossip.close)
        if self._first is None:
            self._first = gossip
        elif join:
            await gossip.join([self._first.local.address])
        return gossip

    async def members(self, *names: str) -> list[Gossip]:
        """Start several, and wait until each sees all of them."""
        started = [await self.member(name) for name in names]
        for each in started:
            await each.wait_for_members(names, timeout=60)
        return started


Scenario: TypeAlias = Callable[[Cluster], Awaitable[None]]
"""What a test does with a cluster."""


def simulate(
    scenario: Scenario, *, seed: int = 0, config: GossipConfig | None = None, timeout: float = 3600.0
) -> None:
    """Run a scenario in virtual time; :class:`TimeoutError` after ``timeout`` virtual seconds."""

    async def main() -> None:
        async with Cluster(seed, config) as cluster:
            await scenario(cluster)

    run(main, timeout=timeout)
