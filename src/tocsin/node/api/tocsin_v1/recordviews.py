"""Decision records as the API shows them."""

from __future__ import annotations

from collections.abc import Iterable

from tocsin.alerting.record.model import AlertRecord, DeliveryRecord, FlushRecord, MuteRecord
from tocsin.alerting.timestamp import Nanoseconds, format_milliseconds
from tocsin.models.history import AlertSeen, AttemptTold, DeliveryTold, MutedTold, Notification


def notification(number: int, record: FlushRecord) -> Notification:
    """A flush."""
    return Notification(
        record=number,
        node=record.node,
        at=moment(record.began),
        ended=moment(record.ended),
        receiver=record.receiver,
        route=record.route_id,
        group_key=record.group_key,
        group_labels=dict(record.group_labels),
        alerts=len(record.alerts) + record.alerts_left_out,
        muted=tuple(map(_muted, record.muted)),
        deliveries=tuple(map(_delivery, record.deliveries)),
        next=moment(record.next_flush),
        error=record.error,
    )


def alert_seen(number: int, record: FlushRecord, alert: AlertRecord) -> AlertSeen:
    """An alert of a flush."""
    return AlertSeen(
        record=number,
        node=record.node,
        at=moment(record.began),
        fingerprint=f"{alert.fingerprint:016x}",
        labels=dict(alert.labels),
        starts_at=moment(alert.starts_at),
        ends_at=moment(alert.ends_at),
        receiver=record.receiver,
        group_key=record.group_key,
        muted=tuple(_muted(each) for each in _of(record.muted, alert)),
        outcome=tuple(
            f"{each.name} {'muted' if list(_of(each.muted, alert)) else each.outcome}"
            for each in record.deliveries
        ),
    )


def moment(instant: Nanoseconds | None) -> str:
    """A time; empty where there is none."""
    return format_milliseconds(instant) if instant else ""


def outcomes(record: FlushRecord) -> set[str]:
    """What became of a flush: of each integration, or "muted" where nothing was left for any."""
    found: set[str] = {each.outcome for each in record.deliveries}
    return found or ({"muted"} if record.muted else set())


def _of(muted: Iterable[MuteRecord], alert: AlertRecord) -> Iterable[MuteRecord]:
    return (each for each in muted if alert.fingerprint in each.alerts)


def _muted(record: MuteRecord) -> MutedTold:
    return MutedTold(why=record.reason, by=record.by, alerts=len(record.alerts))


def _delivery(record: DeliveryRecord) -> DeliveryTold:
    return DeliveryTold(
        integration=record.name,
        outcome=record.outcome,
        why=record.reason,
        error=record.error,
        at=moment(record.at),
        notified_by=record.log.by if record.log is not None else "",
        firing=record.firing,
        resolved=record.resolved,
        attempts=tuple(
            AttemptTold(
                number=each.number,
                began=moment(each.began),
                ended=moment(each.ended),
                outcome=each.outcome,
                reason=each.reason,
                error=each.error,
            )
            for each in record.attempts
        ),
    )
