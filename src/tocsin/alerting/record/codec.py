"""Records as bytes: a byte for the version, one for the packing, then JSON, compressed where that saves.

Members with their default value are left out. What an older version wrote is brought up step by step
(``MIGRATIONS``); of a newer one nothing is guessed.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, cast, get_args

from tocsin.alerting.record.model import (
    AlertRecord,
    AttemptOutcome,
    AttemptRecord,
    DeliveryOutcome,
    DeliveryRecord,
    FlushRecord,
    LogRecord,
    MuteRecord,
    Pairs,
    YieldRecord,
)
from tocsin.errors import StateError

VERSION: Final = 1
MAX_BYTES: Final = 8 << 20
"""Of one record's JSON. The bounds of the recorder keep far below it."""
_PLAIN: Final = ord("j")
_DEFLATED: Final = ord("z")
_COMPRESS_FROM: Final = 2048
"""Bytes; below it compression takes most of the time, and saves a few hundred bytes."""

Form = dict[str, Any]
Migration = Callable[[Form], Form]
MIGRATIONS: Final[Mapping[int, Migration]] = {}
"""From the version that is the key to the one after it."""


class NewerRecordError(StateError):
    """A later version of Tocsin wrote the record: it is passed over."""


def encode(record: FlushRecord) -> bytes:
    """The record in the current version."""
    text = json.dumps(_flush_form(record), separators=(",", ":"), check_circular=False).encode()
    if len(text) >= _COMPRESS_FROM:
        return bytes((VERSION, _DEFLATED)) + zlib.compress(text, 1)
    return bytes((VERSION, _PLAIN)) + text


def decode(
    data: bytes, *, version: int = VERSION, migrations: Mapping[int, Migration] = MIGRATIONS
) -> FlushRecord:
    """The record from its bytes.

    :class:`NewerRecordError` for a later version than ``version``, :class:`~tocsin.errors.StateError` for
    what is no record.
    """
    if len(data) < 2:
        raise StateError("a record of less than two bytes")
    found = data[0]
    if found > version:
        raise NewerRecordError(f"a record of version {found}; known is {version}")
    try:
        form = json.loads(_unpack(data[1], data[2:]))
        if type(form) is not dict:
            raise StateError("a record that is no object")
        for step in range(found, version):
            form = migrations[step](form)
        return _flush(form)
    except StateError:
        raise
    except (KeyError, TypeError, ValueError, RecursionError, zlib.error) as error:
        raise StateError(f"a record does not decode: {error!r}") from None


def _unpack(packing: int, data: bytes) -> bytes:
    if packing == _PLAIN:
        return data
    if packing != _DEFLATED:
        raise StateError(f"a record with the packing {packing}")
    machine = zlib.decompressobj()
    text = machine.decompress(data, MAX_BYTES)
    if not machine.eof:
        raise StateError("a record that is cut off or too long")
    return text


# -- to JSON


def _filled(**members: object) -> Form:
    """What is not the default: no empty text or list, no nought, no ``None``, no ``False``."""
    return {name: value for name, value in members.items() if value}


def _moment(value: int | None) -> list[int]:
    """An instant that may be missing: 0 is an instant too."""
    return [] if value is None else [value]


def _flush_form(record: FlushRecord) -> Form:
    return _filled(
        key=record.group_key,
        route=record.route_id,
        labels=dict(record.group_labels),
        receiver=record.receiver,
        began=record.began,
        next=record.next_flush,
        repeat=record.repeat_interval,
        node=record.node,
        alerts=[
            _filled(
                id=f"{each.fingerprint:x}", labels=dict(each.labels), start=each.starts_at, end=each.ends_at
            )
            for each in record.alerts
        ],
        more=record.alerts_left_out,
        unsettled=_moment(record.unsettled_until),
        muted=[_mute_form(each) for each in record.muted],
        to=[_delivery_form(each) for each in record.deliveries],
        ended=_moment(record.ended),
        success=record.success,
        error=record.error,
    )


def _mute_form(mute: MuteRecord) -> Form:
    return _filled(
        why=mute.reason,
        at=mute.at,
        alerts=[f"{each:x}" for each in mute.alerts],
        by=list(mute.by),
        rule=_moment(mute.rule),
        name=mute.rule_name,
        source=dict(mute.source),
    )


def _delivery_form(delivery: DeliveryRecord) -> Form:
    log = delivery.log
    return _filled(
        receiver=delivery.receiver,
        kind=delivery.integration,
        index=delivery.index,
        outcome=delivery.outcome,
        why=delivery.reason,
        error=delivery.error,
        at=delivery.at,
        position=delivery.position,
        wait=delivery.wait_until,
        log=[] if log is None else [log.notified_at, log.firing, log.resolved, log.by],
        firing=delivery.firing,
        resolved=delivery.resolved,
        remind=_moment(delivery.remind_at),
        queued=_moment(delivery.queued_at),
        yielded=[[each.at, each.peer, each.intent, each.until] for each in delivery.yields],
        attempts=[
            [each.number, each.began, each.ended, each.outcome, each.reason, each.error, each.again_at]
            for each in delivery.attempts
        ],
        more=delivery.attempts_left_out,
        muted=[_mute_form(each) for each in delivery.muted],
    )


# -- from JSON: members that are not known are passed over


def _of(kind: type, value: object) -> Any:
    if type(value) is not kind:
        raise StateError(f"a record has {type(value).__name__} where {kind.__name__} is due")
    return value


def _number(form: Form, name: str) -> int:
    return cast("int", _of(int, form.get(name, 0)))


def _text(form: Form, name: str) -> str:
    return cast("str", _of(str, form.get(name, "")))


def _list(form: Form, name: str) -> list[Any]:
    return cast("list[Any]", _of(list, form.get(name, [])))


def _objects(form: Form, name: str) -> list[Form]:
    return [_of(dict, each) for each in _list(form, name)]


def _pairs(form: Form, name: str) -> Pairs:
    return tuple((key, _of(str, value)) for key, value in _of(dict, form.get(name, {})).items())


def _maybe(form: Form, name: str) -> int | None:
    found = _list(form, name)
    return _of(int, found[0]) if found else None


def _fingerprint(value: object) -> int:
    found = int(_of(str, value), 16)
    if not 0 <= found < 1 << 64:
        raise StateError("a record has a fingerprint of more than 64 bits")
    return found


def _one_of(choices: tuple[str, ...], value: object) -> Any:
    if value not in choices:
        raise StateError(f"a record has {value!r} where one of {', '.join(choices)} is due")
    return value


def _flush(form: Form) -> FlushRecord:
    return FlushRecord(
        group_key=_text(form, "key"),
        route_id=_text(form, "route"),
        group_labels=_pairs(form, "labels"),
        receiver=_text(form, "receiver"),
        began=_number(form, "began"),
        next_flush=_number(form, "next"),
        repeat_interval=_number(form, "repeat"),
        node=_text(form, "node"),
        alerts=tuple(
            AlertRecord(
                fingerprint=_fingerprint(each.get("id")),
                labels=_pairs(each, "labels"),
                starts_at=_number(each, "start"),
                ends_at=_number(each, "end"),
            )
            for each in _objects(form, "alerts")
        ),
        alerts_left_out=_number(form, "more"),
        unsettled_until=_maybe(form, "unsettled"),
        muted=tuple(map(_mute, _objects(form, "muted"))),
        deliveries=tuple(map(_delivery, _objects(form, "to"))),
        ended=_maybe(form, "ended"),
        success=_of(bool, form.get("success", False)),
        error=_text(form, "error"),
    )


def _mute(form: Form) -> MuteRecord:
    return MuteRecord(
        reason=_text(form, "why"),
        at=_number(form, "at"),
        alerts=tuple(map(_fingerprint, _list(form, "alerts"))),
        by=tuple(_of(str, each) for each in _list(form, "by")),
        rule=_maybe(form, "rule"),
        rule_name=_text(form, "name"),
        source=_pairs(form, "source"),
    )


def _delivery(form: Form) -> DeliveryRecord:
    return DeliveryRecord(
        receiver=_text(form, "receiver"),
        integration=_text(form, "kind"),
        index=_number(form, "index"),
        outcome=_one_of(get_args(DeliveryOutcome), form.get("outcome")),
        reason=_text(form, "why"),
        error=_text(form, "error"),
        at=_number(form, "at"),
        position=_number(form, "position"),
        wait_until=_number(form, "wait"),
        log=_log(_list(form, "log")),
        firing=_number(form, "firing"),
        resolved=_number(form, "resolved"),
        remind_at=_maybe(form, "remind"),
        queued_at=_maybe(form, "queued"),
        yields=tuple(map(_yield, _list(form, "yielded"))),
        attempts=tuple(map(_attempt, _list(form, "attempts"))),
        attempts_left_out=_number(form, "more"),
        muted=tuple(map(_mute, _objects(form, "muted"))),
    )


def _log(row: list[Any]) -> LogRecord | None:
    if not row:
        return None
    notified_at, firing, resolved, by = row
    return LogRecord(
        notified_at=_of(int, notified_at),
        firing=_of(int, firing),
        resolved=_of(int, resolved),
        by=_of(str, by),
    )


def _yield(row: object) -> YieldRecord:
    at, peer, intent, until = _of(list, row)
    return YieldRecord(at=_of(int, at), peer=_of(str, peer), intent=_of(str, intent), until=_of(int, until))


def _attempt(row: object) -> AttemptRecord:
    number, began, ended, outcome, reason, error, again_at = _of(list, row)
    return AttemptRecord(
        number=_of(int, number),
        began=_of(int, began),
        ended=_of(int, ended),
        outcome=_one_of(get_args(AttemptOutcome), outcome),
        reason=_of(str, reason),
        error=_of(str, error),
        again_at=None if again_at is None else _of(int, again_at),
    )
