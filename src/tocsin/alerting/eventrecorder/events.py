"""What happens, as events: each says at which moment of Alertmanager's it stands, and what it is made of.

Little is done when something happens: an event holds values that do not change, and becomes a message when it
is written, on whatever thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from hashlib import sha256
from typing import Any, Final, NamedTuple
from uuid import UUID

from tocsin.alerting.alert import Alert
from tocsin.alerting.config import AlertmanagerConfig
from tocsin.alerting.decisions import Decision, Muted, MutedAlert, Needed, Sent
from tocsin.alerting.dispatch import Dispatcher
from tocsin.alerting.effects import FlushFinished
from tocsin.alerting.eventrecorder import schema
from tocsin.alerting.eventrecorder.schema import Kind, Message
from tocsin.alerting.group import Flush
from tocsin.alerting.integration import Integration
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher
from tocsin.alerting.notification import Reason
from tocsin.alerting.openflushes import MAX_OPEN, OpenFlushes
from tocsin.alerting.silence import Silence
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass

_REASONS: Final[Mapping[Reason, str]] = {
    "first notification": "NOTIFY_REASON_FIRST_NOTIFICATION",
    "new alerts added": "NOTIFY_REASON_NEW_ALERTS_IN_GROUP",
    "some alerts resolved": "NOTIFY_REASON_NEW_RESOLVED_ALERTS",
    "all alerts resolved": "NOTIFY_REASON_ALL_ALERTS_RESOLVED",
    "repeat interval elapsed": "NOTIFY_REASON_REPEAT_INTERVAL_ELAPSED",
}


class Events(NamedTuple):
    """Events of one kind and moment. ``make(*one)`` is what ``data`` holds, for each ``one`` of ``each``.
    ``long``: of many alerts."""

    kind: Kind
    make: Callable[..., Message]
    each: Sequence[tuple[Any, ...]] = ((),)
    long: bool = False


def started(version: str, build: str) -> Events:
    """The node starts. ``version``: Alertmanager's whose behaviour is offered."""
    return Events("alertmanager_startup_event", lambda: schema.given(version=version, buildContext=build))


def stopped() -> Events:
    """The node stops in order."""
    return Events("alertmanager_shutdown_event", dict)


def created(alerts: Iterable[Alert], now: Nanoseconds) -> Events:
    """Alerts that were not known were taken in."""
    return Events("alert_created", _of_alert, [(alert, now) for alert in alerts])


def inserted(alerts: Iterable[Alert], dispatcher: Dispatcher, now: Nanoseconds) -> Events:
    """Alerts were put into their groups: anew at each report, as in Alertmanager 0.34."""
    placed = dispatcher.placed
    return Events(
        "alert_grouped",
        _in_group,
        [
            (alert, now, group.key, group.labels, group.route.options.receiver)
            for alert in alerts
            for group in placed(alert.labels)
        ],
    )


def silence_changed(verb: str, silence: Silence) -> Iterator[Events]:
    """A silence was made (``create``) or changed (``update``) at this node; its end is no event."""
    if verb == "create":
        yield Events("silence_created", _of_silence, [(silence,)])
    elif verb == "update":
        yield Events("silence_updated", _of_silence, [(silence,)])


@dataclass(eq=False, slots=True)
class _Draft:
    flush: Flush
    muted: list[Muted] = field(default_factory=list)
    needed: dict[Integration, Needed] = field(default_factory=dict)


class FlowEvents:
    """Makes events of what is decided under one configuration. ``silence`` finds a silence by its id;
    ``instance`` is this node, so that its groups have ids of their own."""

    def __init__(
        self,
        config: AlertmanagerConfig,
        silence: Callable[[str], Silence | None],
        instance: str,
        *,
        max_open: int = MAX_OPEN,
    ) -> None:
        self._matchers = {route.id: route.matchers for route in config.route.walk()}
        self._silence = silence
        self._instance = instance
        self._drafts = OpenFlushes(_Draft, max_open)
        self.take_forgotten = self._drafts.take_forgotten
        """How many flushes past the bound were not followed to their end, since the last call."""

    def __len__(self) -> int:
        return len(self._drafts)

    def take(self, decided: Iterable[Decision | FlushFinished], now: Nanoseconds) -> Iterator[Events]:
        """Take in what was decided at once, in order."""
        for each in decided:
            match each:
                case Muted(integration=None):
                    yield from self._muted(each)
                case Needed():
                    self._drafts.of(each.flush).needed[each.integration] = each
                case Sent():
                    yield self._sent(each)
                case FlushFinished():
                    self._drafts.end(each.flush)
                    if each.success:
                        yield _resolved(each.flush, now)

    def _muted(self, decision: Muted) -> Iterator[Events]:
        if decision.reason not in ("inhibition", "silence"):
            return
        self._drafts.of(decision.flush).muted.append(decision)
        if decision.reason == "inhibition":
            yield Events("inhibition_muted_alert", _inhibited, [(each,) for each in decision.alerts])
            return
        named = {identifier for each in decision.alerts for identifier in each.by}
        found = {identifier: silence for identifier in named if (silence := self._silence(identifier))}
        yield Events(
            "silence_muted_alert",
            _silenced,
            [
                (each, found[identifier])
                for each in decision.alerts
                for identifier in each.by
                if identifier in found
            ],
        )

    def _sent(self, decision: Sent) -> Events:
        draft = self._drafts.get(decision.flush)
        needed = draft.needed.pop(decision.integration, None) if draft is not None else None
        of = (
            decision,
            needed,
            tuple(draft.muted) if draft is not None else (),
            self._matchers.get(decision.flush.route_id, ()),
            self._instance,
        )
        return Events("notification", _notification, [of], long=schema.is_long(decision.flush.alerts))


def _resolved(flush: Flush, now: Nanoseconds) -> Events:
    of = (flush.group_key, flush.group_labels, flush.options.receiver)
    ended = [(alert, now, *of) for alert in flush.alerts if alert.resolved_at(flush.now)]
    return Events("alert_resolved", _in_group, ended)


def _of_alert(alert: Alert, now: Nanoseconds) -> Message:
    return {"alert": schema.alert(alert, now)}


def _in_group(alert: Alert, now: Nanoseconds, key: str, labels: Labels, receiver: str) -> Message:
    return {"alert": schema.grouped(alert, now), "groupInfo": schema.group(key, labels, receiver)}


def _of_silence(silence: Silence) -> Message:
    return {"silence": schema.silence(silence)}


def _silenced(muted: MutedAlert, silence: Silence) -> Message:
    return {"silence": schema.silence(silence), "mutedAlert": schema.muted(muted.alert.labels)}


def _inhibited(muted: MutedAlert) -> Message:
    found = muted.inhibition
    return {
        "inhibitRules": [schema.rule(found.rule)] if found is not None else [],
        "mutedAlert": schema.muted(muted.alert.labels),
        "inhibitingFingerprints": [str(found.source.fingerprint)] if found is not None else [],
    }


def _notification(
    sent: Sent, needed: Needed | None, muted: Sequence[Muted], matchers: Sequence[Matcher], instance: str
) -> Message:
    flush, integration = sent.flush, sent.integration
    firing = needed.firing if needed is not None else ()
    resolved = needed.resolved if needed is not None else ()
    told = dict.fromkeys((*firing, *resolved) if integration.send_resolved else firing)
    alerts = []
    for each in flush.alerts:
        if each.labels.hash in told:
            alerts.append(schema.grouped(each, flush.now))
            del told[each.labels.hash]
    return schema.given(
        # What has come into the group since the flush began is there by its hash alone.
        alerts=[*alerts, *schema.referred(told)],
        firingAlerts=schema.referred(firing),
        resolvedAlerts=schema.referred(resolved),
        mutedAlerts=schema.referred(
            dict.fromkeys(each.alert.labels.hash for some in muted for each in some.alerts)
        ),
        groupInfo=schema.group(
            flush.group_key,
            flush.group_labels,
            flush.options.receiver,
            matchers,
            str(_group_uuid(flush, instance)),
        ),
        repeatInterval=schema.span(flush.options.repeat_interval),
        reason=_REASONS[needed.reason] if needed is not None else "",
        flushId=str(flush.number) if flush.number else "",
        integration=schema.given(name=integration.integration, index=str(integration.index or "")),
    )


def _group_uuid(flush: Flush, instance: str) -> UUID:
    """The same for all flushes of a group from its making to its end; a group that comes back has another."""
    name = f"{instance}\n{flush.route_id}\n{flush.group_key}\n{flush.born}"
    return UUID(bytes=sha256(name.encode("utf-8", "surrogatepass")).digest()[:16], version=4)
