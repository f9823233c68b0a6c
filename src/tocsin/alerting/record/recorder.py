"""From decisions to records: one record for each flush, under way or ended.

A flush that is under way is told each time that one of its integrations has come to an end, so that a node
that dies in the middle of a long series of attempts leaves behind what it had done.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
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
    Yielded,
)
from tocsin.alerting.effects import FlushFinished
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
"""Alerts of a flush that are told with their labels."""
MAX_ALERTS: Final = 4096
"""Alerts of a flush that are told at all; of more, how many."""
MAX_ATTEMPTS: Final = 16
"""The first and the last ones of a delivery."""
MAX_YIELDS: Final = 16
MAX_BY: Final = 8
"""Silences that are named for one alert."""
MAX_LABEL_BYTES: Final = 4096
"""Of one alert: larger label sets are told by their fingerprint alone."""
MAX_TEXT: Final = 512
"""Characters of an error."""
MAX_OPEN: Final = 10_000
"""Flushes that are followed at once; past it the oldest is not followed any more."""

Name = tuple[str, str, Nanoseconds]
ENDS: Final = (Sent, NotNeeded, GivenUp, TooLate)


@dataclass(slots=True)
class _Draft:
    record: FlushRecord
    deliveries: dict[Integration, DeliveryRecord] = field(default_factory=dict)

    def taken(self) -> FlushRecord:
        return replace(self.record, deliveries=tuple(self.deliveries.values()))


class Recorder:
    """Follows the flushes of one configuration. ``node`` is this node's name in the cluster."""

    def __init__(self, node: str = "", *, max_open: int = MAX_OPEN) -> None:
        self._node = node
        self._max_open = max_open
        self._drafts: dict[Name, _Draft] = {}
        self.forgotten = 0
        """Flushes past the bound of those that are followed."""

    def __len__(self) -> int:
        return len(self._drafts)

    def under_way(self) -> list[FlushRecord]:
        """What is known of the flushes that have not ended."""
        return [draft.taken() for draft in self._drafts.values()]

    def decided(self, decision: Decision) -> FlushRecord | None:
        """Take in a decision. The flush as it is now, if one of its integrations came to an end by it."""
        draft = self._draft(decision.flush)
        match decision:
            case Unsettled(until=until):
                draft.record = replace(draft.record, unsettled_until=until)
                return None
            case Muted(integration=None):
                draft.record = replace(draft.record, muted=draft.record.muted + _mutes(decision))
                return None
            case _:
                return self._of_delivery(draft, decision)

    def _of_delivery(self, draft: _Draft, decision: DeliveryDecision) -> FlushRecord | None:
        integration = decision.integration
        if integration is None:  # A Muted of the whole flush, which has been dealt with.
            return None
        before = draft.deliveries.get(integration)
        if before is None:
            before = DeliveryRecord(
                receiver=integration.receiver, integration=integration.integration, index=integration.index
            )
        draft.deliveries[integration] = replace(_after(before, decision), at=decision.at)
        return draft.taken() if isinstance(decision, ENDS) else None

    def finished(self, effect: FlushFinished, now: Nanoseconds) -> FlushRecord:
        """The flush is over: its whole record."""
        draft = self._draft(effect.flush)
        del self._drafts[name_of(effect.flush)]
        return replace(draft.taken(), ended=now, success=effect.success, error=_short(effect.error))

    def _draft(self, flush: Flush) -> _Draft:
        name = name_of(flush)
        draft = self._drafts.get(name)
        if draft is None:
            if len(self._drafts) >= self._max_open:
                del self._drafts[next(iter(self._drafts))]
                self.forgotten += 1
            draft = self._drafts[name] = _Draft(_begun(flush, self._node))
        return draft


def name_of(flush: Flush) -> Name:
    """What tells a flush from every other of its node."""
    return flush.group_key, flush.route_id, flush.now


def _begun(flush: Flush, node: str) -> FlushRecord:
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


def _bounded(labels: Labels) -> Pairs:
    return labels.pairs if len(labels.canonical_bytes) <= MAX_LABEL_BYTES else ()


def _short(text: str) -> str:
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
    mute = MuteRecord(reason=decision.reason, at=decision.at, alerts=fingerprints, by=by)
    if inhibition is None:
        return mute
    source = _bounded(inhibition.source.labels)
    return replace(mute, rule=inhibition.number, rule_name=inhibition.rule.name, source=source)


def _logged(answer: LogAnswer) -> LogRecord | None:
    entry = answer.entry
    if entry is None:
        return None
    firing, resolved = len(entry.firing_alerts), len(entry.resolved_alerts)
    return LogRecord(notified_at=entry.timestamp, firing=firing, resolved=resolved, by=answer.by)


def _after(found: DeliveryRecord, decision: DeliveryDecision) -> DeliveryRecord:
    """The delivery's record after a decision."""
    match decision:
        case Muted():
            return replace(found, muted=found.muted + _mutes(decision))
        case Waiting(position=position, until=until):
            return replace(found, position=position, wait_until=until)
        case NotNeeded(reason=reason, log=log, remind_at=remind_at):
            return replace(
                found,
                outcome="not needed",
                reason=reason,
                log=_logged(log),
                remind_at=remind_at,
            )
        case Needed(reason=reason, log=log, firing=firing, resolved=resolved):
            return replace(found, reason=reason, log=_logged(log), firing=len(firing), resolved=len(resolved))
        case Yielded(at=at, peer=peer, intent=intent, until=until):
            made = YieldRecord(at=at, peer=peer, intent=intent.name.lower(), until=until)
            return replace(found, yields=(*found.yields[-MAX_YIELDS + 1 :], made))
        case Claimed():
            return found
        case Queued(at=at):
            return replace(found, queued_at=at)
        case Sent(at=at, number=number, began=began):
            attempt = AttemptRecord(number=number, began=began, ended=at, outcome="sent")
            return replace(_tried(found, attempt), outcome="sent")
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
            return _tried(found, attempt)
        case Overdue(at=at, number=number, began=began):
            return _tried(found, AttemptRecord(number=number, began=began, ended=at, outcome="overdue"))
        case GivenUp(reason=reason, error=error):
            return replace(found, outcome="given up", reason=reason, error=_short(error))
        case TooLate():
            return replace(found, outcome="too late")


def _tried(found: DeliveryRecord, attempt: AttemptRecord) -> DeliveryRecord:
    attempts = (*found.attempts, attempt)
    if len(attempts) <= MAX_ATTEMPTS:
        return replace(found, attempts=attempts)
    return replace(found, attempts=attempts[:1] + attempts[2:], attempts_left_out=found.attempts_left_out + 1)
