"""Whole clusters in one process whose membership is what discovery lists."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from tests.support.transports import eventually
from tests.unit.node.cluster.test_cluster import Member, address
from tocsin.gossip.transport.memory import MemoryNetwork


def run(
    story: Callable[[MemoryNetwork, list[Member]], Awaitable[None]], lists: Sequence[tuple[str, ...]]
) -> None:
    async def main() -> None:
        network = MemoryNetwork()
        members = [
            Member(network, f"node-{n}", address(n), peers, static_membership=True, discovery_interval=0.1)
            for n, peers in enumerate(lists, 1)
        ]
        try:
            for member in members:
                await member.cluster.start()
            await story(network, members)
        finally:
            for member in members:
                await member.cluster.close()

    asyncio.run(main())


def literals(*numbers: int) -> tuple[str, ...]:
    return tuple(str(address(number)) for number in numbers)


def names(member: Member) -> list[str]:
    return [peer.name for peer in member.cluster.peers()]


async def whole(members: list[Member]) -> None:
    wanted = sorted(member.cluster.settings.name for member in members)
    await eventually(lambda: all(names(member) == wanted for member in members), 30)


def test_all_settle_agree_on_places_and_share_state() -> None:
    async def story(network: MemoryNetwork, members: list[Member]) -> None:
        await whole(members)
        await eventually(lambda: all(member.settled for member in members), 30)
        assert [member.cluster.position for member in members] == [0, 1, 2]
        for maker in members:
            made = maker.silence(maker.cluster.settings.name)
            await eventually(lambda made=made: all(member.knows(made) for member in members))  # type: ignore[misc]

    run(story, [literals(1, 2, 3)] * 3)


def test_one_that_dies_is_noticed_dialled_again_and_back_under_another_name() -> None:
    async def story(network: MemoryNetwork, members: list[Member]) -> None:
        first, second, third = members
        await whole(members)
        await third.cluster.gossip.close()  # as a crash: nobody is told
        await whole([first, second])
        assert first.cluster.failed_peers == 1
        again = Member(network, "reborn", address(3), literals(1, 2, 3), static_membership=True)
        try:
            await again.cluster.start()
            await whole([first, second, again])
            assert first.cluster.failed_peers == 0
            assert second.cluster.statistics.reconnections >= 1
        finally:
            await again.cluster.close()
        await whole([first, second])  # it said goodbye

    run(story, [literals(1, 2, 3)] * 3)


def test_who_is_not_listed_is_no_member_however_it_dials() -> None:
    async def story(network: MemoryNetwork, members: list[Member]) -> None:
        first, second, stranger = members
        await whole([first, second])
        await eventually(lambda: names(stranger) == ["node-1", "node-2", "node-3"], 30)
        for _ in range(3):
            await stranger.cluster.gossip.join([address(1), address(2)])
        assert names(first) == names(second) == ["node-1", "node-2"]

    run(story, [literals(1, 2), literals(1, 2), literals(1, 2, 3)])


def test_while_lists_disagree_state_flows_along_each_listed_pair_both_ways() -> None:
    async def story(network: MemoryNetwork, members: list[Member]) -> None:
        lister, listed = members
        await eventually(lambda: names(lister) == ["node-1", "node-2"], 30)
        there, back = lister.silence("there"), listed.silence("back")
        await eventually(lambda: listed.knows(there) and lister.knows(back), 30)
        assert names(listed) == ["node-2"]

    run(story, [literals(1, 2), literals(2)])


def test_a_member_follows_a_file_that_changes(tmp_path: Path) -> None:
    path = tmp_path / "peers"
    path.write_text("\n".join(literals(1, 2)))

    async def story(network: MemoryNetwork, members: list[Member]) -> None:
        await whole(members[:2])
        path.write_text("\n".join(literals(1, 2, 3)))
        await whole(members)
        path.write_text("\n".join(literals(1, 2)))
        await eventually(lambda: names(members[0]) == names(members[1]) == ["node-1", "node-2"], 30)
        assert members[0].cluster.failed_peers == 0

    run(story, [(f"file:{path}",)] * 3)
