"""The library in one cluster with the real ``serf agent``: memberlist's default transport and the keyring."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.support import serf
from tests.support.eventually import eventually as blocking_eventually
from tests.support.serf import Agent, UserEvent, decode_user_event, encode_user_event
from tests.support.transports import eventually
from tocsin.gossip import Address, Event, Gossip, GossipConfig, MemberLeft, MemberState, UserMessage
from tocsin.gossip.core.effects import ProtocolError
from tocsin.gossip.transport.udp.settings import UDPTransportConfig
from tocsin.gossip.transport.udp.transport import UDPTransport
from tocsin.gossip.wire.keyring import Keyring

pytestmark = pytest.mark.interop

CONFIG = replace(GossipConfig.local(), delegate_versions=serf.DELEGATE_VERSIONS)


@dataclass
class Ours:
    """A member of ours with what it was told."""

    gossip: Gossip
    events: list[Event] = field(default_factory=list)

    @property
    def states(self) -> dict[str, str]:
        return {member.name: member.state.name.lower() for member in self.gossip.members}

    @property
    def heard(self) -> set[tuple[str, bytes]]:
        found = [decode_user_event(one.payload) for one in self.events if isinstance(one, UserMessage)]
        return {(event.name, event.payload) for event in found if event is not None}

    @property
    def gone(self) -> list[tuple[str, MemberState]]:
        return [(one.member.name, one.member.state) for one in self.events if isinstance(one, MemberLeft)]


@dataclass
class Bench:
    folder: Path
    agents: list[Agent] = field(default_factory=list)
    members: list[Ours] = field(default_factory=list)

    async def agent(self, name: str, *arguments: str) -> Agent:
        agent = await asyncio.to_thread(Agent(name, self.folder, *arguments).start)
        self.agents.append(agent)
        return agent

    async def ours(self, name: str, *, keys: Sequence[bytes] = (), label: bytes = b"") -> Ours:
        events: list[Event] = []
        gossip = Gossip(
            replace(CONFIG, label=label),
            UDPTransport(UDPTransportConfig(listen_address=Address("127.0.0.1", 0))),
            name=name,
            meta=serf.encode_tags({"kind": "ours"}),
            on_event=events.append,
            keyring=Keyring(keys) if keys else None,
        )
        await gossip.start()
        self.members.append(Ours(gossip, events))
        return self.members[-1]


@asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[Bench]:
    made = Bench(folder)
    try:
        yield made
    finally:
        await asyncio.gather(*(member.gossip.close() for member in made.members))
        await asyncio.gather(*(asyncio.to_thread(agent.close) for agent in made.agents))


def run(folder: Path, story: Callable[[Bench], Awaitable[None]]) -> None:
    async def tell() -> None:
        async with asyncio.timeout(180), bench(folder) as made:
            await story(made)

    asyncio.run(tell())


async def agent_sees(agent: Agent, name: str, status: str) -> None:
    def sees() -> bool:
        return agent.members().get(name) == status

    await asyncio.to_thread(blocking_eventually, sees, f"{name} is {status} to {agent.name}", deadline=60.0)


async def agent_heard(agent: Agent, name: str) -> None:
    await eventually(lambda: f"user-event: {name}" in agent.process.text(), 60)


async def events_both_ways(agent: Agent, ours: Ours, time: int, mark: str) -> None:
    async with asyncio.timeout(60):
        # serf tells an event to a few at random, so some are never told; then it is made again.
        while (f"theirs{mark}", b"payload") not in ours.heard:
            told = await asyncio.to_thread(agent.run, "event", "-coalesce=false", f"theirs{mark}", "payload")
            assert told.returncode == 0, told
            with contextlib.suppress(AssertionError):
                await eventually(lambda: (f"theirs{mark}", b"payload") in ours.heard, 2.0)
    ours.gossip.broadcast(encode_user_event(UserEvent(time, f"ours{mark}", b"payload")))
    await agent_heard(agent, f"ours{mark}")


def test_members_tags_and_user_events(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        one = await bench.agent("one", "-tag", "kind=theirs")
        two = await bench.agent("two")
        ours = await bench.ours("ours")
        # Either way: one is joined by us, and joins us.
        assert [result.error for result in await ours.gossip.join([one.address])] == [""]
        assert (await asyncio.to_thread(two.join, ours.gossip.local.address)).returncode == 0
        for agent in (one, two):
            for name in ("one", "two", "ours"):
                await agent_sees(agent, name, "alive")
        await eventually(lambda: ours.states == {"one": "alive", "two": "alive", "ours": "alive"}, 60)
        assert await asyncio.to_thread(two.tags, "ours") == {"kind": "ours"}
        metas = {member.name: member.meta for member in ours.gossip.members}
        assert serf.decode_tags(metas["one"]) == {"kind": "theirs"}
        await events_both_ways(one, ours, 100, "-small")
        await agent_heard(two, "ours-small")
        assert ours.gone == []

    run(tmp_path, story)


def test_a_goodbye_of_either_is_heard(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        one, two, ours = await bench.agent("one"), await bench.agent("two"), await bench.ours("ours")
        await ours.gossip.join([one.address, two.address])
        for agent in (one, two):
            await agent_sees(agent, "ours", "alive")
        await asyncio.to_thread(two.run, "leave")
        await eventually(lambda: ("two", MemberState.LEFT) in ours.gone, 60)
        # serf wants its own word first; the library's goodbye follows it.
        ours.gossip.broadcast(serf.encode_leave_intent(1000, "ours"))
        await asyncio.sleep(0)
        await eventually(lambda: "ours" in one.process.text() and one.process.alive)
        assert await ours.gossip.leave(10)
        await agent_sees(one, "ours", "left")

    run(tmp_path, story)


def test_a_kill_of_either_is_noticed(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        one, two, ours = await bench.agent("one"), await bench.agent("two"), await bench.ours("ours")
        await ours.gossip.join([one.address, two.address])
        for agent in (one, two):
            await agent_sees(agent, "ours", "alive")
        await asyncio.to_thread(two.process.kill)
        await eventually(lambda: ("two", MemberState.DEAD) in ours.gone, 60)
        await agent_sees(one, "two", "failed")
        await ours.gossip.close()  # without a goodbye
        await agent_sees(one, "ours", "failed")

    run(tmp_path, story)


def arguments_for(key: bytes) -> tuple[str, ...]:
    return ("-encrypt", base64.b64encode(key).decode())


@pytest.mark.parametrize("size", [16, 24, 32])
def test_a_sealed_cluster_for_every_size_of_key(tmp_path: Path, size: int) -> None:
    key = secrets.token_bytes(size)

    async def story(bench: Bench) -> None:
        one = await bench.agent("one", *arguments_for(key))
        ours = await bench.ours("ours", keys=[key])
        assert [result.error for result in await ours.gossip.join([one.address])] == [""]
        await agent_sees(one, "ours", "alive")
        await events_both_ways(one, ours, 100, "-sealed")
        for name, keys in (("clear", []), ("other", [secrets.token_bytes(size)])):
            stranger = await bench.ours(name, keys=keys)
            [result] = await stranger.gossip.join([one.address])
            assert result.error
            [result] = await stranger.gossip.join([ours.gossip.local.address])
            assert result.error
        troubles = {one.reason for one in ours.events if isinstance(one, ProtocolError)}
        assert troubles == {"keyring"}
        assert set(await asyncio.to_thread(one.members)) == {"one", "ours"}
        assert ours.gone == []
        assert ours.gossip.statistics.packets_unsealed == 0

    run(tmp_path, story)


@pytest.mark.parametrize("size", [16, 24, 32])
def test_keys_are_changed_under_load_and_no_member_is_lost(tmp_path: Path, size: int) -> None:
    old, new = secrets.token_bytes(size), secrets.token_bytes(size)
    shown = base64.b64encode(new).decode()

    async def story(bench: Bench) -> None:
        one, two = [await bench.agent(name, *arguments_for(old)) for name in ("one", "two")]
        first, second = await bench.ours("first", keys=[old]), await bench.ours("second", keys=[old])
        for member in (first, second):
            await member.gossip.join([one.address, two.address])
        everybody = {"one", "two", "first", "second"}
        await eventually(lambda: set(first.states) == set(second.states) == everybody, 60)
        sent: set[tuple[str, bytes]] = set()
        stop = asyncio.Event()

        async def load() -> None:
            """All the while, events from ours to all.

            No more than gossip carries four times each: one that is sent once may be lost with its datagram.
            """
            number = 0
            while not stop.is_set():
                number += 1
                event = UserEvent(1000 + number, f"load{number}", b"x" * 100)
                first.gossip.broadcast(encode_user_event(event))
                sent.add((event.name, event.payload))
                await asyncio.sleep(0.1)

        async def with_serf(command: str, key: str) -> None:
            # serf tells its members by a query, which ours neither pass on nor answer: so at both agents.
            for agent in (one, two):
                await asyncio.to_thread(agent.run, "keys", f"-{command}={key}")

        loading = asyncio.create_task(load())
        await with_serf("install", shown)
        for member in (first, second):
            assert member.gossip.keyring is not None
            member.gossip.keyring.install(new)
        await with_serf("use", shown)
        for member in (first, second):
            assert member.gossip.keyring is not None
            member.gossip.keyring.use(new)
        await with_serf("remove", base64.b64encode(old).decode())
        for member in (first, second):
            assert member.gossip.keyring is not None
            member.gossip.keyring.remove(old)
        await events_both_ways(one, second, 500_000, "-after")
        await events_both_ways(two, first, 600_000, "-at-last")
        stop.set()
        await loading
        assert len(sent) > 20
        await eventually(lambda: sent <= second.heard, 60)
        for agent in (one, two):
            assert "EventMemberFailed" not in agent.process.text()
            assert "EventMemberLeave" not in agent.process.text()
            assert await asyncio.to_thread(agent.members) == dict.fromkeys(everybody, "alive")
        assert first.gone == second.gone == []
        events = first.events + second.events
        assert not [event for event in events if isinstance(event, ProtocolError)]
        # The old key opens nothing any more.
        stranger = await bench.ours("stranger", keys=[old])
        assert all(result.error for result in await stranger.gossip.join([one.address]))
        known = await bench.ours("known", keys=[new])
        assert [result.error for result in await known.gossip.join([one.address])] == [""]

    run(tmp_path, story)
