"""Questions and answers between Tocsin nodes, as bytes: ``version kind exchange`` and compressed JSON.

Layout: docs/tocsin-1.md, "Asking what a node knows".
"""

from __future__ import annotations

import json
import zlib
from typing import Any, Final

from tocsin.alerting.explain.head import ANSWERS, ASKS, HEAD_BYTES, MESSAGE_VERSION, head
from tocsin.alerting.explain.knowledge import HeldAlert, Knowledge, Timer
from tocsin.alerting.explain.question import FOREVER, MAX_ALERTS, MAX_EQUAL, MAX_RECORDS, Question
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher, MatchType
from tocsin.alerting.record.codec import VERSION, from_form, to_form
from tocsin.alerting.record.forms import (
    Form,
    filled,
    fingerprint,
    items,
    number,
    objects,
    of_kind,
    pairs,
    text,
)
from tocsin.dataclass import dataclass
from tocsin.errors import StateError

MAX_TEXT_BYTES: Final = 2 << 20
"""Of the JSON of a message."""
MAX_QUESTION_TEXT_BYTES: Final = 128 << 10
"""The same of a question."""
MAX_RECORD_BYTES: Final = 1 << 20
"""Of the JSON of an answer's records; older ones are left out."""
MAX_SIGNS: Final = 1 << 17
"""Commas and opening brackets of the JSON of an answer. There are no more things in it. Each may take fifty
bytes in memory, and no other thread runs until all are read."""
MAX_RECORD_SIGNS: Final = MAX_SIGNS // 2
"""The same of an answer's records; older ones are left out."""
MAX_TIMERS: Final = 4096
"""Of an answer."""
MAX_WHY: Final = 512
"""Characters of why there may be more."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of the member ``sender``."""

    exchange: int
    sender: str
    question: Question


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to the question with that number."""

    exchange: int
    knowledge: Knowledge


def encode_question(asked: Asked) -> bytes:
    """Of matchers only those that name a value are sent: what peers have to match must not be costly."""
    question = asked.question
    form = filled(
        sender=asked.sender,
        ids=[f"{each:x}" for each in sorted(question.fingerprints)],
        equal=question.equal or {},
        group=question.group_key,
        receiver=question.receiver,
        since=question.since,
        until=question.until if question.until != FOREVER else 0,
        limit=question.limit,
    )
    return _pack(ASKS, asked.exchange, form)


def encode_answer(answered: Answered) -> bytes:
    """As many of the records as fit, the newest."""
    known = answered.knowledge
    records, size, signs, left_out = [], 0, 0, known.left_out
    for record in known.records:
        form = to_form(record)
        written = json.dumps(form, separators=(",", ":")).encode()
        size += len(written)
        signs += _signs(written)
        if size > MAX_RECORD_BYTES or signs > MAX_RECORD_SIGNS:
            left_out = left_out or "the answer would be too large"
            break
        records.append(form)
    form = filled(
        node=known.node,
        version=VERSION,
        alerts=[
            filled(
                labels=dict(each.labels),
                start=each.starts_at,
                end=each.ends_at,
                inhibited=each.inhibited_by,
                silenced=list(each.silenced_by),
            )
            for each in known.alerts
        ],
        timers=[[each.route_id, dict(each.labels), each.due] for each in known.timers],
        records=records,
        left=left_out,
    )
    return _pack(ANSWERS, answered.exchange, form)


def decode_message(data: bytes) -> Asked | Answered:
    """Raises :class:`~tocsin.errors.StateError` on bytes that are no message."""
    asks, exchange = head(data)
    try:
        machine = zlib.decompressobj()
        found = machine.decompress(data[HEAD_BYTES:], MAX_QUESTION_TEXT_BYTES if asks else MAX_TEXT_BYTES)
        if not machine.eof:
            raise StateError("a message that is cut off or too long")
        if _signs(found) > MAX_SIGNS:
            raise StateError(f"a message of more than {MAX_SIGNS} things")
        form = of_kind(dict, json.loads(found, parse_int=_integer))
        if asks:
            return Asked(exchange, text(form, "sender"), _question(form))
        return Answered(exchange, _knowledge(form))
    except StateError:
        raise
    except (KeyError, TypeError, ValueError, RecursionError, zlib.error) as error:
        raise StateError(f"a message does not decode: {error!r}") from None


def _signs(written: bytes) -> int:
    return written.count(b",") + written.count(b"[") + written.count(b"{")


def _integer(digits: str) -> int:
    value = int(digits)
    if not -(1 << 63) <= value < 1 << 63:
        raise StateError("a number of more than 64 bits")
    return value


def _pack(kind: int, exchange: int, form: Form) -> bytes:
    body = json.dumps(form, separators=(",", ":")).encode()
    return bytes((MESSAGE_VERSION, kind)) + exchange.to_bytes(8, "big") + zlib.compress(body, 1)


def _question(form: Form) -> Question:
    ids, equal = items(form, "ids"), pairs(form, "equal")
    if len(ids) > MAX_ALERTS or len(equal) > MAX_EQUAL:
        raise StateError("a question about more than may be asked at once")
    limit = number(form, "limit")
    if not 0 < limit <= MAX_ALERTS:
        raise StateError(f"a question for {limit} alerts, where {MAX_ALERTS} are the most")
    return Question(
        fingerprints=frozenset(map(fingerprint, ids)),
        matchers=tuple([Matcher(MatchType.EQUAL, name, value) for name, value in equal]),
        group_key=text(form, "group"),
        receiver=text(form, "receiver"),
        since=number(form, "since"),
        until=number(form, "until") or FOREVER,
        limit=limit,
    )


def _knowledge(form: Form) -> Knowledge:
    left_out, records = text(form, "left")[:MAX_WHY], objects(form, "records")
    if number(form, "version") != VERSION:
        records, left_out = [], "its records are of another version of Tocsin"
    if len(records) > MAX_RECORDS:
        records, left_out = records[:MAX_RECORDS], left_out or f"only {MAX_RECORDS} of its records are taken"
    return Knowledge(
        node=text(form, "node"),
        alerts=tuple([_alert(each) for each in objects(form, "alerts")[:MAX_ALERTS]]),
        timers=tuple([_timer(each) for each in items(form, "timers")[:MAX_TIMERS]]),
        records=tuple([from_form(each) for each in records]),
        left_out=left_out,
    )


def _alert(form: Form) -> HeldAlert:
    return HeldAlert(
        labels=Labels(pairs(form, "labels")),
        starts_at=number(form, "start"),
        ends_at=number(form, "end"),
        inhibited_by=text(form, "inhibited"),
        silenced_by=tuple([of_kind(str, each) for each in items(form, "silenced")]),
    )


def _timer(row: Any) -> Timer:
    route_id, labels, due = of_kind(list, row)
    return Timer(route_id=of_kind(str, route_id), labels=pairs({"of": labels}, "of"), due=of_kind(int, due))
