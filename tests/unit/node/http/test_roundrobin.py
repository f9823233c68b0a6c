"""Whose request is begun next."""

from __future__ import annotations

import asyncio

from tocsin.node.http.roundrobin import RoundRobin


def test_each_address_has_its_turn_however_much_another_asks() -> None:
    begun: list[str] = []

    async def story() -> None:
        round_robin = RoundRobin(asyncio.get_running_loop())
        for number in range(3):
            round_robin.take("greedy", lambda number=number: begun.append(f"greedy {number}"))  # type: ignore[misc]
        round_robin.take("modest", lambda: begun.append("modest"))
        assert begun == ["greedy 0", "modest"]
        await asyncio.sleep(0)
        assert begun[2:] == ["greedy 1"]
        round_robin.take("late", lambda: begun.append("late"))
        round_robin.take("greedy", lambda: begun.append("greedy 3"))
        assert begun[3:] == ["late"]
        await asyncio.sleep(0)
        assert begun[4:] == ["greedy 2"]
        await asyncio.sleep(0)
        assert begun[5:] == ["greedy 3"]
        await asyncio.sleep(0)
        round_robin.take("greedy", lambda: begun.append("greedy 4"))
        assert begun[6:] == ["greedy 4"]

    asyncio.run(story())
