"""What applications use, in virtual time on a network with faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from tocsin.errors import ClosedError, NotFoundError, TransportError, UserError
from tocsin.gossip import (
    Address,
    AnswerError,
    Event,
    EventsDropped,
    EventStream,
    Gossip,
    GossipConfig,
    Member,
    MemberJoined,
    MemberLeft,
    MemberState,
    MemoryNetwork,
    MemoryTransport,
    ProtocolError,
    RetryPolicy,
    UserMessage,
)
from tocsin.gossip.services import requests, services
from tocsin.gossip.testing import Cluster, run, simulate
from tocsin.gossip.wire.envelope import Envelope, EnvelopeKind, encode_envelope


class Largest:
    """A replicated state: for each key the largest number that anybody has seen."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def snapshot(self) -> bytes:
        return json.dumps(self.numbers).encode()

    def merge(self, payload: bytes) -> bytes:
        found = json.loads(payload)
        if not isinstance(found, dict):
            raise ValueError("an object of numbers is wanted")
        news = {key: value for key, value in found.items() if value > self.numbers.get(key, 0)}
        self.numbers |= news
        return json.dumps(news).encode() if news else b""

    def put(self, gossip: Gossip, key: str, value: int) -> None:
        self.merge(json.dumps({key: value}).encode())
        gossip.share("largest", json.dumps({key: value}).encode())


async def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Let virtual time pass until it is true."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (virtual time)
            await asyncio.sleep(0.05)


def counted(gossip: Gossip, name: str) -> float:
    return sum(one.value for one in gossip.counters() if one.name == name)


async def take(events: EventStream, count: int) -> list[Event | EventsDropped]:
    return [await anext(events) for _ in range(count)]


# -- start and stop


def test_a_member_starts_with_its_context_and_leaves_with_it() -> None:
    async def scenario(cluster: Cluster) -> None:
        alice = await cluster.member("alice")
        async with alice.events() as events:
            async with Gossip(cluster.config, MemoryTransport(cluster.network), name="bob") as bob:
                await bob.join([alice.local.address])
                await alice.wait_for_members({"bob"}, timeout=10)
            await alice.wait_for_members(lambda members: len(members) == 1, timeout=10)
            told = [event for event in await take(events, 2) if isinstance(event, MemberJoined | MemberLeft)]
        assert [event.member.state for event in told] == [MemberState.ALIVE, MemberState.LEFT]
        with pytest.raises(ClosedError):
            await bob.wait_for_members(1)

    simulate(scenario)


def test_a_context_that_cannot_start_leaves_nothing_behind() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        taken = Address("127.0.0.1", 7946)
        async with Gossip(GossipConfig.lan(), MemoryTransport(network, taken), name="a"):
            other = Gossip(GossipConfig.lan(), MemoryTransport(network, taken), name="b")
            with pytest.raises(UserError):
                async with other:
                    raise AssertionError("it must not begin")
            with pytest.raises(ClosedError):
                await other.start()

    run(main)


# -- events


def test_a_stream_of_events_begins_when_it_is_made_and_ends_with_the_member() -> None:
    async def scenario(cluster: Cluster) -> None:
        alice, bob = await cluster.members("alice", "bob")
        events = bob.events()
        for number in range(3):
            await alice.send_reliable("bob", b"%d" % number)
        await bob.close()
        heard = [event.payload async for event in events if isinstance(event, UserMessage)]
        assert heard == [b"0", b"1", b"2"]

    simulate(scenario)


def test_a_slow_reader_is_told_how_many_events_it_missed() -> None:
    async def scenario(cluster: Cluster) -> None:
        alice, bob = await cluster.members("alice", "bob")
        events = bob.events(maximum=2)
        for number in range(5):
            await alice.send_reliable("bob", b"%d" % number)
        missed, *heard = await take(events, 3)
        assert missed == EventsDropped(3)
        assert [event.payload for event in heard if isinstance(event, UserMessage)] == [b"3", b"4"]
        assert counted(bob, "events_dropped") == 3

    simulate(scenario)


def test_a_stream_holds_a_bounded_number_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.gossip.services.events.MAX_EVENT_BYTES", 250)

    async def scenario(cluster: Cluster) -> None:
        alice, bob = await cluster.members("alice", "bob")
        events = bob.events()
        for _ in range(5):
            await alice.send_reliable("bob", bytes(100))
        assert (await take(events, 1)) == [EventsDropped(3)]
        events.close()
        await alice.send_reliable("bob", bytes(100))  # no longer its business
        assert len([event async for event in events]) == 2

    simulate(scenario)


# -- members


def test_who_waits_for_members_in_vain_is_told_who_is_there() -> None:
    async def scenario(cluster: Cluster) -> None:
        alice, _ = await cluster.members("alice", "bob")
        with pytest.raises(TimeoutError, match="alice, bob"):
            await alice.wait_for_members(3, timeout=5)
        waits = asyncio.create_task(alice.wait_for_members(3))
        await asyncio.sleep(0)
        await alice.close()
        with pytest.raises(ClosedError):
            await waits

    simulate(scenario)


def test_members_are_found_by_their_tags() -> None:
    async def scenario(cluster: Cluster) -> None:
        alice = await cluster.member("alice", tags={"role": "web"})
        bob = await cluster.member("bob", tags={"role": "db", "zone": "a"})
        await cluster.member("carol", tags={"role": "db", "zone": "b"})
        await alice.wait_for_members(3, timeout=10)
        assert names(alice.members_with(role="db")) == {"bob", "carol"}
        assert names(alice.members_with(role="db", zone="b")) == {"carol"}
        bob.set_tags({"role": "web"})

        def two_of_web(members: Sequence[Member]) -> bool:
            return sum(member.tags.get("role") == "web" for member in members) == 2

        await alice.wait_for_members(two_of_web, timeout=10)
        with pytest.raises(UserError, match="too long"):
            bob.set_tags({"a": "b" * 600})

    simulate(scenario)


def names(members: Sequence[Member]) -> set[str]:
    return {member.name for member in members}


# -- joining


def test_a_join_is_tried_again_until_somebody_is_there() -> None:
    async def scenario(cluster: Cluster) -> None:
        alice = await cluster.member("alice")
        late = Address("127.0.0.1", 7946)
        joining = asyncio.create_task(alice.join([late], retry=RetryPolicy(first=1), timeout=60))
        await asyncio.sleep(10)
        async with Gossip(cluster.config, MemoryTransport(cluster.network, late), name="late"):
            (result,) = await joining
            assert result.joined
            assert names(alice.members) == {"alice", "late"}

    simulate(scenario)


def test_a_join_gives_up_by_its_deadline_or_its_attempts() -> None:
    async def scenario(cluster: Cluster) -> None:
        alice, bob = await cluster.members("alice", "bob")
        silent, nobody = Address("192.0.2.1", 1), Address("192.0.2.2", 1)
        cluster.network.black_holes.add(silent)
        began = asyncio.get_running_loop().time()
        results = await alice.join([bob.local.address, silent], timeout=3)
        assert asyncio.get_running_loop().time() - began == pytest.approx(3)
        assert [result.joined for result in results] == [True, False]
        assert results[1].error == "no outcome within 3 s"
        (refused,) = await alice.join([nobody], retry=RetryPolicy(attempts=3, first=1, factor=2, jitter=0))
        assert "nobody listens" in refused.error
        assert asyncio.get_running_loop().time() - began == pytest.approx(6, abs=0.1)
        enough = await alice.join([bob.local.address, nobody], retry=RetryPolicy(enough=1), timeout=100)
        assert [result.joined for result in enough] == [True, False]

    simulate(scenario)


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"first": 0.0}, {"maximum": 0.1}, {"jitter": 2.0}])
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError):
        RetryPolicy(**wrong)  # type: ignore[arg-type]


def test_a_join_that_is_tried_again_ends_when_the_member_is_closed() -> None:
    async def scenario(cluster: Cluster) -> None:
        alice = await cluster.member("alice")
        joining = asyncio.create_task(alice.join([Address("192.0.2.1", 1)], retry=RetryPolicy()))
        await asyncio.sleep(5)
        await alice.close()
        with pytest.raises(ClosedError):
            await joining

    simulate(scenario)


# -- requests


def test_a_question_is_answered_by_the_member_that_is_asked() -> None:
    async def answer(who: str, question: bytes) -> bytes:
        if question == b"why":
            raise AnswerError("there is no reason")
        return b"%s asked %s" % (who.encode(), question) + bytes(100_000)

    async def scenario(cluster: Cluster) -> None:
        alice = await cluster.member("alice")
        await cluster.member("bob", answer=answer)
        await alice.wait_for_members(2, timeout=10)
        assert (await alice.ask("bob", b"the time")).rstrip(b"\0") == b"alice asked the time"
        with pytest.raises(AnswerError, match="bob: there is no reason"):
            await alice.ask("bob", b"why")
        with pytest.raises(NotFoundError):
            await alice.ask("carol", b"the time")
        cluster.network.cut_off(alice.local.address)
        with pytest.raises(TimeoutError, match="bob did not answer within 2 s"):
            await alice.ask("bob", b"the time", timeout=2)

    simulate(scenario)


def test_what_another_member_answers_is_no_answer() -> None:
    """Whoever is asked can ask another one in the name of who asks, who then gets that answer."""

    async def answer(who: str, question: bytes) -> bytes:
        return b"of bob"

    async def scenario(cluster: Cluster) -> None:
        alice = await cluster.member("alice")
        await cluster.member("bob", answer=answer)
        mallory = await cluster.member("mallory")
        await mallory.wait_for_members(3, timeout=10)
        await alice.wait_for_members(3, timeout=10)

        async with mallory.events() as events:
            asked = asyncio.create_task(alice.ask("mallory", b"who are you", timeout=5))
            async for event in events:
                if isinstance(event, UserMessage):
                    await mallory.send_reliable("bob", event.payload)
                    break
            with pytest.raises(TimeoutError, match="mallory did not answer"):
                await asked
        assert counted(alice, "answers_refused") == 1

    simulate(scenario)


def test_text_is_refused_where_bytes_are_due() -> None:
    async def scenario(cluster: Cluster) -> None:
        alice = await cluster.member("alice")
        text: Any = "text"
        for give in (alice.broadcast, alice.update_meta, partial(alice.share, "state")):
            with pytest.raises(TypeError, match=r"has to be bytes, not str: encode it first"):
                give(text)
        with pytest.raises(TypeError, match="a message has to be bytes"):
            await alice.send_reliable("alice", text)
        with pytest.raises(TypeError, match="a question has to be bytes"):
            await alice.ask("alice", text)
        with pytest.raises(TypeError, match="a message has to be bytes, not int"):
            alice.send_best_effort("alice", 5)  # type: ignore[arg-type]

    simulate(scenario)


def test_a_handler_that_fails_is_a_word_to_who_asked() -> None:
    async def answer(who: str, question: bytes) -> bytes:
        raise RuntimeError("a secret")

    async def scenario(cluster: Cluster) -> None:
        alice = await cluster.member("alice")
        bob = await cluster.member("bob", answer=answer)
        await alice.wait_for_members(2, timeout=10)
        with pytest.raises(AnswerError, match="RuntimeError") as raised:
            await alice.ask("bob", b"")
        assert "secret" not in str(raised.value)
        assert counted(bob, "callback_errors") == 1

    simulate(scenario)


def test_questions_are_bounded_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "MAX_ANSWERING_OF_PEER", 2)
    monkeypatch.setattr(requests, "MAX_ASKED", 4)
    go_on = asyncio.Event()

    async def answer(who: str, question: bytes) -> bytes:
        await go_on.wait()
        return question

    async def scenario(cluster: Cluster) -> None:
        alice = await cluster.member("alice")
        bob = await cluster.member("bob", answer=answer)
        await alice.wait_for_members(2, timeout=10)
        asked = [asyncio.create_task(alice.ask("bob", b"%d" % n, timeout=5)) for n in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(TransportError, match="under way"):
            await alice.ask("bob", b"more")
        await until(lambda: counted(bob, "requests_rejected") == 2)
        go_on.set()
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(one, bytes) for one in outcomes) == 2
        assert sum(isinstance(one, TimeoutError) for one in outcomes) == 2

    simulate(scenario)


def test_the_bytes_of_questions_that_are_being_answered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "MAX_ANSWERING_BYTES_OF_PEER", 2000)
    go_on = asyncio.Event()

    async def answer(who: str, question: bytes) -> bytes:
        await go_on.wait()
        return b""

    async def scenario(cluster: Cluster) -> None:
        alice = await cluster.member("alice")
        bob = await cluster.member("bob", answer=answer)
        await alice.wait_for_members(2, timeout=10)
        asked = [asyncio.create_task(alice.ask("bob", bytes(900), timeout=5)) for _ in range(3)]
        await until(lambda: counted(bob, "requests_rejected") == 1)
        go_on.set()
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(outcome == b"" for outcome in outcomes) == 2
        assert await alice.ask("bob", bytes(1900), timeout=5) == b"", "what is answered is held no more"

    simulate(scenario)


def test_an_answer_that_nobody_waits_for_is_counted() -> None:
    async def answer(who: str, question: bytes) -> bytes:
        return b""

    async def scenario(cluster: Cluster) -> None:
        alice = await cluster.member("alice", answer=answer)
        bob = await cluster.member("bob")
        await bob.wait_for_members(2, timeout=10)
        await bob.send_reliable("alice", encode_envelope(Envelope(EnvelopeKind.ANSWER, b"", "bob")))
        await until(lambda: counted(alice, "answers_late") == 1)

    simulate(scenario)


# -- replicated state


def test_a_change_reaches_all_and_a_newcomer_gets_the_whole_state() -> None:
    async def scenario(cluster: Cluster) -> None:
        states = [Largest() for _ in range(6)]
        members = [
            await cluster.member(f"m{number}", states={"largest": state})
            for number, state in enumerate(states[:5])
        ]
        await members[0].wait_for_members(5, timeout=10)
        states[0].put(members[0], "a", 7)
        states[4].put(members[4], "b", 3)
        await until(lambda: all(state.numbers == {"a": 7, "b": 3} for state in states[:5]))
        await cluster.member("late", states={"largest": states[5]})
        assert states[5].numbers == {"a": 7, "b": 3}
        with pytest.raises(NotFoundError):
            members[0].share("other", b"")

    simulate(scenario)


def test_a_state_converges_over_a_bad_network_and_a_partition() -> None:
    async def scenario(cluster: Cluster) -> None:
        states = [Largest() for _ in range(6)]
        members = [
            await cluster.member(f"m{number}", states={"largest": state})
            for number, state in enumerate(states)
        ]
        await members[0].wait_for_members(6, timeout=60)
        cluster.network.loss, cluster.network.duplication = 0.3, 0.2
        addresses = [member.local.address for member in members]
        cluster.network.partition(addresses[:3], addresses[3:])
        states[0].put(members[0], "left", 1)
        states[5].put(members[5], "right", 1)
        await asyncio.sleep(5)
        cluster.network.heal()
        await until(lambda: all(set(state.numbers) == {"left", "right"} for state in states), 600)

    simulate(scenario, seed=3)


def test_a_change_too_large_for_a_packet_goes_by_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(cluster: Cluster) -> None:
        states = [Largest() for _ in range(4)]
        members = [
            await cluster.member(f"m{number}", states={"largest": state})
            for number, state in enumerate(states)
        ]
        await members[0].wait_for_members(4, timeout=10)
        many = json.dumps({f"key {number}": number for number in range(1, 500)}).encode()
        states[0].merge(many)
        members[0].share("largest", many)
        await until(lambda: all(len(state.numbers) == 499 for state in states))
        monkeypatch.setattr(services, "MAX_SPREADING", 0)
        members[0].share("largest", many)
        assert counted(members[0], "changes_dropped") == 1

    simulate(scenario)


def test_a_bad_state_is_refused_alone_and_told() -> None:
    async def scenario(cluster: Cluster) -> None:
        events: list[Event] = []
        state = Largest()
        alice = await cluster.member("alice", states={"largest": state}, on_event=events.append)
        bob = await cluster.member("bob", states={"largest": Largest(), "other": Largest()})
        await alice.wait_for_members(2, timeout=10)
        assert counted(alice, "states_unknown") == 1
        for bad in (b"[]", b"\xff"):
            bob.share("largest", bad)
        await bob.send_reliable("alice", b"\xf5TG1\x63")
        await until(lambda: counted(alice, "states_refused") >= 3)
        assert {event.reason for event in events if isinstance(event, ProtocolError)} == {"state", "envelope"}
        state.put(alice, "a", 1)  # goes on

    simulate(scenario)


def test_a_merge_that_fails_stops_nothing() -> None:
    class Broken(Largest):
        def merge(self, payload: bytes) -> bytes:
            raise RuntimeError

    async def scenario(cluster: Cluster) -> None:
        alice = await cluster.member("alice", states={"largest": Broken()})
        bob = await cluster.member("bob", states={"largest": Largest()})
        await bob.wait_for_members(2, timeout=10)
        assert counted(alice, "callback_errors") == 1

    simulate(scenario)


def test_a_state_of_ones_own_and_replicated_states_exclude_each_other() -> None:
    async def main() -> None:
        with pytest.raises(UserError, match="either"):
            Gossip(
                GossipConfig.lan(),
                MemoryTransport(MemoryNetwork()),
                name="a",
                states={"largest": Largest()},
                local_state=lambda join: b"",
            )

    run(main)
