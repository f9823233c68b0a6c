"""Tocsin members ask each other what they know of alerts, within bounds of number, size and time."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.recorded import RecordedPipeline
from tests.support.routing import T0, alert
from tests.support.transports import eventually
from tocsin.alerting.explain.knowledge import Knowledge
from tocsin.alerting.explain.messages import Answered, Asked, decode_message, encode_answer, encode_question
from tocsin.alerting.explain.question import Question
from tocsin.alerting.protocol.parts import decode_part
from tocsin.errors import TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.core.effects import UserMessage
from tocsin.gossip.peer import PeerIdentity
from tocsin.node.cluster import asking
from tocsin.node.cluster.asking import Asking
from tocsin.node.cluster.capability import META
from tocsin.node.log import Logger

HOST = Address("127.0.0.1", 1)
LINE = UserMessage(b"", HOST, PeerIdentity("line", frozenset(), HOST.host))
QUESTION = Question(fingerprints=frozenset({7}))


class Line:
    """What a node needs of gossip: its members, and a way to send to them."""

    def __init__(self, *members: str) -> None:
        self.members = dict.fromkeys(members, META)
        self.others: dict[str, Asking] = {}
        self.sent: list[bytes] = []
        self.endpoint = SimpleNamespace(member=self._member, speaks_for=self._speaks_for)

    def _member(self, name: str) -> Any:
        if name not in self.members:
            return None
        return SimpleNamespace(name=name, address=HOST, meta=self.members[name])

    def _speaks_for(self, name: str, peer: PeerIdentity | None) -> bool:
        return peer is None or peer.host == HOST.host

    async def send_reliable(self, member: str, part: bytes) -> None:
        self.sent.append(part)
        if member not in self.others:
            raise TransportError(f"sending to {member}: connection refused")
        asyncio.get_running_loop().call_soon(self.others[member].receive, decode_part(part)[1], LINE)


class Node:
    """What a node knows is what it sent; ``free``: whether it may look."""

    def __init__(self, name: str, line: Line) -> None:
        self.asked: list[Question] = []
        self.free = asyncio.Event()
        self.free.set()
        world = RecordedPipeline(node=name)
        world.start(alert(alertname="A"))
        world.succeed(T0)
        self.known = Knowledge(node=name, records=tuple(world.told))
        log = Logger("test")
        self.asking = Asking(name, line, self._answer, log, ready=self._ready)  # type: ignore[arg-type]

    async def _ready(self) -> None:
        """There is nothing to load."""

    async def _answer(self, question: Question) -> Knowledge:
        self.asked.append(question)
        await self.free.wait()
        return self.known


def pair() -> tuple[Node, Node, Line, Line]:
    here, there = Line("b"), Line("a")
    a, b = Node("a", here), Node("b", there)
    here.others["b"], there.others["a"] = b.asking, a.asking
    return a, b, here, there


def test_a_member_tells_what_it_knows() -> None:
    async def story() -> None:
        a, b, _, _ = pair()
        assert await a.asking.ask(["b"], QUESTION) == {"b": b.known}
        assert b.asked == [QUESTION]
        assert b.asking.statistics.questions_answered == 1

    asyncio.run(story())


def test_an_answer_of_another_member_than_was_asked_is_none() -> None:
    async def story() -> None:
        a, b, here, _ = pair()
        b.free.clear()
        asked = asyncio.create_task(a.asking.ask(["b"], QUESTION))
        await eventually(lambda: bool(b.asked))
        _, question = decode_part(here.sent[0])
        exchange = decode_message(question).exchange
        stranger = UserMessage(b"", HOST, PeerIdentity("mallory", frozenset(), "127.0.0.9"))
        a.asking.receive(encode_answer(Answered(exchange, Knowledge(node="b"))), stranger)
        assert a.asking.statistics.messages_refused == 1
        b.free.set()
        assert await asked == {"b": b.known}, "it waits for the one that was asked"

    asyncio.run(story())


def test_each_member_tells_of_itself_whatever_name_it_gives() -> None:
    async def story() -> None:
        a, b, _, _ = pair()
        b.known = Knowledge(node="c", records=Node("c", Line()).known.records)
        found = (await a.asking.ask(["b"], QUESTION))["b"]
        assert isinstance(found, Knowledge)
        assert (found.node, [record.node for record in found.records]) == ("b", ["b"])

    asyncio.run(story())


def test_who_does_not_answer_and_who_cannot_be_reached_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ANSWER_TIMEOUT", 0.2)

    async def story() -> None:
        a, b, _, _ = pair()
        b.free.clear()
        found = await a.asking.ask(["b", "gone"], QUESTION)
        assert found == {"b": asking.NO_ANSWER, "gone": "sending to gone: connection refused"}
        assert a.asking.statistics.peers_unanswered == 2
        assert not a.asking._waiting
        await b.asking.close()

    asyncio.run(story())


def test_so_many_are_asked_at_once() -> None:
    async def story() -> None:
        a, b, here, _ = pair()
        members = ["b", *(f"x{number}" for number in range(asking.MAX_PEERS + 3))]
        found = await a.asking.ask(members, QUESTION)
        assert found["b"] == b.known
        assert len(here.sent) == asking.MAX_PEERS
        assert found[members[-1]] == f"only {asking.MAX_PEERS} are asked at once"

    asyncio.run(story())


def test_a_peer_that_asks_without_end_is_answered_so_often_and_others_are_too() -> None:
    async def story() -> None:
        a, b, _, _ = pair()
        b.free.clear()
        rude = UserMessage(b"", HOST, PeerIdentity("rude", frozenset(), HOST.host))
        question = encode_question(Asked(1, "a", QUESTION))
        for _ in range(asking.MAX_ANSWERING_PEER + 5):
            b.asking.receive(question, rude)
        assert b.asking.statistics.questions_dropped == 5
        asked = asyncio.create_task(a.asking.ask(["b"], QUESTION))
        await eventually(lambda: len(b.asked) == asking.MAX_ANSWERING_PEER + 1)
        b.free.set()
        assert (await asked)["b"] == b.known
        await eventually(lambda: not b.asking._answering)

    asyncio.run(story())


def test_nobody_is_answered_who_is_no_tocsin_member() -> None:
    async def story() -> None:
        _, b, _, there = pair()
        there.members["go"] = b""
        for sender in ("stranger", "go"):
            b.asking.receive(encode_question(Asked(1, sender, QUESTION)), LINE)
        await eventually(lambda: b.asking.statistics.questions_dropped == 2)
        assert (b.asked, there.sent) == ([], [])

    asyncio.run(story())


def test_what_is_no_message_is_refused_and_counted() -> None:
    async def story() -> None:
        a, b, _, _ = pair()
        b.asking.receive(b"nonsense", LINE)
        b.asking.receive(bytes((1, 1)) + bytes(asking.MAX_QUESTION_BYTES), LINE)
        b.asking.receive(bytes((1, 1)) + bytes(20), LINE)
        await eventually(lambda: b.asking.statistics.messages_refused == 3)
        a.asking.receive(encode_answer(Answered(99, b.known)), LINE)  # to nothing that was asked
        assert a.asking.statistics.messages_refused == 0

    asyncio.run(story())


def test_an_answer_that_is_none_ends_the_waiting() -> None:
    async def story() -> None:
        a, b, _, _ = pair()
        b.free.clear()
        asked = asyncio.create_task(a.asking.ask(["b"], QUESTION))
        await eventually(lambda: bool(a.asking._waiting))
        (exchange,) = a.asking._waiting
        a.asking.receive(bytes((1, 2)) + exchange.to_bytes(8, "big"), LINE)
        assert "cut off or too long" in str((await asked)["b"])
        await b.asking.close()

    asyncio.run(story())
