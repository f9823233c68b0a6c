"""What is remembered of exchanges with members."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tocsin.gossip.address import Address
from tocsin.node.cluster.convergence import Convergence
from tocsin.node.log import Logger


@pytest.mark.parametrize("stays", [True, False])
def test_of_a_member_that_went_during_an_exchange_nothing_is_kept(*, stays: bool) -> None:
    async def story() -> None:
        member = SimpleNamespace(name="go", address=Address("10.0.0.1", 1), meta=b"", live=True)
        members: dict[str, Any] = {"go": member}

        async def join(_addresses: list[Address]) -> list[Any]:
            if not stays:
                del members["go"]
                convergence.member_left(member)  # type: ignore[arg-type]
            return [SimpleNamespace(joined=True)]

        async def merged(_host: str) -> None:
            pass

        gossip: Any = SimpleNamespace(endpoint=SimpleNamespace(member=members.get), join=join)
        inbox: Any = SimpleNamespace(merged=merged)
        clock: Any = None
        convergence = Convergence(
            "here",
            {},
            gossip,
            inbox,
            clock=clock,
            log=Logger("tocsin.test"),
            on_full_state=lambda _: None,
        )
        assert await convergence.resync("go")
        assert (convergence.last("go") is not None) == stays
        await convergence.close()

    asyncio.run(story())
