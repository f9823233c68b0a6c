"""Questions to one member, and its answers, each by a reliable message."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, TypeAlias

from tocsin.aio import Tasks
from tocsin.bounded import Quota
from tocsin.errors import ClosedError, RemoteError, TocsinError, TransportError, WireError
from tocsin.gossip.core.effects import Event, ProtocolError, UserMessage
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.services.statistics import ServiceStatistics
from tocsin.gossip.wire.envelope import (
    IDENTIFIER,
    Envelope,
    EnvelopeKind,
    decode_envelope,
    encode_envelope,
)

_log = logging.getLogger(__name__)

MAX_ASKED: Final = 1024
"""Questions of ours under way."""
MAX_ANSWERING: Final = 256
"""Questions of others that are being answered; more get no answer."""
MAX_ANSWERING_OF_PEER: Final = 64
MAX_ANSWERING_BYTES: Final = 64 << 20
"""Of those questions together."""
MAX_ANSWERING_BYTES_OF_PEER: Final = 32 << 20

Answer: TypeAlias = Callable[[str, bytes], Awaitable[bytes]]
"""Called with the name of who asks, as it says itself, and the question; returns the answer."""
SendReliable: TypeAlias = Callable[[str, bytes], Awaitable[None]]
SpeaksFor: TypeAlias = Callable[[str, PeerIdentity | None], bool]
"""Whether who sent a message is the member of a name, as far as the transport knows."""


class AnswerError(RemoteError):
    """The member that was asked says that it has no answer, and why. Nothing is known of its state."""


class Requests:
    """Of one member. ``send`` takes a member's name and a message."""

    def __init__(
        self,
        name: str,
        answer: Answer | None,
        statistics: ServiceStatistics,
        tasks: Tasks,
        *,
        send: SendReliable,
        speaks_for: SpeaksFor,
        emit: Callable[[Event], None],
    ) -> None:
        self._name = name
        self._answer = answer
        self._statistics = statistics
        self._tasks = tasks
        self._send = send
        self._speaks_for = speaks_for
        self._emit = emit
        self._asked: dict[bytes, tuple[str, asyncio.Future[Envelope]]] = {}
        self._answering: Quota[Hashable] = Quota(MAX_ANSWERING_OF_PEER, MAX_ANSWERING)
        self._bytes: Quota[Hashable] = Quota(MAX_ANSWERING_BYTES_OF_PEER, MAX_ANSWERING_BYTES)

    async def ask(self, member: str, payload: bytes, timeout: float) -> bytes:
        """The member's answer.

        :class:`~tocsin.errors.NotFoundError` if it is unknown, :class:`~tocsin.errors.TransportError` if the
        question did not arrive or too many are under way, :class:`AnswerError` if it says so,
        :class:`TimeoutError` after ``timeout`` seconds.
        """
        if len(self._asked) >= MAX_ASKED:
            raise TransportError(f"{MAX_ASKED} questions are under way already")
        identifier = secrets.token_bytes(IDENTIFIER)
        outcome: asyncio.Future[Envelope] = asyncio.get_running_loop().create_future()
        self._asked[identifier] = (member, outcome)
        question = Envelope(EnvelopeKind.REQUEST, payload, self._name, identifier)
        try:
            async with asyncio.timeout(timeout):
                await self._send(member, encode_envelope(question))
                answer = await outcome
        except TimeoutError:
            raise TimeoutError(f"{member} did not answer within {timeout:g} s") from None
        finally:
            del self._asked[identifier]
        if answer.kind is EnvelopeKind.REFUSAL:
            raise AnswerError(f"{member}: {answer.payload.decode(errors='replace')[:200]}")
        return answer.payload

    def take(self, event: Event) -> bool:
        """Whether an event was a question or an answer, and is done."""
        if not isinstance(event, UserMessage) or (self._answer is None and not self._asked):
            return False
        try:
            envelope = decode_envelope(event.payload)
        except WireError as error:
            self._emit(ProtocolError(error.layer, error.problem, event.source))
            return True
        if envelope is None:
            return False
        if envelope.kind in (EnvelopeKind.ANSWER, EnvelopeKind.REFUSAL):
            self._answered(envelope, event.peer)
            return True
        if envelope.kind is not EnvelopeKind.REQUEST:
            return False
        peer = event.accounted_peer
        size = len(event.payload)
        if not self._answering.acquire(peer):
            self._statistics.requests_rejected += 1
        elif not self._bytes.acquire(peer, size):
            self._answering.release(peer)
            self._statistics.requests_rejected += 1
        else:
            self._tasks.spawn(self._reply(envelope, peer, size))
        return True

    def _answered(self, answer: Envelope, peer: PeerIdentity | None) -> None:
        member, outcome = self._asked.get(answer.identifier, ("", None))
        if outcome is None or outcome.done():
            self._statistics.answers_late += 1
        elif answer.name != member or not self._speaks_for(member, peer):
            # The member that was asked can make another one answer us, by asking it in our name.
            self._statistics.answers_refused += 1
        else:
            outcome.set_result(answer)

    def close(self) -> None:
        """Callers that wait for an answer get none."""
        for _, outcome in self._asked.values():
            if not outcome.done():
                outcome.set_exception(ClosedError("this member was closed"))

    async def _reply(self, question: Envelope, peer: Hashable, size: int) -> None:
        try:
            kind, payload = await self._found(question)
            reply = Envelope(kind, payload, self._name, question.identifier)
            await self._send(question.name, encode_envelope(reply))
        except TocsinError as error:
            self._statistics.answers_lost += 1
            _log.debug("the answer to %s was lost: %s", question.name, error)
        finally:
            self._answering.release(peer)
            self._bytes.release(peer, size)

    async def _found(self, question: Envelope) -> tuple[EnvelopeKind, bytes]:
        if self._answer is None:
            return EnvelopeKind.REFUSAL, b"it answers no questions"
        try:
            return EnvelopeKind.ANSWER, bytes(await self._answer(question.name, question.payload))
        except AnswerError as error:
            return EnvelopeKind.REFUSAL, str(error).encode()
        except Exception as error:
            self._statistics.callback_errors += 1
            _log.exception("the application failed to answer %s", question.name)
            return EnvelopeKind.REFUSAL, f"it failed: {type(error).__name__}".encode()
