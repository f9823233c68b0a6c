"""Questions that come before their sender is known are answered once it is, not lost."""

from __future__ import annotations

import asyncio
from random import Random
from types import SimpleNamespace
from typing import Any

from tests.support.transports import eventually
from tocsin.alerting.protocol.parts import decode_part
from tocsin.alerting.silence import Silences
from tocsin.gossip.address import Address
from tocsin.node.clock import Clock
from tocsin.node.cluster import antientropy
from tocsin.node.cluster.antientropy import MAX_EARLY, AntiEntropy
from tocsin.node.cluster.capability import META
from tocsin.node.cluster.inbox import Inbox
from tocsin.node.log import Logger


class Line:
    """What a node needs of gossip: its members, and a way to send that loses nothing."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.others: dict[str, AntiEntropy] = {}
        self.endpoint = SimpleNamespace(member=self._member)
        self.streams = 0

    def _member(self, name: str) -> Any:
        known = SimpleNamespace(name=name, address=Address("127.0.0.1", 1), meta=META)
        return known if name in self.known else None

    def send_best_effort(self, member: str, part: bytes) -> None:
        asyncio.get_running_loop().call_soon(self.others[member].receive, decode_part(part)[1], "line")

    async def send_reliable(self, member: str, part: bytes) -> None:
        self.streams += 1
        self.send_best_effort(member, part)


def node(name: str, line: Line) -> AntiEntropy:
    clock, log = Clock(), Logger("test")
    states = {"sil": Silences(10**12, random=Random(0))}
    inbox = Inbox(states, clock=clock, log=log, on_merged=lambda _: None, relay=lambda *_: None)
    replicas = {key: state.replicated for key, state in states.items()}
    return AntiEntropy(name, replicas, line, inbox, clock=clock, log=log, on_heard=lambda _: None)  # type: ignore[arg-type]


def test_a_question_is_answered_as_soon_as_its_sender_is_a_member() -> None:
    async def story() -> None:
        here, there = Line(), Line()
        a, b = node("a", here), node("b", there)
        here.others["b"], there.others["a"] = b, a
        here.known.add("b")  # a has met b, and b knows nothing of a yet
        exchange = asyncio.create_task(a.resync("b"))
        await eventually(lambda: b.statistics.questions_early == 1)
        assert not exchange.done()
        there.known.add("a")
        b.met("a")
        outcome = await exchange
        assert outcome is not None
        assert outcome.agreed
        assert here.streams == 0  # it was the packet that was answered, not a second question by stream
        b.met("a")  # answered once
        assert (a.statistics.messages_received, b.statistics.messages_received) == (1, 1)

    asyncio.run(story())


def test_early_questions_are_bounded_and_grow_old(monkeypatch: Any) -> None:
    async def story() -> None:
        line = Line()
        late = node("late", line)
        for number in range(MAX_EARLY + 3):
            asking = Line()
            asking.known.add("late")
            asking.others["late"] = late
            asker = node(f"asker-{number}", asking)
            task = asyncio.create_task(asker.resync("late"))
            wanted = number + 1
            await eventually(lambda: late.statistics.questions_early == wanted)  # noqa: B023
            task.cancel()
            await asker.close()
        assert (len(late._early), late.statistics.answers_dropped) == (MAX_EARLY, 3)
        monkeypatch.setattr(antientropy, "ANSWER_TIMEOUT", 0.0)
        line.known.add("asker-5")
        late.met("asker-5")
        assert late._answering == 0
        assert len(late._early) == MAX_EARLY - 1
        await late.close()

    asyncio.run(story())
