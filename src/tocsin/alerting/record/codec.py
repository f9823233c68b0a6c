"""Records as bytes: a byte for the version, one for the packing, then JSON, compressed where that saves.

Members with their default value are left out. What an older version wrote is brought up step by step
(``MIGRATIONS``); of a newer one nothing is guessed.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, get_args

from tocsin.alerting.record.forms import (
    Form,
    filled,
    fingerprint,
    items,
    maybe,
    moment,
    number,
    objects,
    of_kind,
    one_of,
    pairs,
    text,
)
from tocsin.alerting.record.model import (
    AlertRecord,
    AttemptOutcome,
    AttemptRecord,
    DeliveryOutcome,
    DeliveryRecord,
    FlushRecord,
    LogRecord,
    MuteRecord,
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

Migration = Callable[[Form], Form]
MIGRATIONS: Final[Mapping[int, Migration]] = {}
"""From the version that is the key to the one after it."""


class NewerRecordError(StateError):
    """A later version of Tocsin wrote the record: it is passed over."""


def encode(record: FlushRecord) -> bytes:
    """The record in the current version."""
    text = json.dumps(to_form(record), separators=(",", ":"), check_circular=False).encode()
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
            raise StateError("a record that is not an object")
        for step in range(found, version):
            form = migrations[step](form)
        return from_form(form)
    except StateError:
        raise
    except (KeyError, TypeError, ValueError, RecursionError, zlib.error) as error:
        raise StateError(f"a record does not decode: {error!r}") from None


def searchable(data: bytes) -> bytes:
    """The JSON of a record, to be searched before it is decoded; empty if there is none."""
    try:
        return _unpack(data[1], data[2:])
    except (StateError, zlib.error, IndexError):
        return b""


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


def to_form(record: FlushRecord) -> Form:
    """The record as JSON has it."""
    return filled(
        key=record.group_key,
        route=record.route_id,
        labels=dict(record.group_labels),
        receiver=record.receiver,
        began=record.began,
        next=record.next_flush,
        repeat=record.repeat_interval,
        node=record.node,
        alerts=[
            filled(
                id=f"{each.fingerprint:x}", labels=dict(each.labels), start=each.starts_at, end=each.ends_at
            )
            for each in record.alerts
        ],
        more=record.alerts_left_out,
        unsettled=moment(record.unsettled_until),
        muted=[_mute_form(each) for each in record.muted],
        to=[_delivery_form(each) for each in record.deliveries],
        ended=moment(record.ended),
        success=record.success,
        error=record.error,
    )


def _mute_form(mute: MuteRecord) -> Form:
    return filled(
        why=mute.reason,
        at=mute.at,
        alerts=[f"{each:x}" for each in mute.alerts],
        by=list(mute.by),
        rule=moment(mute.rule),
        name=mute.rule_name,
        source=dict(mute.source),
    )


def _delivery_form(delivery: DeliveryRecord) -> Form:
    log = delivery.log
    return filled(
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
        remind=moment(delivery.remind_at),
        queued=moment(delivery.queued_at),
        yielded=[[each.at, each.peer, each.intent, each.until] for each in delivery.yields],
        attempts=[
            [each.number, each.began, each.ended, each.outcome, each.reason, each.error, each.again_at]
            for each in delivery.attempts
        ],
        more=delivery.attempts_left_out,
        muted=[_mute_form(each) for each in delivery.muted],
    )


def from_form(form: Form) -> FlushRecord:
    """Raises StateError, and what :func:`decode` translates into one."""
    return FlushRecord(
        group_key=text(form, "key"),
        route_id=text(form, "route"),
        group_labels=pairs(form, "labels"),
        receiver=text(form, "receiver"),
        began=number(form, "began"),
        next_flush=number(form, "next"),
        repeat_interval=number(form, "repeat"),
        node=text(form, "node"),
        alerts=tuple(
            AlertRecord(
                fingerprint=fingerprint(each.get("id")),
                labels=pairs(each, "labels"),
                starts_at=number(each, "start"),
                ends_at=number(each, "end"),
            )
            for each in objects(form, "alerts")
        ),
        alerts_left_out=number(form, "more"),
        unsettled_until=maybe(form, "unsettled"),
        muted=tuple(map(_mute, objects(form, "muted"))),
        deliveries=tuple(map(_delivery, objects(form, "to"))),
        ended=maybe(form, "ended"),
        success=of_kind(bool, form.get("success", False)),
        error=text(form, "error"),
    )


def _mute(form: Form) -> MuteRecord:
    return MuteRecord(
        reason=text(form, "why"),
        at=number(form, "at"),
        alerts=tuple(map(fingerprint, items(form, "alerts"))),
        by=tuple(of_kind(str, each) for each in items(form, "by")),
        rule=maybe(form, "rule"),
        rule_name=text(form, "name"),
        source=pairs(form, "source"),
    )


def _delivery(form: Form) -> DeliveryRecord:
    return DeliveryRecord(
        receiver=text(form, "receiver"),
        integration=text(form, "kind"),
        index=number(form, "index"),
        outcome=one_of(get_args(DeliveryOutcome), form.get("outcome")),
        reason=text(form, "why"),
        error=text(form, "error"),
        at=number(form, "at"),
        position=number(form, "position"),
        wait_until=number(form, "wait"),
        log=_log(items(form, "log")),
        firing=number(form, "firing"),
        resolved=number(form, "resolved"),
        remind_at=maybe(form, "remind"),
        queued_at=maybe(form, "queued"),
        yields=tuple(map(_yield, items(form, "yielded"))),
        attempts=tuple(map(_attempt, items(form, "attempts"))),
        attempts_left_out=number(form, "more"),
        muted=tuple(map(_mute, objects(form, "muted"))),
    )


def _log(row: list[Any]) -> LogRecord | None:
    if not row:
        return None
    notified_at, firing, resolved, by = row
    return LogRecord(
        notified_at=of_kind(int, notified_at),
        firing=of_kind(int, firing),
        resolved=of_kind(int, resolved),
        by=of_kind(str, by),
    )


def _yield(row: object) -> YieldRecord:
    at, peer, intent, until = of_kind(list, row)
    return YieldRecord(
        at=of_kind(int, at), peer=of_kind(str, peer), intent=of_kind(str, intent), until=of_kind(int, until)
    )


def _attempt(row: object) -> AttemptRecord:
    number, began, ended, outcome, reason, error, again_at = of_kind(list, row)
    return AttemptRecord(
        number=of_kind(int, number),
        began=of_kind(int, began),
        ended=of_kind(int, ended),
        outcome=one_of(get_args(AttemptOutcome), outcome),
        reason=of_kind(str, reason),
        error=of_kind(str, error),
        again_at=None if again_at is None else of_kind(int, again_at),
    )
