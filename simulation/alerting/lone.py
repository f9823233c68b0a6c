"""Stories of one node, held against the oracle: alerts that come, end and come back; receivers that fail;
silences; an alert that inhibits others; reloads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Final, TypeAlias

from simulation.alerting.config import Hook, HookReceiver, SimulatedConfig
from simulation.alerting.oracle import Happened, Observed, Oracle, observed_of
from simulation.alerting.world import AlertingWorld, Answer, Sent
from tocsin.alerting.alert import Alert
from tocsin.alerting.inhibit import InhibitRule
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import parse_matchers
from tocsin.alerting.route import Route, RouteConfig, build_route
from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import MILLISECOND, SECOND, ZERO, Nanoseconds

T0: Final = 1_800_000_000 * SECOND
LENGTH: Final = 300 * SECOND
REST: Final = 200 * SECOND
"""After the last event, so that all is told."""


@dataclass(frozen=True, slots=True)
class Change:
    """An alert begins or ends."""

    at: Nanoseconds
    labels: Labels
    fires: bool
    since: Nanoseconds = 0
    """For how long it has been firing when it is reported first."""


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which a receiver's integration fails, or an alert is silenced."""

    begins: Nanoseconds
    ends: Nanoseconds
    index: int = 0
    labels: Labels = field(default_factory=Labels)


@dataclass(frozen=True, slots=True)
class LoneStory:
    """All that happens. Times count from the beginning."""

    seed: int
    group_wait: Nanoseconds
    group_interval: Nanoseconds
    repeat_interval: Nanoseconds
    send_resolved: tuple[bool, ...]
    changes: tuple[Change, ...]
    outages: tuple[Span, ...]
    silences: tuple[Span, ...]
    inhibition: bool
    again: Nanoseconds
    """How long after its end an alert is reported as resolved once more; 0: never."""
    latency: Nanoseconds
    reloads: tuple[Nanoseconds, ...] = ()

    @property
    def replay(self) -> str:
        """The command that plays it again."""
        return f"python -m simulation.alerting --seed {self.seed} --kind lone"


def tell_lone(seed: int) -> LoneStory:
    """The story of a seed."""
    chance = Random(f"lone/{seed}")
    interval = chance.choice((10, 20, 30)) * SECOND
    alerts = [
        Labels({"alertname": name, "i": str(index)})
        for name in "AB"[: chance.randint(1, 2)]
        for index in range(1, 1 + chance.randint(1, 4))
    ]
    changes: list[Change] = []
    for labels in alerts:
        when, fires = 0, True
        if chance.random() < 0.6:
            when = chance.randrange(LENGTH // MILLISECOND) * MILLISECOND
        while when < LENGTH:
            since = 3600 * SECOND if fires and chance.random() < 0.1 else 0
            changes.append(Change(when, labels, fires, since))
            longest = chance.choice((2, 20, 100)) * SECOND
            when += chance.randrange(MILLISECOND, longest)
            fires = not fires
    changes.sort(key=lambda change: change.at)

    def spans(number: int, longest: Nanoseconds) -> tuple[Span, ...]:
        found = []
        for _ in range(number):
            begins = chance.randrange(LENGTH)
            ends = begins + chance.randrange(longest)
            found.append(Span(begins, ends, chance.randrange(2), chance.choice(alerts)))
        return tuple(found)

    return LoneStory(
        seed,
        group_wait=chance.choice((1, 5)) * SECOND,
        group_interval=interval,
        repeat_interval=chance.choice((3600 * SECOND, 3600 * SECOND, 3 * interval)),
        send_resolved=tuple(chance.random() < 0.5 for _ in range(chance.choice((1, 1, 2)))),
        changes=tuple(changes),
        outages=spans(chance.choice((0, 0, 1, 2)), 40 * SECOND),
        silences=spans(chance.choice((0, 0, 1, 2)), 90 * SECOND),
        inhibition=chance.random() < 0.2,
        again=chance.choice((0, 0, 25)) * SECOND,
        latency=chance.choice((5, 500, 3000)) * MILLISECOND,
        reloads=tuple(sorted(chance.randrange(LENGTH) for _ in range(chance.choice((0, 0, 1, 3))))),
    )


Spoil: TypeAlias = Callable[[list[Observed]], list[Observed]]


class Silenced:
    """The story's silences, as nodes ask for them."""

    def __init__(self, story: LoneStory) -> None:
        self._story = story

    def mutes(self, labels: Labels, now: Nanoseconds, /) -> tuple[str, ...]:
        """Whether there is one for the alert."""
        spans = self._story.silences
        return ("by",) if any(s.labels == labels and s.begins <= now - T0 < s.ends for s in spans) else ()

    def muting(self, labels: Labels, now: Nanoseconds, _most: int, /) -> Steps[tuple[str, ...]]:
        """The same."""
        return self.mutes(labels, now)
        yield


def play_lone(story: LoneStory, *, spoil: Spoil = lambda observed: observed) -> list[str]:
    """What the oracle has against what a node made of the story. ``spoil`` changes what the oracle sees."""
    reports = reports_of(story)
    silenced = Silenced(story)
    chance = Random(f"answers/{story.seed}")
    answers: list[Answer] = []
    """In the order of the attempts."""

    def answer(sent: Sent) -> Answer:
        index, when = sent.attempt.integration.index, sent.at - T0
        down = any(one.index == index and one.begins <= when < one.ends for one in story.outages)
        latency, left = chance.randrange(MILLISECOND, story.latency), sent.attempt.deadline - sent.at
        failure = "contextDeadlineExceeded" if latency >= left else "serverError" if down else ""
        answers.append(Answer(min(latency, left), failure))
        return answers[-1]

    config = config_of(story)
    world = AlertingWorld(config, nodes=1, now=T0, seed=story.seed, sink=answer, silences=silenced)
    for alert in reports:
        world.at(alert.updated_at, partial(world.post, alert))
    reloaded: list[Nanoseconds] = []

    def reload() -> None:
        """As soon as no flush is under way: how an attempt of before is ended is for tests of the node."""
        if not world.is_idle("node-0"):
            world.at(world.now + 10 * MILLISECOND, reload)
        else:
            world.nodes["node-0"].reload(world.now)
            reloaded.append(world.now)

    for at in story.reloads:
        world.at(T0 + at, reload)
    end = T0 + LENGTH + REST
    world.run(end - T0)

    def muted(labels: Labels, now: Nanoseconds) -> bool:
        return bool(silenced.mutes(labels, now)) or (story.inhibition and inhibited(reports, labels, now))

    oracle = Oracle(config.route, {"hook": story.send_resolved}, muted=muted)
    happened = [
        *(Happened(alert.updated_at, alert) for alert in reports),
        *(Happened(when, None) for when in reloaded),
    ]
    wrong = oracle.judge(happened, spoil(_observed(world, answers)), end - 60 * SECOND)
    return [f"{story.replay}: {one}" for one in wrong]


def reports_of(story: LoneStory) -> list[Alert]:
    """What is posted, in order of time (``updated_at``)."""
    reports: list[Alert] = []
    began: dict[Labels, Nanoseconds] = {}
    ended: dict[Labels, Nanoseconds] = {}
    for change in story.changes:
        now = T0 + change.at
        if change.fires:
            began[change.labels] = max(now - change.since, ended.get(change.labels, 0) + 1)
        else:
            ended[change.labels] = now
        end = ZERO if change.fires else now
        reports.append(Alert(change.labels, Labels(), began[change.labels], end, updated_at=now))
    ends = [one for one in reports if one.ends_at != ZERO]
    later = [replace(one, updated_at=one.updated_at + n * story.again) for one in ends for n in (1, 2, 3)]
    fires = {(one.labels, one.updated_at) for one in reports if one.ends_at == ZERO}
    for one in later if story.again else ():
        again = (when for labels, when in fires if labels == one.labels)
        if not any(one.ends_at < when <= one.updated_at for when in again):
            reports.append(one)
    return sorted(reports, key=lambda one: one.updated_at)


def inhibited(reports: list[Alert], labels: Labels, now: Nanoseconds) -> bool:
    """The first alert of each name mutes the others of that name while it fires."""
    if labels["i"] == "1":
        return False
    source = Labels({"alertname": labels["alertname"], "i": "1"})
    last = [alert for alert in reports if alert.labels == source and alert.updated_at <= now]
    return bool(last) and not last[-1].resolved_at(now)


def config_of(story: LoneStory) -> SimulatedConfig:
    """What the nodes of the story are configured with."""
    route: Route = build_route(
        RouteConfig(
            receiver="hook",
            group_by=("alertname",),
            group_wait=story.group_wait,
            group_interval=story.group_interval,
            repeat_interval=story.repeat_interval,
        )
    )
    hooks = tuple(Hook(send_resolved=one) for one in story.send_resolved)
    rule = InhibitRule(
        source_matchers=parse_matchers('i="1"'),
        target_matchers=parse_matchers('i!="1"'),
        equal=("alertname",),
    )
    rules = (rule,) if story.inhibition else ()
    return SimulatedConfig(route=route, receivers=(HookReceiver(hooks),), inhibit_rules=rules)


def _observed(world: AlertingWorld, answers: list[Answer]) -> list[Observed]:
    found: list[Observed] = []
    for sent, answer in zip(world.sent, answers, strict=True):
        notification, integration = sent.attempt.notification, sent.attempt.integration
        firing, resolved = observed_of(notification.alerts)
        found.append(
            Observed(
                at=sent.at,
                ended=sent.at + answer.latency,
                place=(notification.group_key, integration.receiver, integration.index),
                firing=firing,
                resolved=resolved,
                reason=notification.reason,
                taken=not answer.failure,
            )
        )
    return found
