"""Carries exchanges of digests between Tocsin nodes, over packets where they fit and streams where not."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Generator, Hashable, Mapping
from contextlib import suppress
from dataclasses import field
from time import perf_counter
from typing import Final, TypeVar

from tocsin.aio import Tasks
from tocsin.alerting.digest.exchange import Exchange, Outcome
from tocsin.alerting.digest.memory import Memory
from tocsin.alerting.digest.messages import (
    Leaves,
    Message,
    Same,
    Summary,
    Transfer,
    decode,
    deflating,
    encode,
)
from tocsin.alerting.digest.replica import Replica
from tocsin.alerting.digest.responder import Responder
from tocsin.alerting.protocol.parts import encode_part
from tocsin.bounded import Allowance, Quota
from tocsin.dataclass import dataclass
from tocsin.errors import StateError, TocsinError
from tocsin.gossip.address import Address
from tocsin.gossip.core.effects import UserMessage
from tocsin.gossip.core.steps import Steps
from tocsin.gossip.gossip import Gossip
from tocsin.node.clock import Clock
from tocsin.node.cluster.capability import speaks_tocsin, takes_deflated
from tocsin.node.cluster.inbox import Inbox
from tocsin.node.log import Logger

KEY: Final = "tcn.digest"
"""The Part key of the messages. Alertmanager would ignore it; it is never sent one."""

PACKET_BYTES: Final = 1_000
"""Bytes of a message up to which it goes in a packet."""
ANSWER_TIMEOUT: Final = 2.0
"""Seconds for an answer. A question in a packet is then asked once more, by stream."""
STREAM_ANSWER_TIMEOUT: Final = 10.0
LEAST_INTERVAL: Final = 1.0
"""Seconds between the beginnings of two exchanges with the same member."""
GIVE_WAY: Final = 2.0
MAX_GIVE_WAY: Final = 60.0
"""Seconds since a member has asked for entries, and in all, for which our own exchange with it waits: where
both sides of a join exchange at the same moment, all that differs would pass twice. Of two members the one
with the later name waits; what it lacks comes by the other's exchange."""
MAX_ANSWERING: Final = 64
MAX_ANSWERING_PEER: Final = 16
"""Questions that are being answered, of all and of one peer."""
MAX_EARLY: Final = 16
"""Small questions of senders that are not members yet which are kept, the newest of each sender. Of nodes
that start together one is often asked by others before it knows them, and a lost question costs
ANSWER_TIMEOUT."""
SHARE: Final = 1 / 3
BURST: Final = 0.1
"""Of a processor, and seconds at once, that answers to one peer may take; more answers wait."""
ANSWER_BYTES: Final = 64 << 20
"""Of answers that count as a second of work, to send and to read: a question of fifty bytes may ask for an
entry of a megabyte, which is found in no time."""
OTHER_HOST: Final = 20
"""Weight of an answer's cost when its question came from another host than the member it names: a node may
have several addresses, but a peer that asks in another's name makes two nodes work."""

StepsT = TypeVar("StepsT")
_NOWHERE: Final = Address("0.0.0.0", 0)
"""Stands for a member that was forgotten while it answered."""


@dataclass(slots=True)
class AntiEntropyStatistics:
    """Counters."""

    exchanges: Counter[str] = field(default_factory=Counter)
    """Exchanges that we began, by how they ended: "agreed", "unfinished", "failed"."""
    messages_sent: int = 0
    message_bytes_sent: int = 0
    messages_received: int = 0
    messages_refused: int = 0
    answers_dropped: int = 0
    """Questions past MAX_ANSWERING (MAX_ANSWERING_PEER) at the same time, or past MAX_EARLY."""
    questions_early: int = 0
    """Questions that came before their sender was a member."""
    entry_bytes_received: int = 0
    entry_bytes_given: int = 0
    entries_removed: int = 0
    entries_declined: int = 0


@dataclass(slots=True)
class _Peer:
    memory: Memory = field(default_factory=Memory)
    began: float = float("-inf")
    ended: float | None = None
    """When the last completed exchange ended."""
    agreed: bool = False
    """Whether both states were equal then."""
    running: asyncio.Task[Outcome | None] | None = None
    asked: float = float("-inf")
    """When the member last asked us for entries."""
    unmerged: bool = False
    """Whether entries came with its last question, which may not be merged yet."""
    level: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the member's own exchange with us is over."""


class AntiEntropy:
    """Begins exchanges with other members, and answers theirs. ``on_heard(member)`` is called with each
    answer."""

    def __init__(
        self,
        name: str,
        replicas: Mapping[str, Replica],
        gossip: Gossip,
        inbox: Inbox,
        *,
        clock: Clock,
        log: Logger,
        on_heard: Callable[[str], None],
    ) -> None:
        self.statistics = AntiEntropyStatistics()
        self._name = name
        self._replicas = replicas
        self._responder = Responder(name, replicas)
        self._gossip = gossip
        self._inbox = inbox
        self._clock = clock
        self._log = log
        self._on_heard = on_heard
        self._loop = asyncio.get_running_loop()
        self._peers: dict[str, _Peer] = {}
        self._waiting: dict[int, tuple[str, asyncio.Future[Message]]] = {}
        self._answering: Quota[Hashable] = Quota(MAX_ANSWERING_PEER, MAX_ANSWERING)
        self._early: dict[str, tuple[float, Message, UserMessage]] = {}
        self._allowance = Allowance(SHARE, BURST)
        self._tasks = Tasks(lambda error: log.error("an exchange of digests failed", error=repr(error)))
        self._random = random.SystemRandom()

    async def resync(self, member: str) -> Outcome | None:
        """Exchange digests with a Tocsin member, then what differs; None if that failed.

        While an exchange with the member runs, further callers get its outcome.
        """
        peer = self._peers.setdefault(member, _Peer())
        if peer.running is None:
            peer.running = self._tasks.spawn(self._run(member, peer))
        return await asyncio.shield(peer.running)

    def last(self, member: str) -> tuple[float, bool] | None:
        """When the last exchange with a member that we began has ended, by the event loop's time, and whether
        both had the same then; None: there was none."""
        peer = self._peers.get(member)
        return (peer.ended, peer.agreed) if peer is not None and peer.ended is not None else None

    def receive(self, data: bytes, event: UserMessage) -> None:
        """The data of a message with our key."""
        self.statistics.messages_received += 1
        try:
            message = decode(data)
        except StateError as error:
            self._refused(error, str(event.source))
            return
        if not isinstance(message.body, Summary | Leaves | Transfer):
            member, waiting = self._waiting.get(message.envelope.exchange, ("", None))
            if waiting is None or waiting.done():
                return
            if not self._gossip.endpoint.speaks_for(member, event.peer):
                self._refused(StateError("an answer of another member than was asked"), str(event.source))
                return
            waiting.set_result(message)
        elif self._known(message.envelope.sender):
            self._begin_answer(message, event)
        elif len(data) <= PACKET_BYTES:
            self.statistics.questions_early += 1
            self._early.pop(message.envelope.sender, None)
            if len(self._early) >= MAX_EARLY:
                del self._early[next(iter(self._early))]
                self.statistics.answers_dropped += 1
            self._early[message.envelope.sender] = self._loop.time(), message, event

    def member_seen(self, member: str) -> None:
        """There is a new live member, which may have asked already."""
        question = self._early.pop(member, None)
        if question is None or not self._known(member):
            return
        came, message, event = question
        if self._loop.time() - came < ANSWER_TIMEOUT:
            self._begin_answer(message, event)

    def _begin_answer(self, message: Message, event: UserMessage) -> None:
        sender = message.envelope.sender
        if not isinstance(message.body, Summary) and self._gossip.endpoint.speaks_for(sender, event.peer):
            peer = self._peers.setdefault(sender, _Peer())
            peer.asked = self._loop.time()
            peer.level.clear()
            self._on_heard(
                sender
            )  # The member is alive: settling goes on waiting for it while our exchange waits.
        if self._answering.acquire(event.accounted_peer):
            self._tasks.spawn(self._answer(message, event))
        else:
            self.statistics.answers_dropped += 1

    def forget(self, member: str) -> None:
        """The member is gone."""
        peer = self._peers.get(member)
        if peer is not None and peer.running is None:
            del self._peers[member]

    async def close(self) -> None:
        """Stop all exchanges."""
        await self._tasks.cancel()

    # -- within

    async def _run(self, member: str, peer: _Peer) -> Outcome | None:
        try:
            await asyncio.sleep(peer.began + LEAST_INTERVAL - self._loop.time())
            peer.began = self._loop.time()
            until = self._loop.time() + MAX_GIVE_WAY
            while True:
                nonce = self._random.getrandbits(64)  # A late answer to an earlier question is none to this.
                exchange = Exchange(self._name, self._replicas, peer.memory, nonce, self._clock.now())
                if await self._drive(member, exchange, peer, until):
                    break
                await self._give_way(peer, until)
        except (TocsinError, TimeoutError) as error:
            self.statistics.exchanges["failed"] += 1
            self._log.debug("exchange of digests failed", peer=member, error=str(error) or "no answer")
            return None
        finally:
            peer.running = None
        outcome, statistics = exchange.outcome, self.statistics
        peer.ended, peer.agreed = self._loop.time(), outcome.agreed
        statistics.exchanges["agreed" if outcome.agreed else "unfinished"] += 1
        statistics.entry_bytes_received += outcome.received
        statistics.entry_bytes_given += outcome.given
        statistics.entries_removed += outcome.removed
        statistics.entries_declined += outcome.declined
        return outcome

    def _is_second(self, member: str, peer: _Peer, until: float) -> bool:
        now = self._loop.time()
        return self._name > member and now - peer.asked < GIVE_WAY and now < until

    async def _give_way(self, peer: _Peer, until: float) -> None:
        """Wait until the member's own exchange is over."""
        while (left := min(peer.asked + GIVE_WAY, until) - self._loop.time()) > 0 and not peer.level.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await peer.level.wait()
        peer.asked = float("-inf")

    async def _drive(self, member: str, exchange: Exchange, peer: _Peer, until: float) -> bool:
        """Ask until the exchange is over; False if the member's own one goes first.

        Where the next question does not depend on what has come, it is sent before that is merged: the member
        gathers the next entries meanwhile. No more than these wait.
        """
        asking: asyncio.Task[Message] | None = None
        try:
            while not exchange.finished:
                if asking is None:
                    if self._is_second(member, peer, until):
                        return False
                    asking = self._begin_to_ask(member, exchange)
                answer = await asking
                asking = None
                self._on_heard(member)
                await self._inbox.merged(self._address(member).host)
                await self._in_steps(exchange.receiving(answer, self._clock.now()))
                for key, entries in exchange.entries():
                    self._inbox.update(key, entries, self._address(member))
                await asyncio.sleep(0)
                if exchange.goes_on and not self._is_second(member, peer, until):
                    asking = self._begin_to_ask(member, exchange)
                else:
                    await self._inbox.merged(self._address(member).host)
        finally:
            if asking is not None:
                asking.cancel()
                await asyncio.wait([asking])
                if not asking.cancelled():
                    asking.exception()  # The exchange has ended for another reason, which is reported.
        return True

    def _begin_to_ask(self, member: str, exchange: Exchange) -> asyncio.Task[Message]:
        return self._loop.create_task(self._pack_and_ask(member, exchange))

    async def _pack_and_ask(self, member: str, exchange: Exchange) -> Message:
        question = encode(await self._in_steps(exchange.requesting(self._clock.now())))
        return await self._ask(member, exchange.nonce, await self._in_steps(self._packing(question, member)))

    @staticmethod
    async def _in_steps(steps: Generator[None, None, StepsT]) -> StepsT:
        while True:
            await asyncio.sleep(0)
            try:
                next(steps)
            except StopIteration as done:
                result: StepsT = done.value
                return result

    def _packing(self, message: bytes, name: str) -> Generator[None, None, bytes]:
        """Compress a message that does not fit into a packet, for members that understand that."""
        member = self._gossip.endpoint.member(name) if len(message) > PACKET_BYTES else None
        if member is None or not takes_deflated(member.meta):
            return message
        yield
        return (yield from deflating(message))

    async def _ask(self, member: str, nonce: int, question: bytes) -> Message:
        answer: asyncio.Future[Message] = self._loop.create_future()
        self._waiting[nonce] = (member, answer)
        try:
            if len(question) <= PACKET_BYTES:
                await self._send(member, question)
                try:
                    return await asyncio.wait_for(asyncio.shield(answer), ANSWER_TIMEOUT)
                except TimeoutError:
                    pass
            async with asyncio.timeout(STREAM_ANSWER_TIMEOUT):
                await self._send(member, question, by_stream=True)
                return await answer
        finally:
            del self._waiting[nonce]

    async def _answer(self, message: Message, event: UserMessage) -> None:
        sender = message.envelope.sender
        try:
            peer = self._peers.get(sender)
            # Leaves are asked for before what is in others is merged.
            if peer is not None and peer.unmerged and not isinstance(message.body, Leaves):
                await self._inbox.merged(self._address(sender).host)
                peer.unmerged = False
            given = self._responder.entries(message)
            if given is not None:
                self._inbox.update(*given, self._address(sender))
                if peer is None:
                    await self._inbox.merged(self._address(sender).host)
                else:  # The member gathers the next ones meanwhile; its next question waits for these.
                    peer.unmerged = True
            await self._send(sender, await self._answer_to(message, event))
        except StateError as error:
            self._refused(error, sender)
        except TocsinError as error:
            self._log.debug("answer to digests not delivered", peer=sender, error=str(error))
        finally:
            self._answering.release(event.accounted_peer)

    async def _answer_to(self, message: Message, event: UserMessage) -> bytes:
        """Answer a question. The work is charged to the peer, and its next answers wait, so that a peer that
        asks without end costs others little; also on transports that do not account for peers."""
        took = 0.0

        def work() -> Steps[bytes]:
            nonlocal took
            making = self._made_answer(message)
            while True:
                yield
                began = perf_counter()
                try:
                    next(making)
                except StopIteration as done:
                    answer: bytes = done.value
                    return answer
                finally:
                    took += perf_counter() - began

        answer = await self._gossip.run_steps(event, work())
        other_host = event.peer is not None and event.peer.host != self._address(message.envelope.sender).host
        cost = took + len(answer) / ANSWER_BYTES
        self._allowance.charge(
            event.accounted_peer, cost * OTHER_HOST if other_host else cost, self._loop.time()
        )
        await asyncio.sleep(self._allowance.wait(event.accounted_peer, self._loop.time()))
        return answer

    def _made_answer(self, message: Message) -> Generator[None, None, bytes]:
        made = yield from self._responder.answering(message, self._clock.now())
        sender = message.envelope.sender
        if isinstance(made.body, Same) and sender in self._peers:
            self._peers[sender].level.set()
        return (yield from self._packing(encode(made), sender))

    async def _send(self, member: str, data: bytes, *, by_stream: bool = False) -> None:
        part = encode_part(KEY, data)
        self.statistics.messages_sent += 1
        self.statistics.message_bytes_sent += len(part)
        if by_stream or len(part) > PACKET_BYTES:
            await self._gossip.send_reliable(member, part)
        else:
            self._gossip.send_best_effort(member, part)

    def _address(self, name: str) -> Address:
        member = self._gossip.endpoint.member(name)
        return member.address if member is not None else _NOWHERE

    def _known(self, name: str) -> bool:
        member = self._gossip.endpoint.member(name)
        return member is not None and speaks_tocsin(member.meta)

    def _refused(self, error: StateError, source: str) -> None:
        self.statistics.messages_refused += 1
        self._log.debug("digest message refused", source=source, error=str(error))
