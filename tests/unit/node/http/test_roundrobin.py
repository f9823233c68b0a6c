"""Whose request is begun next."""

from __future__ import annotations

import asyncio
from functools import partial

from tests.support.transports import eventually
from tocsin.node.http.roundrobin import AT_ONCE, RoundRobin


def test_each_address_has_its_turn_however_much_another_asks() -> None:
    begun: list[str] = []

    async def story() -> None:
        round_robin = RoundRobin(asyncio.get_running_loop())
        for number in range(3):
            round_robin.take("greedy", lambda number=number: begun.append(f"greedy {number}"))  # type: ignore[misc]
        round_robin.take("modest", lambda: begun.append("modest"))
        assert begun == ["greedy 0", "modest"]
        await asyncio.sleep(0)
        assert begun[2:] == ["greedy 1", "greedy 2"], "they share an iteration, and what it costs"
        round_robin.take("late", lambda: begun.append("late"))
        round_robin.take("greedy", lambda: begun.append("greedy 3"))
        assert begun[4:] == ["late"]
        await asyncio.sleep(0)
        assert begun[5:] == ["greedy 3"]
        await asyncio.sleep(0)
        round_robin.take("greedy", lambda: begun.append("greedy 4"))
        assert begun[6:] == ["greedy 4"]

    asyncio.run(story())


def test_who_comes_later_waits_for_no_second_request_of_another_that_was_not_begun_yet() -> None:
    begun: list[str] = []

    async def story() -> None:
        round_robin = RoundRobin(asyncio.get_running_loop())
        for _ in range(5 * AT_ONCE):
            round_robin.take("greedy", lambda: begun.append("greedy"))
        for _ in range(3):
            round_robin.take("modest", lambda: begun.append("modest"))
        assert begun == ["greedy", "modest"]
        await asyncio.sleep(0)
        assert len(begun) == 2 + AT_ONCE
        assert begun[2:6] == ["greedy", "modest"] * 2
        round_robin.take("late", lambda: begun.append("late"))
        assert begun[-1] == "late"
        while begun.count("greedy") < 5 * AT_ONCE:
            before = len(begun)
            await asyncio.sleep(0)
            assert 0 < len(begun) - before <= AT_ONCE
        assert begun.count("greedy") == 5 * AT_ONCE

    asyncio.run(story())


def test_a_request_that_cannot_be_begun_costs_no_other() -> None:
    begun: list[str] = []

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        round_robin = RoundRobin(asyncio.get_running_loop())
        round_robin.take("192.0.2.1", lambda: begun.append("first"))
        round_robin.take("192.0.2.1", partial(divmod, 1, 0))
        for number in range(3):
            round_robin.take("192.0.2.1", partial(begun.append, f"later {number}"))
        await eventually(lambda: len(begun) == 4)

    asyncio.run(story())
    assert begun == ["first", "later 0", "later 1", "later 2"]


def test_of_hundreds_of_addresses_some_have_a_request_begun_in_an_iteration_and_all_in_the_end() -> None:
    async def story() -> None:
        round_robin, begun = RoundRobin(asyncio.get_running_loop()), list[tuple[str, int]]()
        addresses = [f"192.0.2.{number}" for number in range(100)]
        for number in range(3):
            for address in addresses:
                round_robin.take(address, partial(begun.append, (address, number)))
        assert len(begun) == AT_ONCE
        while len(begun) < 300:
            before = len(begun)
            await asyncio.sleep(0)
            assert len(begun) - before <= AT_ONCE
        for address in addresses:
            assert [number for each, number in begun if each == address] == [0, 1, 2]
        last = {address: place for place, (address, number) in enumerate(begun) if not number}
        assert max(last.values()) < 100 + 2 * AT_ONCE, "none comes again long before the others"

    asyncio.run(story())
