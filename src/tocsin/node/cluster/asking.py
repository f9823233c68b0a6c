"""Asks Tocsin peers what they know of alerts, and answers them: bounded in count, size, time and work."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Final

from tocsin.aio import Tasks
from tocsin.alerting.explain.head import head
from tocsin.alerting.protocol.parts import encode_part
from tocsin.bounded import Allowance, Quota
from tocsin.dataclass import dataclass
from tocsin.errors import StateError, TocsinError
from tocsin.gossip.core.effects import UserMessage
from tocsin.gossip.gossip import Gossip
from tocsin.node.cluster.capability import speaks_tocsin
from tocsin.node.log import Logger

if TYPE_CHECKING:  # Loaded with the first question, in a thread: see the end.
    from tocsin.alerting.explain.knowledge import Knowledge
    from tocsin.alerting.explain.messages import Asked
    from tocsin.alerting.explain.question import Question

KEY: Final = "tcn.ask"
"""The Part key of the messages. Alertmanager would ignore it; it is never sent one."""
MAX_PEERS: Final = 16
"""Members that are asked at the same time."""
ANSWER_TIMEOUT: Final = 4.0
"""Seconds for all answers."""
MAX_QUESTION_BYTES: Final = 16_384
MAX_ANSWERING: Final = 8
MAX_ANSWERING_PEER: Final = 2
"""Questions that are being answered, of all and of one peer; more are dropped."""
SHARE: Final = 1 / 10
BURST: Final = 1.0
"""Of a processor, and seconds at once, that answers to one peer may take; more answers wait."""
OTHER_HOST: Final = 20
"""Weight of an answer's cost when its question came from another host than the member it names."""
NO_ANSWER: Final = "it did not answer in time"


@dataclass(slots=True)
class AskingStatistics:
    """Counters."""

    peers_asked: int = 0
    peers_unanswered: int = 0
    questions_answered: int = 0
    questions_dropped: int = 0
    """Questions past MAX_ANSWERING or MAX_ANSWERING_PEER, or of senders that are not members."""
    messages_refused: int = 0


class Asking:
    """``answer`` returns what this node knows; ``name``: of this node in the cluster. ``ready`` loads the
    code that answers, so that the first peer to ask is not charged for it."""

    def __init__(
        self,
        name: str,
        gossip: Gossip,
        answer: Callable[[Question], Awaitable[Knowledge]],
        log: Logger,
        *,
        ready: Callable[[], Awaitable[object]],
    ) -> None:
        self.statistics = AskingStatistics()
        self._name = name
        self._gossip = gossip
        self._answer = answer
        self._ready = ready
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, tuple[str, asyncio.Future[Knowledge]]] = {}
        self._answering: Quota[Hashable] = Quota(MAX_ANSWERING_PEER, MAX_ANSWERING)
        self._allowance = Allowance(SHARE, BURST)
        self._tasks = Tasks(lambda error: log.error("a question of a peer failed", error=repr(error)))
        self._random = random.SystemRandom()

    async def ask(self, members: Sequence[str], question: Question) -> dict[str, Knowledge | str]:
        """What Tocsin members know, by their names, or why that is not known."""
        asked = members[:MAX_PEERS]
        found = await asyncio.gather(*[self._ask(member, question) for member in asked])
        answers = dict(zip(asked, found, strict=True))
        return answers | dict.fromkeys(members[MAX_PEERS:], f"only {MAX_PEERS} are asked at once")

    def receive(self, data: bytes, event: UserMessage) -> None:
        """The data of a message with our key."""
        try:
            asks, exchange = head(data)
        except StateError as error:
            self._refused(error, str(event.source))
            return
        if not asks:
            member, waiting = self._waiting.get(exchange, ("", None))
            if waiting is None:
                return
            if not self._gossip.endpoint.speaks_for(member, event.peer):
                self._refused(StateError("an answer of another member than was asked"), str(event.source))
                return
            del self._waiting[exchange]
            self._tasks.spawn(self._read(data, waiting, str(event.source)))
        elif len(data) > MAX_QUESTION_BYTES:
            self._refused(StateError("a question that is too long"), str(event.source))
        elif self._answering.acquire(event.accounted_peer):
            self._tasks.spawn(self._answer_to(data, event))
        else:
            self.statistics.questions_dropped += 1

    async def close(self) -> None:
        """Stop answering."""
        await self._tasks.cancel()

    # -- within

    async def _ask(self, member: str, question: Question) -> Knowledge | str:
        self.statistics.peers_asked += 1
        exchange = self._random.getrandbits(64)
        answer: asyncio.Future[Knowledge] = self._loop.create_future()
        self._waiting[exchange] = (member, answer)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                data = await asyncio.to_thread(_encoded_question, exchange, self._name, question)
                await self._gossip.send_reliable(member, encode_part(KEY, data))
                known = await answer
        except TimeoutError:
            self.statistics.peers_unanswered += 1
            return NO_ANSWER
        except TocsinError as error:
            self.statistics.peers_unanswered += 1
            return str(error)
        finally:
            self._waiting.pop(exchange, None)
        for record in known.records:
            record.node = member  # Errors are handled for each member.
        return replace(known, node=member)

    async def _read(self, data: bytes, waiting: asyncio.Future[Knowledge], source: str) -> None:
        try:
            known = await asyncio.to_thread(_decoded_answer, data)
        except StateError as error:
            self._refused(error, source)
            if not waiting.done():
                waiting.set_exception(error)
            return
        if known is not None and not waiting.done():
            waiting.set_result(known)

    async def _answer_to(self, data: bytes, event: UserMessage) -> None:
        peer = event.accounted_peer
        try:
            await self._ready()
            began = perf_counter()
            message = await asyncio.to_thread(_decoded_question, data)
            if message is None or not self._known(message.sender):
                self.statistics.questions_dropped += 1
                return
            known = await self._answer(message.question)
            answer = await asyncio.to_thread(_encoded_answer, message.exchange, known)
            took = perf_counter() - began
            self._allowance.charge(
                peer,
                took * OTHER_HOST if self._is_strange(message.sender, event) else took,
                self._loop.time(),
            )
            await asyncio.sleep(self._allowance.wait(peer, self._loop.time()))
            await self._gossip.send_reliable(message.sender, encode_part(KEY, answer))
            self.statistics.questions_answered += 1
        except StateError as error:
            self._refused(error, str(event.source))
        except TocsinError as error:
            self._log.debug("answer to a question not delivered", source=str(event.source), error=str(error))
        finally:
            self._answering.release(peer)

    def _is_strange(self, sender: str, event: UserMessage) -> bool:
        member = self._gossip.endpoint.member(sender)
        return event.peer is not None and (member is None or event.peer.host != member.address.host)

    def _known(self, name: str) -> bool:
        member = self._gossip.endpoint.member(name)
        return member is not None and speaks_tocsin(member.meta)

    def _refused(self, error: StateError, source: str) -> None:
        self.statistics.messages_refused += 1
        self._log.debug("question or answer refused", source=source, error=str(error))


def _encoded_question(exchange: int, sender: str, question: Question) -> bytes:
    from tocsin.alerting.explain.messages import Asked, encode_question

    return encode_question(Asked(exchange, sender, question))


def _decoded_question(data: bytes) -> Asked | None:
    from tocsin.alerting.explain.messages import Asked, decode_message

    message = decode_message(data)
    return message if isinstance(message, Asked) else None


def _encoded_answer(exchange: int, knowledge: Knowledge) -> bytes:
    from tocsin.alerting.explain.messages import Answered, encode_answer

    return encode_answer(Answered(exchange, knowledge))


def _decoded_answer(data: bytes) -> Knowledge | None:
    from tocsin.alerting.explain.messages import Answered, decode_message

    message = decode_message(data)
    return message.knowledge if isinstance(message, Answered) else None
