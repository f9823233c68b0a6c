"""From what is known to a story. Pure: the records, the configuration and the time come in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from itertools import chain
from typing import Final

from tocsin.alerting.alert import Alert
from tocsin.alerting.config import AlertmanagerConfig
from tocsin.alerting.explain.knowledge import Knowledge
from tocsin.alerting.explain.routes import routing_steps
from tocsin.alerting.explain.story import (
    AtNode,
    DeliveryStory,
    GroupStory,
    SilenceNote,
    State,
    Story,
    What,
)
from tocsin.alerting.inhibit import Inhibition
from tocsin.alerting.integration import integrations
from tocsin.alerting.labels import Labels
from tocsin.alerting.muting import Inhibitions, Muter, Muting
from tocsin.alerting.nflog import Entry, Receiver
from tocsin.alerting.record.model import DeliveryRecord, FlushRecord, MuteRecord
from tocsin.alerting.route import Route
from tocsin.alerting.silence import Silence
from tocsin.alerting.timestamp import SECOND, Nanoseconds, format_rfc3339
from tocsin.dataclass import dataclass

MAX_SHOWN: Final = 20
"""Notifications that are shown of one group."""
MAX_EARLIER: Final = 50
"""Groups of routes that the alert takes no more, those with the newest records."""
MAX_SILENCES: Final = 5
"""Of which more than the id is shown."""
LOG_SAYS: Final = "the notification log says so"
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
    silence: Callable[[str], Silence | None] = lambda _identifier: None
    """The silence with that id."""
    alert: Alert | None = None
    """As last reported; None: this node does not hold it."""
    records: Iterable[FlushRecord] = ()
    next_flushes: Mapping[tuple[str, Labels], Nanoseconds] = field(default_factory=dict)
    """When the timers of the groups are due, by route id and group labels."""
    node: str = ""
    others: Sequence[Knowledge] = ()
    """What other nodes know."""
    silent: tuple[str, ...] = ()
    """Names of members that have answered nothing: Alertmanagers, and members that did not answer."""
    alone: bool = False
    """There is no other member: what was sent, this node sent."""
    log: Callable[[Receiver, str], Entry | None] = lambda _receiver, _group: None
    """The notification log: the last notification of a group to an integration."""
    shadow: Callable[[str, str, Nanoseconds], str] | None = None
    """If this node is in shadow: what the others did where it would have notified the group of a key by an
    integration, at its flush that began then; as text."""


class _Sent:
    """What records, or the log, say was sent: integrations and when. Peers may report very many."""

    def __init__(self, stamps: set[tuple[str, int]]) -> None:
        self.stamps = stamps
        self.names = {name for name, _ in stamps}


def explain(scene: Scene) -> Story:
    """The story of the alert with ``scene.labels``."""
    muting = Muting(
        inhibitor=scene.inhibitor, silences=scene.silences, time_intervals=scene.config.time_intervals
    )
    inhibition = scene.inhibitor.inhibition(scene.labels, scene.now)
    state, since = _state(scene)
    fingerprint = scene.labels.fingerprint
    records = [
        each
        for each in chain(scene.records, *[other.records for other in scene.others])
        if any(alert.fingerprint == fingerprint for alert in each.alerts)
    ]
    records.sort(key=lambda record: record.began, reverse=True)
    routes = scene.config.route.match(scene.labels)
    silenced_by = scene.silences.mutes(scene.labels, scene.now)
    return Story(
        labels=scene.labels,
        at=scene.now,
        node=scene.node,
        state=state,
        since=since,
        inhibited_by=describe_inhibition(inhibition) if inhibition is not None else "",
        silenced_by=silenced_by,
        silences=tuple(
            [_silence_note(each) for each in map(scene.silence, silenced_by[:MAX_SILENCES]) if each]
        ),
        elsewhere=tuple([_elsewhere(scene, other) for other in scene.others]),
        routes=tuple(routing_steps(scene.config.route, scene.labels)),
        groups=tuple([_group(scene, route, records, muting) for route in routes])
        + tuple(_earlier_groups(scene, records, {route.id for route in routes})),
    )


def _silence_note(silence: Silence) -> SilenceNote:
    return SilenceNote(silence.id, silence.created_by, silence.comment, silence.ends_at)


def _elsewhere(scene: Scene, other: Knowledge) -> AtNode:
    for held in other.alerts:
        if held.labels == scene.labels:
            return AtNode(
                node=other.node,
                state="resolved" if held.ends_at else "firing",
                since=held.ends_at or held.starts_at,
                inhibited_by=held.inhibited_by,
                silenced_by=held.silenced_by,
            )
    return AtNode(node=other.node, state="not known")


def _state(scene: Scene) -> tuple[State, Nanoseconds | None]:
    alert = scene.alert
    if alert is None:
        return "not known", None
    return ("resolved", alert.ends_at) if alert.resolved_at(scene.now) else ("firing", alert.starts_at)


def describe_inhibition(found: Inhibition) -> str:
    """The inhibiting alert and the rule, as text."""
    return _by_rule(str(found.source.labels), found.number, found.rule.name)


def _by_rule(source: str, number: int | None, name: str) -> str:
    rule = f" ({name})" if name else ""
    return f"{source}, rule {number if number is not None else '?'}{rule}"


def _group(scene: Scene, route: Route, records: Sequence[FlushRecord], muting: Muting) -> GroupStory:
    labels = route.group_labels(scene.labels)
    key = f"{route.key}:{labels}"
    outcomes = _outcomes(scene, [each for each in records if each.route_id == route.id])
    logged, without = _log_outcomes(scene, route.options.receiver, key, outcomes)
    due = scene.next_flushes.get((route.id, labels)) or min(
        [
            timer.due
            for other in scene.others
            for timer in other.timers
            if timer.route_id == route.id and Labels(timer.labels) == labels
        ],
        default=None,
    )
    return GroupStory(
        receiver=route.options.receiver,
        route_id=route.id,
        labels=labels,
        key=key,
        muted_by=muting.muted_by(route.options, scene.now),
        next_flush=due,
        logged=without,
        outcomes=_newest_first([*outcomes, *logged]),
    )


def _earlier_groups(scene: Scene, records: Sequence[FlushRecord], current: set[str]) -> Iterator[GroupStory]:
    """Those of routes that the configuration does not have any more, or that the alert takes no more."""
    by_route: dict[str, list[FlushRecord]] = {}
    for each in records:
        if each.route_id not in current and (each.route_id in by_route or len(by_route) < MAX_EARLIER):
            by_route.setdefault(each.route_id, []).append(each)
    for route_id, found in by_route.items():
        yield GroupStory(
            receiver=found[0].receiver,
            route_id=route_id,
            labels=Labels(found[0].group_labels),
            key=found[0].group_key,
            outcomes=_newest_first(_outcomes(scene, found)),
        )


def _outcomes(scene: Scene, records: Sequence[FlushRecord]) -> list[DeliveryStory]:
    """Each thing once: that there is nothing new to notify only the last time, at one node."""
    sent = _Sent(
        {
            (delivery.name, attempt.ended)
            for record in records
            for delivery in record.deliveries
            for attempt in delivery.attempts
            if attempt.outcome == "sent"
        }
    )
    found: dict[object, DeliveryStory] = {}
    for record in records:
        for outcome in _of_flush(scene, record, sent):
            match outcome.what:
                case "not needed":
                    key: object = outcome.what, outcome.integration
                case "sent by a peer":
                    key = outcome.what, outcome.integration, outcome.at
                case _:
                    key = len(found), outcome.integration
            found.setdefault(key, outcome)
    return list(found.values())


def _newest_first(outcomes: Iterable[DeliveryStory]) -> tuple[DeliveryStory, ...]:
    return tuple(sorted(outcomes, key=lambda each: each.at, reverse=True)[:MAX_SHOWN])


def _log_outcomes(
    scene: Scene, receiver: str, group_key: str, outcomes: Sequence[DeliveryStory]
) -> tuple[list[DeliveryStory], str]:
    """What the notification log knows and no record does: notifications with this alert, and as text the
    last one without it."""
    found: list[DeliveryStory] = []
    without = ""
    known = _Sent(
        {(each.integration, each.at) for each in outcomes if each.what in ("sent", "sent by a peer")}
    )
    now = scene.now
    one = scene.labels.hash
    for config in scene.config.receivers:
        for integration in integrations(config) if config.name == receiver else ():
            entry = scene.log(integration.log_receiver, group_key)
            if entry is None or _is_known(known, str(integration), entry.timestamp, now):
                continue
            node, why = _peer(scene, "")
            if one in entry.firing_alerts or one in entry.resolved_alerts:
                found.append(
                    DeliveryStory(
                        at=entry.timestamp,
                        node=node,
                        integration=str(integration),
                        what="sent" if scene.alone else "sent by a peer",
                        why=why,
                        resolved=one in entry.resolved_alerts,
                    )
                )
            elif not any(each.integration == str(integration) for each in outcomes):
                when = format_rfc3339(entry.timestamp // SECOND * SECOND)
                without = f"the group was notified at {when}, without this alert"
    return found, without


def _peer(scene: Scene, by: str) -> tuple[str, str]:
    """Who notified, as far as is known, and how that is known, as text."""
    if scene.alone:
        return scene.node, f"{LOG_SAYS}, and it has no record of it"
    if by:
        return by, "its intent and the notification log say so"
    match scene.silent:
        case (one,):
            return one, LOG_SAYS
        case ():
            return "", f"by a node that has no record of it; {LOG_SAYS}"
        case several:
            return "", f"by {' or '.join(several)}; {LOG_SAYS}"


def _of_flush(scene: Scene, record: FlushRecord, sent: _Sent) -> Iterator[DeliveryStory]:
    fingerprint = scene.labels.fingerprint
    resolved = any(each.fingerprint == fingerprint and each.ends_at for each in record.alerts)
    for mute in record.muted:
        if fingerprint in mute.alerts:
            yield _muted(record, mute, "")
            return
    if record.unsettled_until is not None and not record.deliveries:
        why = "it waits for the cluster to settle" if record.ended is None else record.error
        what: What = "under way" if record.ended is None else "failed"
        yield DeliveryStory(
            at=record.began,
            node=record.node,
            integration="",
            what=what,
            why=why,
            again_at=record.unsettled_until if record.ended is None else record.next_flush,
        )
    for delivery in record.deliveries:
        own = next((mute for mute in delivery.muted if fingerprint in mute.alerts), None)
        if own is not None:
            yield _muted(record, own, delivery.name)
            continue
        yield _of_delivery(scene, record, delivery, sent, resolved)
        if delivery.attempts and delivery.outcome == "not needed":
            yield _failed_before(record, delivery)


def _muted(record: FlushRecord, mute: MuteRecord, integration: str) -> DeliveryStory:
    if mute.reason == "inhibition":
        source = str(Labels(mute.source)) if mute.source else ", ".join(mute.by)
        why = f"inhibited by {_by_rule(source, mute.rule, mute.rule_name)}"
    else:
        why = _MUTED.get(mute.reason, mute.reason + " {by}").format(by=", ".join(mute.by))
    return DeliveryStory(
        at=mute.at,
        node=record.node,
        integration=integration,
        what="muted",
        why=why,
        again_at=record.next_flush,
    )


def _of_delivery(
    scene: Scene, record: FlushRecord, delivery: DeliveryRecord, sent: _Sent, resolved: bool
) -> DeliveryStory:
    outcome = DeliveryStory(
        at=delivery.at,
        node=record.node,
        integration=delivery.name,
        what="under way",
        why=delivery.reason,
        resolved=resolved,
    )
    match delivery.outcome:
        case "sent":
            again = None if resolved else outcome.at + record.repeat_interval
            return _with(outcome, "sent", delivery.reason + _failures(delivery), again)
        case "given up":
            why = f"{delivery.error} ({delivery.reason}), {_attempts(delivery)}"
            return _with(outcome, "failed", why, record.next_flush)
        case "too late":
            return _with(outcome, "failed", "its deadline passed before it could be sent", record.next_flush)
        case "not needed":
            return _not_needed(scene, outcome, delivery, sent)
        case "would have sent":
            why = f"in shadow: would have sent, {delivery.reason}"
            if scene.shadow is not None and record.node == scene.node:
                why += f"; {scene.shadow(delivery.name, record.group_key, record.began)}"
            return _with(outcome, "would have sent", why, None)
        case "under way":
            return _under_way(outcome, record, delivery)


def _failed_before(record: FlushRecord, delivery: DeliveryRecord) -> DeliveryStory:
    last = delivery.attempts[-1]
    return DeliveryStory(
        at=last.ended,
        node=record.node,
        integration=delivery.name,
        what="failed",
        why=f"{_attempts(delivery)}, the last one: {last.error or last.outcome}; then a peer sent it",
    )


def _with(outcome: DeliveryStory, what: What, why: str, again_at: Nanoseconds | None) -> DeliveryStory:
    return replace(outcome, what=what, why=why, again_at=again_at)


def _is_known(sent: _Sent, integration: str, stamp: int, now: Nanoseconds) -> bool:
    """Whether a record has the notification that the log has under that stamp.

    A stamp that lies ahead was made by a clock that was, or after one: of those none is made that is earlier
    than what the log has. Then it is no time, and what was sent is taken for what the log means.
    """
    return (integration, stamp) in sent.stamps or (stamp > now and integration in sent.names)


def _not_needed(scene: Scene, outcome: DeliveryStory, delivery: DeliveryRecord, sent: _Sent) -> DeliveryStory:
    log = delivery.log
    again = delivery.remind_at
    if (
        log is None
        or _is_known(sent, delivery.name, log.notified_at, outcome.at)
        or log.by == outcome.node != ""
    ):
        return _with(outcome, "not needed", delivery.reason, again)
    node, why = _peer(scene, log.by)
    what: What = "sent" if scene.alone else "sent by a peer"
    return replace(outcome, at=log.notified_at, node=node, what=what, why=why, again_at=again)


def _under_way(outcome: DeliveryStory, record: FlushRecord, delivery: DeliveryRecord) -> DeliveryStory:
    if record.ended is not None:
        return _with(outcome, "failed", record.error, record.next_flush)
    if delivery.attempts:
        last = delivery.attempts[-1]
        why = f"{_attempts(delivery)}, the last one: {last.error or last.outcome} ({last.reason})"
        return _with(outcome, "under way", why, last.again_at)
    if delivery.yields:
        last_yield = delivery.yields[-1]
        found = _with(outcome, "under way", f"{last_yield.peer} goes first", last_yield.until)
        return replace(found, waits=True)
    if delivery.reason:
        return _with(outcome, "under way", f"{delivery.reason}: being sent", None)
    if delivery.position:
        why = f"it waits for {delivery.position} peer{'s' if delivery.position > 1 else ''} before it"
        return replace(_with(outcome, "under way", why, delivery.wait_until), waits=True)
    return outcome


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
