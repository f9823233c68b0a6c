"""From what is known to a story. Pure: the records, the configuration and the time come in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tocsin.alerting.alert import Alert
from tocsin.alerting.config import AlertmanagerConfig
from tocsin.alerting.explain.routes import routes_told
from tocsin.alerting.explain.story import GroupTold, State, Story, Told
from tocsin.alerting.inhibit import Inhibition
from tocsin.alerting.labels import Labels
from tocsin.alerting.muting import Inhibitions, Muter, Muting
from tocsin.alerting.record.model import DeliveryRecord, FlushRecord, MuteRecord
from tocsin.alerting.route import Route
from tocsin.alerting.timestamp import Nanoseconds

MAX_TOLD: Final = 20
"""Notifications that are told of one group."""
_MUTED: Final[Mapping[str, str]] = {
    "silence": "silenced by {by}",
    "mute_time_interval": "muted by the time interval {by}",
    "active_time_interval": "outside of its active time intervals ({by})",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is known at one node. ``records``: newest first, those under way included."""

    labels: Labels
    now: Nanoseconds
    config: AlertmanagerConfig
    inhibitor: Inhibitions
    silences: Muter
    alert: Alert | None = None
    """As last reported; None: this node does not hold it."""
    records: Iterable[FlushRecord] = ()
    next_flushes: Mapping[tuple[str, Labels], Nanoseconds] = field(default_factory=dict)
    """When the timers of the groups are due, by route id and group labels."""
    node: str = ""


def explain(scene: Scene) -> Story:
    """The story of the alert with ``scene.labels``."""
    muting = Muting(
        inhibitor=scene.inhibitor, silences=scene.silences, time_intervals=scene.config.time_intervals
    )
    inhibition = scene.inhibitor.inhibition(scene.labels, scene.now)
    state, since = _state(scene)
    fingerprint = scene.labels.fingerprint
    records = [
        each for each in scene.records if any(alert.fingerprint == fingerprint for alert in each.alerts)
    ]
    routes = scene.config.route.match(scene.labels)
    return Story(
        labels=scene.labels,
        at=scene.now,
        node=scene.node,
        state=state,
        since=since,
        inhibited_by=_inhibition(inhibition) if inhibition is not None else "",
        silenced_by=scene.silences.mutes(scene.labels, scene.now),
        routes=tuple(routes_told(scene.config.route, scene.labels)),
        groups=tuple(_group(scene, route, records, muting) for route in routes)
        + tuple(_earlier_groups(records, {route.id for route in routes}, fingerprint)),
    )


def _state(scene: Scene) -> tuple[State, Nanoseconds | None]:
    alert = scene.alert
    if alert is None:
        return "not known", None
    return ("resolved", alert.ends_at) if alert.resolved_at(scene.now) else ("firing", alert.starts_at)


def _inhibition(found: Inhibition) -> str:
    return _by_rule(str(found.source.labels), found.number, found.rule.name)


def _by_rule(source: str, number: int | None, name: str) -> str:
    rule = f" ({name})" if name else ""
    return f"{source}, rule {number if number is not None else '?'}{rule}"


def _group(scene: Scene, route: Route, records: Sequence[FlushRecord], muting: Muting) -> GroupTold:
    labels = route.group_labels(scene.labels)
    own = [each for each in records if each.route_id == route.id]
    return GroupTold(
        receiver=route.options.receiver,
        route_id=route.id,
        labels=labels,
        muted_by=muting.muted_by(route.options, scene.now),
        next_flush=scene.next_flushes.get((route.id, labels)),
        told=_told(own, scene.labels.fingerprint),
    )


def _earlier_groups(
    records: Sequence[FlushRecord], current: set[str], fingerprint: int
) -> Iterator[GroupTold]:
    """Those of routes that the configuration does not have any more, or that the alert takes no more."""
    by_route: dict[str, list[FlushRecord]] = {}
    for each in records:
        if each.route_id not in current:
            by_route.setdefault(each.route_id, []).append(each)
    for route_id, found in by_route.items():
        labels = Labels(found[0].group_labels)
        told = _told(found, fingerprint)
        yield GroupTold(receiver=found[0].receiver, route_id=route_id, labels=labels, told=told)


def _told(records: Sequence[FlushRecord], fingerprint: int) -> tuple[Told, ...]:
    sent_here = {
        (delivery.name, attempt.ended)
        for record in records
        for delivery in record.deliveries
        for attempt in delivery.attempts
        if attempt.outcome == "sent"
    }
    found = [told for record in records for told in _of_flush(record, fingerprint, sent_here)]
    found.sort(key=lambda told: told.at, reverse=True)
    return tuple(found[:MAX_TOLD])


def _of_flush(record: FlushRecord, fingerprint: int, sent_here: set[tuple[str, int]]) -> Iterator[Told]:
    for mute in record.muted:
        if fingerprint in mute.alerts:
            yield _muted(record, mute, "")
            return
    if record.unsettled_until is not None and not record.deliveries:
        why = "it waits for the cluster to settle" if record.ended is None else record.error
        what = "under way" if record.ended is None else "failed"
        yield Told(
            at=record.began,
            node=record.node,
            integration="",
            what=what,  # type: ignore[arg-type]
            why=why,
            again_at=record.unsettled_until if record.ended is None else record.next_flush,
        )
    for delivery in record.deliveries:
        own = next((mute for mute in delivery.muted if fingerprint in mute.alerts), None)
        if own is not None:
            yield _muted(record, own, delivery.name)
        else:
            yield _of_delivery(record, delivery, sent_here)


def _muted(record: FlushRecord, mute: MuteRecord, integration: str) -> Told:
    if mute.reason == "inhibition":
        source = str(Labels(mute.source)) if mute.source else ", ".join(mute.by)
        why = f"inhibited by {_by_rule(source, mute.rule, mute.rule_name)}"
    else:
        why = _MUTED.get(mute.reason, mute.reason + " {by}").format(by=", ".join(mute.by))
    return Told(
        at=mute.at,
        node=record.node,
        integration=integration,
        what="muted",
        why=why,
        again_at=record.next_flush,
    )


def _of_delivery(record: FlushRecord, delivery: DeliveryRecord, sent_here: set[tuple[str, int]]) -> Told:
    told = Told(
        at=delivery.at, node=record.node, integration=delivery.name, what="under way", why=delivery.reason
    )
    match delivery.outcome:
        case "sent":
            return _with(told, "sent", delivery.reason + _failures(delivery), None)
        case "given up":
            why = f"{delivery.error} ({delivery.reason}), {_attempts(delivery)}"
            return _with(told, "failed", why, record.next_flush)
        case "too late":
            return _with(told, "failed", "its turn came after its deadline", record.next_flush)
        case "not needed":
            return _not_needed(told, delivery, sent_here)
        case "under way":
            return _under_way(told, record, delivery)


def _with(told: Told, what: str, why: str, again_at: Nanoseconds | None, *, node: str | None = None) -> Told:
    return Told(
        at=told.at,
        node=told.node if node is None else node,
        integration=told.integration,
        what=what,  # type: ignore[arg-type]
        why=why,
        again_at=again_at,
    )


def _not_needed(told: Told, delivery: DeliveryRecord, sent_here: set[tuple[str, int]]) -> Told:
    log = delivery.log
    again = delivery.remind_at
    if log is None or (delivery.name, log.notified_at) in sent_here or log.by == told.node != "":
        return _with(told, "not needed", delivery.reason, again)
    why = f"by {log.by or 'another node, or this one before its record begins'}; {delivery.reason}"
    found = _with(told, "sent by a peer", why, again, node=log.by)
    return Told(
        at=log.notified_at,
        node=found.node,
        integration=found.integration,
        what=found.what,
        why=found.why,
        again_at=again,
    )


def _under_way(told: Told, record: FlushRecord, delivery: DeliveryRecord) -> Told:
    if record.ended is not None:
        return _with(told, "failed", record.error, record.next_flush)
    if delivery.attempts:
        last = delivery.attempts[-1]
        why = f"{_attempts(delivery)}, the last one: {last.error or last.outcome} ({last.reason})"
        return _with(told, "under way", why, last.again_at)
    if delivery.yields:
        last_yield = delivery.yields[-1]
        return _with(told, "under way", f"{last_yield.peer} goes first", last_yield.until)
    if delivery.reason:
        return _with(told, "under way", f"{delivery.reason}: being sent", None)
    if delivery.position:
        why = f"{delivery.position} members come before this node"
        return _with(told, "under way", why, delivery.wait_until)
    return told


def _attempts(delivery: DeliveryRecord) -> str:
    count = len(delivery.attempts) + delivery.attempts_left_out
    return f"{count} attempt" + ("s" if count != 1 else "")


def _failures(delivery: DeliveryRecord) -> str:
    failed = [each for each in delivery.attempts if each.outcome != "sent"]
    if not failed:
        return ""
    count = len(failed) + delivery.attempts_left_out
    last = failed[-1]
    before = f"{count} attempt" + ("s" if count != 1 else "")
    return f"; {before} before it failed, the last one: {last.error or last.outcome}"
