"""Explains why a receiver was notified of an alert or was not, from what this node and its peers know."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from sys import maxsize
from time import monotonic
from typing import TYPE_CHECKING, Final

from tocsin.alerting.alert import Alert
from tocsin.alerting.explain.explanation import Scene, describe_inhibition, explain
from tocsin.alerting.explain.knowledge import HeldAlert, Knowledge, Timer
from tocsin.alerting.explain.question import MAX_ALERTS, MAX_RECORDS, Question, Wanted
from tocsin.alerting.explain.story import Explanation, NodeAnswer, Story
from tocsin.alerting.inhibit import Inhibition
from tocsin.alerting.labels import Labels
from tocsin.alerting.record.model import FlushRecord
from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.errors import ClosedError, NotFoundError, StorageError
from tocsin.node.api.scheduler import pause
from tocsin.node.api.steps import meets, pauses_after, run_steps
from tocsin.node.places import Places

if TYPE_CHECKING:
    from tocsin.node.cluster.asking import Asking
    from tocsin.node.parts import NodeParts

SLICE: Final = 256
"""Alerts that are filtered before other work runs."""
MAX_RECORD_ALERTS: Final = 100_000
"""Alerts within those records."""
SCAN_SECONDS: Final = 3.0
"""Seconds for which the record is searched at most."""
AT_ONCE: Final = 2
AT_ONCE_OF_ALL: Final = 8
"""Questions of one source, and of all, that are answered at the same time; more wait. A member that does
not answer holds a place for some seconds. Members are one source together, and have bounds of their own."""
MAX_NAMES: Final = 20
"""Receivers that the error for an unknown receiver names."""

NOT_ASKED: Final = "it was not asked, as no alert of this node matches the expressions"
KEEPS_NONE: Final = "it is an Alertmanager, which keeps no record: the notification log has what it sent"


class _Now:
    """What mutes one alert now, looked up before, as the explanation is made on a thread."""

    def __init__(self, inhibition: Inhibition | None, silences: tuple[str, ...]) -> None:
        self._inhibition = inhibition
        self._silences = silences

    def inhibition(self, _labels: Labels, _now: Nanoseconds) -> Inhibition | None:
        return self._inhibition

    def mutes(self, _labels: Labels, _now: Nanoseconds) -> tuple[str, ...]:
        return self._silences

    def muting(self, labels: Labels, now: Nanoseconds, _most: int, /) -> Steps[tuple[str, ...]]:
        return self.mutes(labels, now)
        yield


class Explaining:
    """For one node; ``asking`` asks the members of its cluster."""

    def __init__(self, parts: NodeParts, asking: Asking | None) -> None:
        self._parts = parts
        self._asking = asking
        self._turn = Places(AT_ONCE, AT_ONCE_OF_ALL)
        self._answering = Places(AT_ONCE, AT_ONCE_OF_ALL)  # answers of peers are large

    async def explain(self, question: Question, *, peers: bool, source: str = "") -> Explanation:
        """The stories of the alerts that are asked for, with what the ``peers`` know.

        ``source``: who asks, whose questions wait for each other. :class:`~tocsin.errors.NotFoundError` if
        nobody knows an alert with the fingerprint, or the receiver.
        """
        async with self._answering.taken(source):
            return await self._explain(question, peers=peers, source=source)

    async def _explain(self, question: Question, *, peers: bool, source: str) -> Explanation:
        own = await self.know(question, source)
        answers: dict[str, Knowledge | str] = {}
        cluster = self._parts.cluster
        asking = self._asking if peers else None
        if asking is not None and cluster is not None:
            members, asked = sorted(cluster.tocsin_peers, key=str.encode), for_peers(question, own)
            answers = await asking.ask(members, asked) if asked else dict.fromkeys(members, NOT_ASKED)
        others = [each for each in answers.values() if isinstance(each, Knowledge)]
        nodes = tuple(self._nodes(own, answers)) if peers else ()
        everybody = [each.name for each in cluster.peers()] if cluster is not None else []
        told = {own.node, *(each.node for each in others)}
        silent = tuple([each for each in everybody if each not in told])
        chosen = await asyncio.to_thread(chosen_of, question, [own, *others])
        if not chosen and (unknown := question.equal) is not None:
            chosen = [Labels({name: value for name, value in unknown.items() if value})]
        if not chosen and question.fingerprints:
            raise NotFoundError("no node that was asked knows such an alert")
        stories = [await self._story(each, own, others, silent) for each in chosen[: question.limit]]
        stories = [_of_groups(each, question) for each in stories]
        names = [each.name for each in self._parts.in_force.config.receivers]
        if question.receiver not in ("", *names) and not any(each.groups for each in stories):
            there = ", ".join(sorted(names)[:MAX_NAMES])
            raise NotFoundError(f"there is no receiver {question.receiver!r} (there are: {there})")
        return Explanation(tuple(stories), nodes, max(len(chosen) - question.limit, 0))

    async def know(self, question: Question, source: str = "") -> Knowledge:
        """What this node knows; peers get this."""
        async with self._turn.taken(source):
            alerts = await self._held(question)
            wanted = Wanted(question, frozenset([each.labels.fingerprint for each in alerts]))
            records, left_out = await self._records(wanted)
            held = [await self._held_alert(alert) for alert in alerts]
            return Knowledge(
                node=self._name,
                alerts=tuple(held),
                timers=self._timers([alert.labels for alert in alerts]),
                records=tuple(records),
                left_out=left_out,
            )

    @property
    def _name(self) -> str:
        cluster = self._parts.cluster
        return cluster.settings.name if cluster is not None else ""

    async def _held(self, question: Question) -> list[Alert]:
        """The alerts of this node that are asked for: firing ones before those that have ended."""
        parts = self._parts
        root, now = parts.in_force.config.route, parts.clock.now()
        if question.fingerprints and not question.matchers:
            some = [parts.alerts.get(each) for each in question.fingerprints]
            alerts = [each for each in some if each is not None]
        else:
            alerts = parts.alerts.all()
        firing: list[Alert] = []
        ended: list[Alert] = []
        elsewhere: list[Alert] = []
        pauses = pauses_after(SLICE)
        for alert in alerts:
            if next(pauses):
                await pause()
            labels = alert.labels
            named = question.names(labels.fingerprint)
            if named is None:
                named = await meets(question.matchers, labels, pauses)
            if not named:
                continue
            if question.in_place(root, labels):
                (ended if alert.resolved_at(now) else firing).append(alert)
            elif len(elsewhere) < question.limit and (question.matchers or question.fingerprints):
                elsewhere.append(alert)  # "Why was that receiver not notified?" is answered by its routes.
        return ([*firing, *ended] or elsewhere)[: question.limit]

    async def _held_alert(self, alert: Alert) -> HeldAlert:
        inhibition, silences = await self._muted(alert.labels)
        return HeldAlert(
            labels=alert.labels,
            starts_at=alert.starts_at,
            ends_at=alert.ends_at if alert.resolved_at(self._parts.clock.now()) else 0,
            inhibited_by=describe_inhibition(inhibition) if inhibition is not None else "",
            silenced_by=silences,
        )

    async def _muted(self, labels: Labels) -> tuple[Inhibition | None, tuple[str, ...]]:
        parts = self._parts
        await run_steps(labels.fingerprinting())
        await parts.look_ups.find_all([labels])
        now = parts.clock.now()
        silences = await run_steps(parts.state.silences.muting(labels, now, maxsize))
        return parts.in_force.engine.inhibitor.inhibition(labels, now), silences

    def _timers(self, alerts: Sequence[Labels]) -> tuple[Timer, ...]:
        found = {key: due for labels in alerts for key, due in self._due(labels).items()}
        return tuple([Timer(route_id=route, labels=of.pairs, due=due) for (route, of), due in found.items()])

    def _due(self, labels: Labels) -> Mapping[tuple[str, Labels], Nanoseconds]:
        engine = self._parts.in_force.engine
        found: dict[tuple[str, Labels], Nanoseconds] = {}
        for route in engine.config.route.match(labels):
            group = route.group_labels(labels)
            due = engine.dispatcher.next_flush(route.id, group)
            if due is not None:
                found[route.id, group] = due
        return found

    async def _records(self, wanted: Wanted) -> tuple[list[FlushRecord], str]:
        """The newest ones, and why there may be more."""
        if not self._parts.record.kept:
            return [], "it keeps no decision record"
        found: list[FlushRecord] = []
        alerts = 0
        end = monotonic() + SCAN_SECONDS
        try:
            async for some in self._parts.record.search(wanted):
                for record in some:
                    found.append(record)
                    alerts += len(record.alerts)
                    if len(found) >= MAX_RECORDS or alerts >= MAX_RECORD_ALERTS:
                        return found, "there are older records"
                if monotonic() > end:
                    return found, "its record was not searched to the end"
        except (StorageError, ClosedError) as error:
            return found, f"its record cannot be read: {error}"
        return found, ""

    def _nodes(self, own: Knowledge, answers: Mapping[str, Knowledge | str]) -> list[NodeAnswer]:
        found = [NodeAnswer(own.node, "partly" if own.left_out else "answered", own.left_out)]
        for name, answer in answers.items():
            if isinstance(answer, Knowledge):
                left_out = answer.left_out
                found.append(NodeAnswer(name, "partly" if left_out else "answered", left_out))
            else:
                found.append(NodeAnswer(name, "no answer", answer))
        cluster = self._parts.cluster
        told = {each.node for each in found}
        members = [peer.name for peer in cluster.peers()] if cluster is not None else []
        quiet = [NodeAnswer(one, "log only", KEEPS_NONE) for one in members if one not in told]
        return found + quiet

    async def _story(
        self, labels: Labels, own: Knowledge, others: Sequence[Knowledge], silent: tuple[str, ...]
    ) -> Story:
        parts = self._parts
        now = _Now(*await self._muted(labels))
        log, recorded = parts.state.log, parts.state.remembered.recorded
        scene = Scene(
            labels=labels,
            now=parts.clock.now(),
            config=parts.in_force.config,
            inhibitor=now,
            silences=now,
            silence=parts.state.silences.get,
            alert=parts.alerts.get(labels.fingerprint),
            records=own.records,
            next_flushes=self._due(labels),
            node=own.node,
            others=others,
            silent=silent,
            alone=not others and not silent,
            log=lambda receiver, key: recorded.later(receiver, key, log.query(receiver, key)),
            shadow=parts.state.shadow.compared if parts.state.shadow is not None else None,
        )
        return await asyncio.to_thread(explain, scene)


def for_peers(question: Question, own: Knowledge) -> Question | None:
    """The question with the alerts that were found here. ``None``: it names none, and expressions are not
    sent to others."""
    found = [each.labels.fingerprint for each in own.alerts]
    names = frozenset([*question.fingerprints, *found][:MAX_ALERTS])
    if question.matchers and question.equal is None and not names:
        return None
    return replace(question, fingerprints=names)


def chosen_of(question: Question, known: Sequence[Knowledge]) -> list[Labels]:
    """The alerts that are meant: those that fire, those that have ended, those that only records know."""
    wanted = Wanted(question, frozenset())
    found: dict[Labels, None] = {}
    held = [each for one in known for each in one.alerts]
    for alert in sorted(held, key=lambda alert: bool(alert.ends_at)):
        if wanted.concerns(alert.labels.fingerprint, alert.labels.pairs):
            found[alert.labels] = None
    records = [record for one in known for record in one.records]
    for record in sorted(records, key=lambda record: record.began, reverse=True):
        for each in record.alerts:
            if each.labels and wanted.concerns(each.fingerprint, each.labels):
                found[Labels(each.labels)] = None
    return list(found)


def _of_groups(story: Story, question: Question) -> Story:
    """Only the groups, and the time, that are asked for."""
    groups = [each for each in story.groups if question.of_group(each.receiver, each.key)]
    return replace(
        story,
        groups=tuple(
            [
                replace(
                    group,
                    outcomes=tuple(
                        [one for one in group.outcomes if question.since <= one.at <= question.until]
                    ),
                )
                for group in groups
            ]
        ),
    )
