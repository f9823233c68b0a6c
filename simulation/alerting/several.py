"""The stories of :mod:`simulation.alerting.lone` on several nodes: alerts that come back, silences, outages,
inhibition; and nodes that are killed and begin anew. Held against :class:`ClusterOracle`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random

from simulation.alerting.cluster_oracle import ClusterOracle, Report, Told
from simulation.alerting.lone import LENGTH, REST, T0, LoneStory, Silenced, config_of, inhibited, reports_of
from simulation.alerting.oracle import LEAST_DEADLINE
from simulation.alerting.world import AlertingWorld, Answer, Sent
from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.timestamp import MILLISECOND, SECOND, ZERO, Nanoseconds

SEVERAL = "several"
AGAIN = 60 * SECOND
"""So often Prometheus sends what fires again, to all nodes."""
DOWN = 3 * SECOND


def play_several(story: LoneStory) -> list[str]:
    """What the oracle has against what three nodes made of the story."""
    chance = Random(f"several/{story.seed}")
    silenced = Silenced(story)
    peer_timeout = chance.choice((1, 5, 15)) * SECOND

    def answer(sent: Sent) -> Answer:
        index, when = sent.attempt.integration.index, sent.at - T0
        down = any(one.index == index and one.begins <= when < one.ends for one in story.outages)
        return Answer(chance.randrange(MILLISECOND, story.latency), "serverError" if down else "")

    world = AlertingWorld(
        config_of(story),
        nodes=3,
        now=T0,
        seed=story.seed,
        sink=answer,
        silences=silenced,
        peer_timeout=peer_timeout,
        gossip_delay=chance.choice((5, 50)) * MILLISECOND,
    )
    reports = reports_of(story)
    for alert in reports:
        world.at(alert.updated_at, partial(world.post, alert))
    end = T0 + LENGTH + REST
    for at in range(T0 + AGAIN, end, AGAIN):
        world.at(at, partial(_send_again, world, reports))
    killed: list[tuple[str, Nanoseconds]] = []
    for _ in range(chance.choice((0, 0, 1, 2))):
        name, when = f"node-{chance.randrange(3)}", T0 + chance.randrange(LENGTH)
        if all(abs(when - other) > 2 * DOWN for _, other in killed):
            killed.append((name, when))
            world.at(when, partial(world.crash, name, noticed_after=SECOND))
            world.at(when + DOWN, partial(world.restart, name))
            world.at(when + 2 * DOWN, partial(_send_again, world, reports))
    world.run(end - T0)
    mutings = [T0 + at for span in story.silences for at in (span.begins, span.ends)]
    if story.inhibition:
        mutings += [one.updated_at for one in reports]
    known = partial(_known, world.reports, reports)
    wrong: list[str] = []
    for index, send_resolved in enumerate(story.send_resolved):
        oracle = ClusterOracle(
            _group_of,
            send_resolved=send_resolved,
            repeat_interval=story.repeat_interval,
            heard=SECOND,
            muted=partial(_muted, silenced, known if story.inhibition else None),
            mutings=mutings,
            lost=partial(_lost, story, killed),
        )
        wrong += oracle.judge(world.reports, world.told(index))
        outage = max((one.ends for one in story.outages), default=0)
        bound = 2 * story.group_interval + 3 * peer_timeout + 40 * SECOND
        floor = max(
            [T0 + outage + 60 * SECOND * bool(story.outages), *(when + 2 * DOWN for _, when in killed)]
        )
        wrong += oracle.untold(bound, end, since=floor)
    return [f"python -m simulation.alerting --kind {SEVERAL} --seed {story.seed}: {one}" for one in wrong]


def _group_of(labels: Labels) -> str:
    return f'{{}}:{{alertname="{labels["alertname"]}"}}'


def _muted(
    silenced: Silenced,
    known: Callable[[str | None, Nanoseconds], list[Alert]] | None,
    labels: Labels,
    now: Nanoseconds,
    node: str | None,
) -> bool:
    if silenced.mutes(labels, now):
        return True
    return known is not None and inhibited(known(node, now), labels, now)


def _known(heard: list[Report], reports: list[Alert], node: str | None, now: Nanoseconds) -> list[Alert]:
    """What that node has heard of by then, since it last began anew; without a node everything."""
    if node is None:
        return reports
    found: list[Alert] = []
    for one in heard:
        if one.node == node and one.at <= now:
            if one.alert is None:
                found.clear()
            else:
                found.append(one.alert)
    return found


def _lost(story: LoneStory, killed: list[tuple[str, Nanoseconds]], told: Told) -> bool:
    slow = told.taken - told.at >= max(story.group_interval, LEAST_DEADLINE)
    return slow or any(name == told.node and told.at <= when <= told.taken + SECOND for name, when in killed)


def _send_again(world: AlertingWorld, reports: list[Alert]) -> None:
    """What fires now."""
    last = {alert.labels: alert for alert in reports if alert.updated_at <= world.now}
    world.post(*(replace(one, updated_at=world.now) for one in last.values() if one.ends_at == ZERO))
