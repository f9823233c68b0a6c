"""Questions that come before their sender is known are answered once it is, not lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.replicas import HOUR, silence
from tests.support.transports import eventually
from tocsin.alerting.digest import exchange as exchange_module
from tocsin.alerting.digest import responder as responder_module
from tocsin.alerting.digest.exchange import Exchange
from tocsin.alerting.digest.memory import Memory
from tocsin.alerting.digest.messages import Envelope, Message, Transfer, encode
from tocsin.alerting.digest.tree import cutoff_of, identity_of
from tocsin.alerting.protocol.parts import decode_part
from tocsin.alerting.silence import Silence, Silences, make_matcher_sets
from tocsin.gossip.address import Address
from tocsin.gossip.core.effects import UserMessage
from tocsin.gossip.core.steps import Steps, finished
from tocsin.gossip.peer import PeerIdentity, account_of
from tocsin.node.clock import Clock
from tocsin.node.cluster import antientropy
from tocsin.node.cluster.antientropy import MAX_ANSWERING_PEER, MAX_EARLY, AntiEntropy
from tocsin.node.cluster.capability import META
from tocsin.node.cluster.inbox import Inbox
from tocsin.node.log import Logger

LINE = UserMessage(b"", Address("127.0.0.1", 2))


class Line:
    """What a node needs of gossip: its members, and a way to send that loses nothing."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.others: dict[str, AntiEntropy] = {}
        self.endpoint = SimpleNamespace(member=self._member, speaks_for=self._speaks_for)
        self.source = LINE
        self.streams = 0
        self.free = asyncio.Event()
        self.free.set()

    def _member(self, name: str) -> Any:
        known = SimpleNamespace(name=name, address=Address("127.0.0.1", 1), meta=META)
        return known if name in self.known else None

    def _speaks_for(self, _name: str, peer: PeerIdentity | None) -> bool:
        return peer is None or peer.host == "127.0.0.1"

    def send_best_effort(self, member: str, part: bytes) -> None:
        asyncio.get_running_loop().call_soon(self.others[member].receive, decode_part(part)[1], self.source)

    async def run_steps(self, event: UserMessage, work: Steps[bytes]) -> bytes:
        await self.free.wait()
        answer: bytes = finished(work)
        return answer

    async def send_reliable(self, member: str, part: bytes) -> None:
        self.streams += 1
        self.send_best_effort(member, part)


def node(name: str, line: Line, on_heard: Callable[[str], None] = lambda _: None) -> AntiEntropy:
    clock, log = Clock(), Logger("test")
    states = {"sil": Silences(10**12, random=Random(0))}
    inbox = Inbox(states, clock=clock, log=log, on_merged=lambda _: None, relay=lambda *_: None)
    replicas = {key: state.replicated for key, state in states.items()}
    return AntiEntropy(name, replicas, line, inbox, clock=clock, log=log, on_heard=on_heard)  # type: ignore[arg-type]


def test_a_member_that_asks_for_entries_counts_as_heard() -> None:
    """It is alive: who settles waits for it, though its own exchange gives way to it."""

    async def story() -> None:
        heard: list[str] = []
        there = Line()
        b = node("b", there, heard.append)
        there.others["a"] = node("a", Line())
        there.known.add("a")
        b.receive(encode(Message(Envelope("a", 5, 1), Transfer("sil", (), (), b""))), there.source)
        assert heard == ["a"]
        await b.close()

    asyncio.run(story())


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
        b.member_seen("a")
        outcome = await exchange
        assert outcome is not None
        assert outcome.agreed
        assert here.streams == 0  # it was the packet that was answered, not a second question by stream
        b.member_seen("a")  # answered once
        assert (a.statistics.messages_received, b.statistics.messages_received) == (1, 1)

    asyncio.run(story())


def test_a_peer_that_asks_without_end_is_answered_so_often_and_does_not_keep_others_from_it() -> None:
    async def story() -> None:
        here, there = Line(), Line()
        a, b = node("a", here), node("b", there)
        here.others["b"], there.others["a"] = b, a
        here.known.add("b")
        there.known.add("a")
        there.free.clear()  # b is busy
        question = encode(Exchange("a", a._replicas, Memory(), 1, 1).request(1))
        rude = UserMessage(b"", LINE.source, PeerIdentity("rude", frozenset(), LINE.source.host))
        for _ in range(MAX_ANSWERING_PEER + 5):
            b.receive(question, rude)
        assert b.statistics.answers_dropped == 5
        exchange = asyncio.create_task(a.resync("b"))
        await eventually(lambda: b._answering.total == MAX_ANSWERING_PEER + 1)
        there.free.set()
        outcome = await exchange
        assert outcome is not None
        assert outcome.agreed
        await eventually(lambda: not b._answering)
        assert b.statistics.answers_dropped == 5

    asyncio.run(story())


def test_whoever_asks_in_anothers_name_pays_many_times_for_it(monkeypatch: Any) -> None:
    """The answer goes to the other one, who has to read it."""

    async def story() -> None:
        here, there = Line(), Line()
        a, b = node("a", here), node("b", there)
        there.others["a"] = a
        there.known.add("a")
        charged: list[tuple[Any, float]] = []
        b._allowance = SimpleNamespace(  # type: ignore[assignment]
            charge=lambda accounted_peer, seconds, _: charged.append((accounted_peer, seconds)),
            wait=lambda *_: 0.0,
        )
        monkeypatch.setattr(antientropy, "perf_counter", count().__next__)  # each answer takes a second
        question = encode(Exchange("a", a._replicas, Memory(), 1, 1).request(1))
        payers = [PeerIdentity("certificate", frozenset(), host) for host in ("127.0.0.1", "10.9.9.9")]
        for accounted_peer in payers:
            b.receive(question, UserMessage(b"", LINE.source, accounted_peer))
        await eventually(lambda: not b._answering)
        assert [payer for payer, _ in charged] == [account_of(payer) for payer in payers]
        assert [cost for _, cost in charged] == pytest.approx([1, antientropy.OTHER_HOST], rel=1e-3)

    asyncio.run(story())


def test_who_asks_for_large_entries_pays_for_their_bytes(monkeypatch: Any) -> None:
    """A question of fifty bytes may have a megabyte sent, to whom it names."""

    async def story() -> None:
        there = Line()
        b = node("b", there)
        there.others["a"] = node("a", Line())
        there.known.add("a")
        now = Clock().now()
        large = silence("large", now, now + HOUR, comment="x" * 500_000)
        b._replicas["sil"].merge(large, now)  # type: ignore[attr-defined]
        charged: list[float] = []
        b._allowance = SimpleNamespace(  # type: ignore[assignment]
            charge=lambda _peer, seconds, _now: charged.append(seconds), wait=lambda *_: 0.0
        )
        monkeypatch.setattr(antientropy, "perf_counter", lambda: 0.0)  # and it takes no time
        wanted = Transfer("sil", (identity_of(b"large"),), (), b"")
        b.receive(encode(Message(Envelope("a", 5, cutoff_of(now)), wanted)), LINE)
        await eventually(lambda: not b._answering)
        assert charged[0] >= len(large) / antientropy.ANSWER_BYTES
        await b.close()

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
        late.member_seen("asker-5")
        assert not late._answering
        assert len(late._early) == MAX_EARLY - 1
        await late.close()

    asyncio.run(story())


def test_an_answer_of_another_member_than_was_asked_is_none(monkeypatch: Any) -> None:
    """As if it agreed with us about everything: we would take ourselves for complete."""
    monkeypatch.setattr(antientropy, "ANSWER_TIMEOUT", 0.05)
    monkeypatch.setattr(antientropy, "STREAM_ANSWER_TIMEOUT", 0.05)

    async def story() -> None:
        line = Line()
        line.known = {"here", "there"}
        here, there = node("here", line), node("there", line)
        line.others = {"here": here, "there": there}
        outcome = await here.resync("there")
        assert outcome is not None
        assert outcome.agreed
        line.source = UserMessage(b"", Address("127.0.0.2", 2), PeerIdentity("", frozenset(), "127.0.0.2"))
        assert await here.resync("there") is None
        assert here.statistics.messages_refused > 0
        await here.close()
        await there.close()

    asyncio.run(story())


def test_two_that_ask_each_other_at_the_same_moment_pass_everything_once(monkeypatch: Any) -> None:
    """As the two sides of a join do: one of them waits for the other's exchange."""
    for module in (exchange_module, responder_module):
        monkeypatch.setattr(module, "ENTRY_BYTES_AT_ONCE", 8192)
    nonces: list[int] = []

    class Noted(Exchange):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            nonces.append(self.nonce)

    monkeypatch.setattr(antientropy, "Exchange", Noted)

    async def story(full: str) -> None:
        here, there = Line(), Line()
        a, b = node("a", here), node("b", there)
        here.others["b"], there.others["a"] = b, a
        here.known.add("b")
        there.known.add("a")
        now = Clock().now()
        made = Silences(10**12, random=Random(0))
        for number in range(500):
            matchers = make_matcher_sets([[(0, "host", f"host-{number}")]])
            made.set(Silence("", matchers, now, now + 10**12), now)
        giver, taker = (a, b) if full == "a" else (b, a)
        giver._replicas["sil"].merge(made.encode_state(), now)  # type: ignore[attr-defined]
        outcomes = await asyncio.gather(a.resync("b"), b.resync("a"))
        assert all(outcome is not None and outcome.agreed for outcome in outcomes)
        assert taker._replicas["sil"].digests.view(0).root == giver._replicas["sil"].digests.view(0).root
        passed = [each.statistics for each in (a, b)]
        total = sum(each.entry_bytes_received + each.entry_bytes_given for each in passed)
        assert made.total_bytes <= total < made.total_bytes + 3 * 8192

    asyncio.run(story("a"))
    asyncio.run(story("b"))
    assert len(nonces) > 4, "who gave way began anew"
    assert len(set(nonces)) == len(nonces), "and took no late answer for one to that"


@pytest.mark.parametrize("asking", ["full", "empty"])
def test_the_next_entries_are_gathered_while_the_last_ones_are_merged(asking: str, monkeypatch: Any) -> None:
    """Whichever side asks: else each waits for the other all the time."""
    for module in (exchange_module, responder_module):
        monkeypatch.setattr(module, "ENTRY_BYTES_AT_ONCE", 128 * 1024)

    async def story() -> None:
        lines = {"full": Line(), "empty": Line()}
        nodes = {name: node(name, line) for name, line in lines.items()}
        for line in lines.values():
            line.others, line.known = nodes, set(nodes)
        now = Clock().now()
        made = Silences(10**12, random=Random(0))
        for number in range(3000):
            matchers = make_matcher_sets([[(0, "host", f"host-{number}")]])
            made.set(Silence("", matchers, now, now + 10**12), now)
        full, empty = (each._replicas["sil"] for each in nodes.values())
        full.merge(made.encode_state(), now)  # type: ignore[attr-defined]
        merging: list[bool] = []
        encoded = full.encoded

        def noted(identity: bytes) -> bytes | None:
            merging.append(not nodes["empty"]._inbox.idle)
            return encoded(identity)

        monkeypatch.setattr(full, "encoded", noted)
        (other,) = set(nodes) - {asking}
        outcome = await nodes[asking].resync(other)
        assert outcome is not None
        assert outcome.agreed
        assert outcome.rounds == 2, "it agreed once all was merged, not before"
        assert outcome.given + outcome.received == made.total_bytes
        assert empty.digests.view(0).root == full.digests.view(0).root
        assert merging.count(True) > merging.count(False)

    asyncio.run(story())


def test_who_asks_for_entries_without_end_keeps_our_own_exchange_waiting_for_a_while(
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr(antientropy, "MAX_GIVE_WAY", 0.05)

    async def story() -> None:
        here, there = Line(), Line()
        a, b = node("a", here), node("b", there)
        here.others["b"], there.others["a"] = b, a
        here.known.add("b")
        there.known.add("a")
        asking = encode(Message(Envelope("a", 5, 1), Transfer("sil", (), (), b"")))
        exchange = asyncio.create_task(b.resync("a"))

        async def ask() -> None:
            while not exchange.done():
                b.receive(asking, there.source)
                await asyncio.sleep(0.001)

        b.receive(asking, there.source)
        _, outcome = await asyncio.gather(ask(), exchange)
        assert outcome is not None
        assert outcome.agreed

    asyncio.run(story())
