"""Stories for an alerting cluster, told by a seed, and what must hold in each.

Never a missed notification: every alert that fires is told in the time that a single node would need for it,
and some for the waits among nodes. And outside a partition never two: each notification has news.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final

from simulation.alerting.cluster_oracle import ClusterOracle, Told
from simulation.alerting.config import SimulatedConfig
from simulation.alerting.oracle import LEAST_DEADLINE
from simulation.alerting.world import AlertingWorld, Answer, Sent
from tocsin.alerting.alert import Alert
from tocsin.alerting.config import AlertmanagerConfig
from tocsin.alerting.labels import Labels
from tocsin.alerting.route import RouteConfig, build_route
from tocsin.alerting.timestamp import MILLISECOND, SECOND, ZERO, Nanoseconds

T0: Final = 1_800_000_000 * SECOND
MINUTE: Final = 60 * SECOND
TROUBLE: Final = 3 * MINUTE
"""For so long alerts change and things go wrong; then it is calm."""
CALM: Final = 10 * MINUTE
SHORTLY: Final = 2 * SECOND
"""Whoever dies so soon after the receiver took its notification may not have told of it."""

KINDS: Final = ("calm", "failing", "slow", "unreachable", "flapping", "joining", "crashing", "partition")


@dataclass(slots=True)
class Story:
    """What is random in a run. Equal seeds (and kinds) give equal stories."""

    seed: int
    kind: str
    nodes: int = 3
    groups: int = 4
    peer_timeout: Nanoseconds = 15 * SECOND
    group_interval: Nanoseconds = 30 * SECOND
    gossip_delay: Nanoseconds = 20 * MILLISECOND
    journal_delay: Nanoseconds = 0
    loss: float = 0.0
    spread: Nanoseconds = 0
    """How long after the first node the last one learns of an alert."""
    skews: tuple[Nanoseconds, ...] = ()
    latency: Nanoseconds = 5 * MILLISECOND
    failing_until: Nanoseconds = 0
    failure_rate: float = 0.0
    unreachable_for: str = ""
    """A node whose attempts all fail."""
    resolving: bool = True

    @property
    def replay(self) -> str:
        """The command that runs it again."""
        return f"python -m simulation.alerting --seed {self.seed} --kind {self.kind}"


def tell(seed: int, kind: str = "") -> Story:
    """The story of a seed; ``kind`` empty: one of :data:`KINDS`, by the seed."""
    chance = Random(f"{seed}/{kind}")
    kind = kind or KINDS[seed % len(KINDS)]
    chance = Random(f"{seed}/{kind}")
    nodes = chance.randint(2, 4)
    skewed = chance.random() < 0.5
    story = Story(
        seed,
        kind,
        nodes=nodes,
        groups=chance.randint(2, 6),
        peer_timeout=chance.choice((1, 2, 5, 15)) * SECOND,
        group_interval=chance.choice((10, 20, 30, 60)) * SECOND,
        gossip_delay=chance.choice((2, 10, 50, 100)) * MILLISECOND,
        journal_delay=chance.choice((0, 5, 100)) * MILLISECOND,
        loss=chance.choice((0.0, 0.0, 0.02, 0.1)),
        spread=chance.choice((0, 500, 5_000, 40_000)) * MILLISECOND,
        skews=tuple(chance.randint(-180, 180) * SECOND for _ in range(nodes)) if skewed else (),
        latency=chance.choice((5, 50, 800)) * MILLISECOND,
        resolving=not skewed,
    )
    if kind == "failing":
        story.failing_until = T0 + chance.randint(5, 120) * SECOND
        story.failure_rate = chance.choice((0.0, 0.3))
    elif kind == "slow":
        story.latency = chance.choice((1_500, 3_000, 8_000)) * MILLISECOND
    elif kind == "unreachable":
        story.unreachable_for = f"node-{chance.randrange(nodes)}"
    return story


@dataclass(slots=True)
class Outcome:
    """What a story came to."""

    story: Story
    accepted: int = 0
    attempts: int = 0
    duplicates: list[str] = field(default_factory=list)
    excused: int = 0
    """Notifications without news that nobody could have known of: after a crash, or in a partition."""
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Notifications of other alerts than they may be of, or for another reason than they say."""
    latest: Nanoseconds = 0
    """The longest that an alert waited."""

    def check(self) -> None:
        """AssertionError with the command to replay it, if something must not be."""
        wrong = [*self.missed, *self.duplicates, *self.wrong]
        assert not wrong, "\n".join([self.story.replay, *wrong])  # noqa: S101


class _Run:
    def __init__(self, story: Story, with_intents: bool) -> None:
        self.story = story
        self.chance = Random(f"run/{story.seed}/{story.kind}")
        self.fired: dict[Labels, tuple[Nanoseconds, Alert]] = {}
        self.resolved: dict[Labels, Nanoseconds] = {}
        self.crashes: list[tuple[str, Nanoseconds]] = []
        self.partition: tuple[Nanoseconds, Nanoseconds] | None = None
        self.repeated: set[str] = set()
        """Groups that were notified once more after the partition, for it."""
        self.world = AlertingWorld(
            _config(story),
            nodes=story.nodes,
            now=T0,
            seed=story.seed,
            peer_timeout=story.peer_timeout,
            gossip_delay=story.gossip_delay,
            sink=self._answer,
            skews=story.skews,
            loss=story.loss,
            journal_delay=story.journal_delay,
            with_intents=with_intents,
        )

    def _answer(self, sent: Sent) -> Answer:
        story = self.story
        latency = int(story.latency * self.chance.uniform(0.2, 1.0))
        failed = sent.at < story.failing_until or sent.node == story.unreachable_for
        failed = failed or (story.failure_rate > 0 and self.chance.random() < story.failure_rate)
        return Answer(latency, failure="serverError" if failed else "")

    # -- what happens

    def play(self) -> None:
        self._schedule_alerts()
        trouble = {
            "flapping": self._flapping,
            "joining": self._joining,
            "crashing": self._crashing,
            "partition": self._partition,
        }.get(self.story.kind)
        if trouble is not None:
            trouble()
        self.world.run(TROUBLE + CALM)

    def _schedule_alerts(self) -> None:
        for group in range(self.story.groups):
            for member in range(self.chance.randint(1, 3)):
                labels = Labels({"alertname": f"A{group}", "member": str(member)})
                begins = T0 + self.chance.randrange(0, 90_000) * MILLISECOND
                if self.chance.random() < 0.5:
                    begins = T0 + 10 * MILLISECOND
                self.world.at(begins, partial(self._fire, labels))
                if self.story.resolving and self.chance.random() < 0.3:
                    ends = begins + self.chance.randrange(20_000, 90_000) * MILLISECOND
                    self.world.at(ends, partial(self._resolve, labels))

    def _fire(self, labels: Labels) -> None:
        alert = Alert(labels, Labels({}), starts_at=self.world.now, ends_at=ZERO, updated_at=self.world.now)
        self.fired[labels] = self.world.now, alert
        self._post(alert)

    def _resolve(self, labels: Labels) -> None:
        began, _ = self.fired[labels]
        self.resolved[labels] = self.world.now
        self._post(
            Alert(labels, Labels({}), starts_at=began, ends_at=self.world.now, updated_at=self.world.now)
        )

    def _post(self, alert: Alert) -> None:
        """To each node when it likes, to one at once; and again after a while, for those who came later."""
        names = list(self.world.nodes)
        soonest = self.chance.choice(names)
        for name in names:
            spread = self.story.spread if alert.ends_at == ZERO else min(self.story.spread, SECOND // 2)
            late = self.chance.randrange(spread + 1) if name != soonest else 0
            self.world.at(self.world.now + late, partial(self._arrive, alert, name))
        self._post_again(alert)

    def _arrive(self, alert: Alert, name: str) -> None:
        if alert.ends_at == ZERO and alert.labels in self.resolved:
            return  # Nobody tells of a firing alert once it is over.
        self.world.post(alert, to=[name])

    def _post_again(self, alert: Alert) -> None:
        def again() -> None:
            for name in list(self.world.nodes):
                self._arrive(alert, name)
            if self.world.now < T0 + TROUBLE + MINUTE:
                self.world.at(self.world.now + MINUTE, again)

        self.world.at(self.world.now + MINUTE, again)

    def _sometime(self) -> Nanoseconds:
        return T0 + self.chance.randrange(0, 90_000) * MILLISECOND

    def _flapping(self) -> None:
        """Nodes take others for dead that live, and change their minds."""
        for _ in range(self.chance.randint(2, 8)):
            when = self._sometime()
            name = self.chance.choice(list(self.world.nodes))
            dead = {other for other in self.world.nodes if other != name and self.chance.random() < 0.6}
            lasting = self.chance.randrange(500, 9_000) * MILLISECOND
            self.world.at(when, partial(self.world.believe, name, dead))
            self.world.at(when + lasting, partial(self.world.believe, name, ()))

    def _joining(self) -> None:
        """One comes who is first by name; some learn late of it."""
        when = self._sometime()
        newcomer = "node--"

        def join() -> None:
            old = list(self.world.nodes.values())
            for node in old:
                node.believed_dead.add(newcomer)
            added = self.world.add(newcomer)
            for node in old:
                added.log.merge(node.log.encode_state(), self.world.now)
                heard = self.world.now + self.chance.randrange(0, 5_000) * MILLISECOND
                self.world.at(heard, partial(self.world.believe, node.name, ()))
            self.world.elect()

        self.world.at(when, join)

    def _crashing(self) -> None:
        """Nodes die, and some come back; one lives on."""
        names = list(self.world.nodes)
        survivor = self.chance.choice(names)
        for name in names:
            if name != survivor and self.chance.random() < 0.7:
                when = self._sometime()
                noticed = self.chance.randrange(0, 10_000) * MILLISECOND
                self.world.at(when, partial(self._crash, name, noticed))
                if self.chance.random() < 0.6:
                    back = when + self.chance.randrange(500, 60_000) * MILLISECOND
                    self.world.at(back, partial(self.world.restart, name))

    def _crash(self, name: str, noticed: Nanoseconds) -> None:
        self.crashes.append((name, self.world.now))
        self.world.crash(name, noticed_after=noticed)

    def _partition(self) -> None:
        """One node and the others do not hear of each other for a while."""
        begins = self._sometime()
        ends = begins + self.chance.randrange(5_000, 60_000) * MILLISECOND
        self.partition = begins, ends
        lonely = self.chance.choice(list(self.world.nodes))
        others = [name for name in self.world.nodes if name != lonely]
        noticed = begins + self.chance.randrange(3_000, 10_000) * MILLISECOND

        def cut() -> None:
            for other in others:
                self.world.cut(lonely, other)

        def notice() -> None:
            if self.world.now < ends:
                self.world.believe(lonely, others)
                for other in others:
                    self.world.believe(other, [lonely])

        def heal() -> None:
            self.world.heal()
            for name in self.world.nodes:
                self.world.believe(name, ())

        self.world.at(begins, cut)
        self.world.at(noticed, notice)
        self.world.at(ends, heal)

    # -- what must hold

    def outcome(self) -> Outcome:
        outcome = Outcome(self.story, accepted=len(self.world.accepted), attempts=len(self.world.sent))
        status: dict[Labels, tuple[bool, Sent]] = {}
        told: dict[Labels, Nanoseconds] = {}
        notified_resolved: dict[Labels, Nanoseconds] = {}
        for sent in self.world.accepted:
            before: list[Sent] = []
            news = False
            for alert in sent.attempt.notification.alerts:
                firing = alert.ends_at <= ZERO
                known = status.get(alert.labels)
                stale = firing and known is not None and not known[0] and alert.labels in self.resolved
                if known is None or (known[0] != firing and not stale):
                    news = True
                if known is not None:
                    before.append(known[1])
                status[alert.labels] = firing, sent
                (told if firing else notified_resolved).setdefault(alert.labels, sent.taken)
            if not news:
                self._judge(sent, before, outcome)
        self._find_missed(told, notified_resolved, outcome)
        outcome.wrong = self._oracle().judge(self.world.reports, self.world.told())
        return outcome

    def _oracle(self) -> ClusterOracle:
        def lost(told: Told) -> bool:
            """Others may not have heard of it."""
            slow = max(self.story.group_interval, LEAST_DEADLINE)
            died = any(
                name == told.node and told.at <= when <= told.taken + SHORTLY for name, when in self.crashes
            )
            return died or told.taken - told.at >= slow or self.partition is not None

        return ClusterOracle(lambda labels: f'{{}}:{{alertname="{labels["alertname"]}"}}', lost=lost)

    def _judge(self, sent: Sent, before: list[Sent], outcome: Outcome) -> None:
        for earlier in before:
            given_up = earlier.attempt.deadline - self.world.nodes[earlier.node].skew
            if earlier.taken >= given_up:
                outcome.excused += 1  # Its sender could not wait any longer for the answer.
                return
            for name, when in self.crashes:
                if earlier.node == name and earlier.at <= when <= earlier.taken + SHORTLY:
                    outcome.excused += 1
                    return
        if self.partition is not None:
            begins, ends = self.partition
            group = sent.attempt.notification.group_key
            during = sent.at <= ends + SHORTLY
            if group not in self.repeated and any(
                begins - SHORTLY <= one.taken <= ends + SHORTLY for one in before
            ):
                outcome.excused += 1
                if not during:  # Of two logs only one is kept when the sides meet again: once for a group.
                    self.repeated.add(group)
                return
        alerts = [str(alert.labels) for alert in sent.attempt.notification.alerts]
        outcome.duplicates.append(
            f"at {(sent.taken - T0) / SECOND:.3f} s {sent.node} sent without news {' '.join(alerts)}; "
            "before: "
            + ", ".join(
                f"{one.node} at {(one.at - T0) / SECOND:.3f}-{(one.taken - T0) / SECOND:.3f}"
                for one in before
            )
        )

    def _find_missed(
        self,
        told: dict[Labels, Nanoseconds],
        notified_resolved: dict[Labels, Nanoseconds],
        outcome: Outcome,
    ) -> None:
        story = self.story
        # What one node may need: a flush, the sink's recovery, the longest wait between two attempts; and
        # what several may add: places, the longest wait for an intent, claims.
        one_node = story.group_interval + 90 * SECOND + story.latency
        several = len(self.world.nodes) * story.peer_timeout + 45 * SECOND + story.spread
        bound = one_node + several
        for labels, (began, _) in self.fired.items():
            since = max(began, story.failing_until, self.partition[1] if self.partition else 0)
            resolved = self.resolved.get(labels)
            if labels in told:
                outcome.latest = max(outcome.latest, told[labels] - began)
            if (resolved is None or resolved - since > bound) and told.get(
                labels, since + bound + 1
            ) > since + bound:
                outcome.missed.append(
                    f"{labels} fires at {(began - T0) / SECOND:.3f} s, and nobody is told in time"
                )
            if resolved is not None and labels in told and labels not in notified_resolved:
                outcome.missed.append(f"{labels} is resolved, and nobody is told")


def _config(story: Story) -> AlertmanagerConfig:
    route = build_route(
        RouteConfig(
            receiver="hook",
            group_by=("alertname",),
            group_wait=SECOND,
            group_interval=story.group_interval,
            repeat_interval=24 * 3600 * SECOND,
        )
    )
    return SimulatedConfig(route=route)


def play(story: Story, *, with_intents: bool = True) -> Outcome:
    """Run a story to its end."""
    run = _Run(story, with_intents)
    run.play()
    return run.outcome()
