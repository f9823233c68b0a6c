"""Handshakes of many sources: strangers share one allowance, members have their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter

from tests.support.transports import eventually as eventually_async
from tocsin.gossip.address import Address
from tocsin.gossip.transport.known import MAX_KNOWN
from tocsin.gossip.transport.tls.handshakes import Handshakes
from tocsin.gossip.transport.tls.settings import TLSTransportConfig

CONFIG = TLSTransportConfig(listen_address=Address("127.0.0.1", 0))


def run(story: Callable[[Handshakes], None]) -> None:
    async def within() -> None:
        story(Handshakes(CONFIG))

    asyncio.run(within())


def test_many_sources_have_no_more_together_than_the_strangers_share() -> None:
    def story(handshakes: Handshakes) -> None:
        handshakes.know("member")
        assert handshakes.may_go_on("another stranger")
        for number in range(100):  # Far past the share: what is owed takes five seconds to be paid back.
            handshakes.charge(f"stranger {number}", perf_counter() - 0.5)
            assert handshakes.wait(f"stranger {number}") == 0.0, "it has not used up its own share"
            assert handshakes.may_go_on("member")
        assert not handshakes.may_go_on("another stranger")
        assert handshakes.wait("another stranger") == 0.0
        assert handshakes.may_go_on("member")

    run(story)


def test_one_source_alone_waits_for_itself() -> None:
    def story(handshakes: Handshakes) -> None:
        handshakes.charge("one", perf_counter() - 2.5)
        handshakes.know("two")
        assert not handshakes.may_go_on("one")
        assert handshakes.may_go_on("two")

    run(story)


def test_those_that_wait_get_their_turn() -> None:
    async def story() -> None:
        handshakes = Handshakes(CONFIG)
        for number in range(3):
            handshakes.charge(f"stranger {number}", perf_counter() - 0.7)
        done: list[str] = []
        handshakes.later("a", lambda: done.append("a"))
        handshakes.know("b")
        handshakes.later("b", lambda: done.append("b"))
        await eventually_async(lambda: len(done) == 2)
        assert done == ["b", "a"]

    asyncio.run(story())


def test_what_is_known_is_bounded() -> None:
    def story(handshakes: Handshakes) -> None:
        for number in range(MAX_KNOWN + 1):
            handshakes.know(str(number))
        assert not handshakes.knows("0")
        assert handshakes.knows("1")

    run(story)
