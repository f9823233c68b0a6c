"""From the decisions about a flush to its record. Pure, and safe on any thread: decisions never change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from tocsin.alerting.decisions import (
    Claimed,
    Decision,
    DeliveryDecision,
    Failed,
    GivenUp,
    LogAnswer,
    Muted,
    MutedAlert,
    Needed,
    NotNeeded,
    Overdue,
    Queued,
    Sent,
    TooLate,
    Unsettled,
    Waiting,
    Withheld,
    Yielded,
)
from tocsin.alerting.group import Flush
from tocsin.alerting.integration import Integration
from tocsin.alerting.labels import Labels
from tocsin.alerting.record.model import (
    AlertRecord,
    AttemptRecord,
    DeliveryRecord,
    FlushRecord,
    LogRecord,
    MuteRecord,
    Pairs,
    YieldRecord,
)
from tocsin.alerting.timestamp import Nanoseconds

MAX_LABELLED: Final = 256
"""Alerts of a flush that are recorded with their labels."""
MAX_ALERTS: Final = 4096
"""Alerts of a flush that are recorded at all; the others are counted."""
MAX_ATTEMPTS: Final = 16
"""The first and the last ones of a delivery."""
MAX_YIELDS: Final = 16
MAX_BY: Final = 8
"""Silences that are named for one alert, at most; see :data:`tocsin.alerting.muting.MAX_BY` too."""
MAX_LABEL_BYTES: Final = 4096
"""Of one alert: larger label sets are recorded by their fingerprint alone."""
MAX_TEXT: Final = 512
"""Characters of an error."""


def begun(flush: Flush, node: str) -> FlushRecord:
    """The record of a flush about which nothing has been decided yet."""
    kept = flush.alerts[:MAX_ALERTS]
    return FlushRecord(
        group_key=flush.group_key,
        route_id=flush.route_id,
        group_labels=flush.group_labels.pairs,
        receiver=flush.options.receiver,
        node=node,
        began=flush.now,
        next_flush=flush.due + flush.options.group_interval,
        repeat_interval=flush.options.repeat_interval,
        alerts=tuple(
            [
                AlertRecord(
                    fingerprint=alert.labels.fingerprint,
                    labels=_bounded(alert.labels) if place < MAX_LABELLED else (),
                    starts_at=alert.starts_at,
                    ends_at=alert.ends_at if alert.resolved_at(flush.now) else 0,
                )
                for place, alert in enumerate(kept)
            ]
        ),
        alerts_left_out=len(flush.alerts) - len(kept),
    )


def copied(found: FlushRecord) -> FlushRecord:
    """For :func:`add` and :func:`end`, which change what they are given."""
    return replace(found, deliveries=tuple([replace(each) for each in found.deliveries]))


def add(found: FlushRecord, decisions: Iterable[Decision]) -> None:
    """Put some more decisions into the flush's record."""
    deliveries = {(each.receiver, each.integration, each.index): each for each in found.deliveries}
    for decision in decisions:
        match decision:
            case Unsettled(until=until):
                found.unsettled_until = until
            case Muted(integration=None):
                found.muted += _mutes(decision)
            case _ if decision.integration is not None:
                to = decision.integration
                place = to.receiver, to.integration, to.index
                delivery = deliveries.get(place)
                if delivery is None:
                    delivery = deliveries[place] = _delivery(to)
                delivery.at = decision.at
                _take(delivery, decision)
    found.deliveries = tuple(deliveries.values())


def end(found: FlushRecord, at: Nanoseconds, *, success: bool, error: str) -> None:
    """The flush is over."""
    found.ended, found.success, found.error = at, success, _short(error)


def _delivery(to: Integration) -> DeliveryRecord:
    return DeliveryRecord(receiver=to.receiver, integration=to.integration, index=to.index)


def _bounded(labels: Labels) -> Pairs:
    return labels.pairs if len(labels.canonical_bytes) <= MAX_LABEL_BYTES else ()


def _short(text: str) -> str:
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()  # What JSON cannot have.
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _mutes(decision: Muted) -> tuple[MuteRecord, ...]:
    """One record for all alerts that the same thing mutes."""
    gathered: dict[tuple[tuple[str, ...], int], list[MutedAlert]] = {}
    for each in decision.alerts[:MAX_ALERTS]:
        rule = each.inhibition.number if each.inhibition is not None else -1
        gathered.setdefault((each.by[:MAX_BY], rule), []).append(each)
    return tuple([_mute(decision, by, alerts) for (by, _), alerts in gathered.items()])


def _mute(decision: Muted, by: tuple[str, ...], alerts: list[MutedAlert]) -> MuteRecord:
    inhibition = alerts[0].inhibition
    fingerprints = tuple([each.alert.labels.fingerprint for each in alerts])
    found = MuteRecord(reason=decision.reason, at=decision.at, alerts=fingerprints, by=by)
    if inhibition is not None:
        found.rule, found.rule_name = inhibition.number, inhibition.rule.name
        found.source = _bounded(inhibition.source.labels)
    return found


def _logged(answer: LogAnswer) -> LogRecord | None:
    entry = answer.entry
    if entry is None:
        return None
    firing, resolved = len(entry.firing_alerts), len(entry.resolved_alerts)
    return LogRecord(notified_at=entry.timestamp, firing=firing, resolved=resolved, by=answer.by)


def _take(found: DeliveryRecord, decision: DeliveryDecision) -> None:
    """Put a decision into the delivery's record."""
    match decision:
        case Muted():
            found.muted += _mutes(decision)
        case Waiting(position=position, until=until):
            found.position, found.wait_until = position, until
        case NotNeeded(reason=reason, log=log, remind_at=remind_at):
            found.outcome, found.reason, found.remind_at = "not needed", reason, remind_at
            found.log = _logged(log)
        case Needed(reason=reason, log=log, firing=firing, resolved=resolved):
            found.reason, found.log = reason, _logged(log)
            found.firing, found.resolved = len(firing), len(resolved)
        case Yielded(at=at, peer=peer, intent=intent, until=until):
            made = YieldRecord(at=at, peer=peer, intent=intent.name.lower(), until=until)
            found.yields = (*found.yields[-MAX_YIELDS + 1 :], made)
        case Claimed():
            pass
        case Queued(at=at):
            found.queued_at = at
        case Sent(at=at, number=number, began=began):
            _tried(found, AttemptRecord(number=number, began=began, ended=at, outcome="sent"))
            found.outcome = "sent"
        case Failed(at=at, number=number, began=began, reason=reason, error=error, again_at=again_at):
            attempt = AttemptRecord(
                number=number,
                began=began,
                ended=at,
                outcome="failed",
                reason=reason,
                error=_short(error),
                again_at=again_at,
            )
            _tried(found, attempt)
        case Overdue(at=at, number=number, began=began):
            _tried(found, AttemptRecord(number=number, began=began, ended=at, outcome="overdue"))
        case GivenUp(reason=reason, error=error):
            found.outcome, found.reason, found.error = "given up", reason, _short(error)
        case TooLate():
            found.outcome = "too late"
        case Withheld(reason=reason):
            if reason:
                found.outcome, found.reason = "would have sent", reason


def _tried(found: DeliveryRecord, attempt: AttemptRecord) -> None:
    attempts = (*found.attempts, attempt)
    if len(attempts) > MAX_ATTEMPTS:
        attempts = attempts[:1] + attempts[2:]
        found.attempts_left_out += 1
    found.attempts = attempts
