"""Replicas of a state, and exchanges between them without a network."""

from __future__ import annotations

from random import Random
from typing import Any

from tocsin.alerting.digest.exchange import Exchange, Outcome
from tocsin.alerting.digest.memory import Memory
from tocsin.alerting.digest.messages import decode, encode
from tocsin.alerting.digest.responder import Responder
from tocsin.alerting.nflog import NotificationLog
from tocsin.alerting.protocol import delimit
from tocsin.alerting.protocol.silence_pb2 import MeshSilence
from tocsin.alerting.replicated import ReplicatedState
from tocsin.alerting.silence import Silences
from tocsin.alerting.timestamp import SECOND, Nanoseconds

HOUR = 3600 * SECOND
NOW = 1_700_000_000 * SECOND


def silence(
    identifier: str, stamp: Nanoseconds, expires_at: Nanoseconds, comment: str = "", *, ends_at: int = 0
) -> bytes:
    """One delimited MeshSilence."""
    message = MeshSilence()
    message.silence.id = identifier
    message.silence.matchers.add(name="instance", pattern=f"host-{identifier}")
    for field, value in (
        (message.silence.starts_at, SECOND),
        (message.silence.ends_at, ends_at or expires_at),
        (message.silence.updated_at, stamp),
        (message.expires_at, expires_at),
    ):
        field.seconds, field.nanos = divmod(value, SECOND)
    message.silence.comment = comment
    message.silence.created_by = "somebody"
    return delimit(message.SerializeToString())


def silences(count: int, *, prefix: str = "s", expires_at: Nanoseconds = NOW + 100 * HOUR) -> bytes:
    """Many delimited MeshSilences."""
    return b"".join([silence(f"{prefix}-{n:032x}", NOW - SECOND, expires_at) for n in range(count)])


class Replicas:
    """The states of one node, with the memory of its exchanges."""

    def __init__(self, name: str, *, max_entries: int = 500_000) -> None:
        self.name = name
        self.silences = Silences(120 * HOUR, random=Random(name), max_entries=max_entries)
        self.log = NotificationLog(120 * HOUR, max_entries=max_entries)
        self.states: dict[str, ReplicatedState[Any]] = {
            "sil": self.silences.replicated,
            "nfl": self.log.replicated,
        }
        self.responder = Responder(name, self.states)
        self.memory: dict[str, Memory] = {}

    def take(self, key: str, entries: bytes, now: Nanoseconds) -> None:
        (self.silences if key == "sil" else self.log).merge(entries, now)

    def content(self, now: Nanoseconds) -> dict[str, list[tuple[bytes, int]]]:
        """What is stored and lives beyond the present minute, as equal states have it equal."""
        cutoff = now // (60 * SECOND)
        return {
            key: sorted(
                (state._canonical(entry), entry.stamp)
                for entry in state
                if entry.expires_at // (60 * SECOND) > cutoff
            )
            for key, state in self.states.items()
        }


class Wire:
    """Counts what passes."""

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0
        self.longest = 0

    def carry(self, data: bytes) -> bytes:
        self.messages += 1
        self.bytes += len(data)
        self.longest = max(self.longest, len(data))
        return data


def exchange(
    asking: Replicas,
    answering: Replicas,
    *,
    asking_now: Nanoseconds = NOW,
    answering_now: Nanoseconds = NOW,
    wire: Wire | None = None,
    steps: int = 1_000_000,
    nonce: int = 7,
) -> Outcome:
    """Run an exchange to its end, or for so many messages."""
    wire = wire or Wire()
    memory = asking.memory.setdefault(answering.name, Memory())
    session = Exchange(asking.name, asking.states, memory, nonce, asking_now)
    while not session.finished and steps > 0:
        steps -= 1
        question = decode(wire.carry(encode(session.request(asking_now))))
        given = answering.responder.entries(question)
        if given is not None:
            answering.take(*given, answering_now)
        answer = decode(wire.carry(encode(answering.responder.answer(question, answering_now))))
        session.receive(answer, asking_now)
        for key, entries in session.entries():
            asking.take(key, entries, asking_now)
    return session.outcome
