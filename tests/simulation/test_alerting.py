"""A cluster's alerting under virtual time: one notification when links are healthy, never none.

A failing seed is in the test's name; the runs are deterministic.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from simulation.alerting import RETENTION, AlertingWorld, Answer, Sent, Sink, take_at_once
from tests.support.routing import T0, alert, one_receiver, one_route
from tocsin.alerting.alert import Alert
from tocsin.alerting.inhibit import InhibitRule
from tocsin.alerting.matcher import parse_matchers
from tocsin.alerting.silence import Silence, Silences
from tocsin.alerting.timestamp import MILLISECOND, SECOND

MINUTE = 60 * SECOND
CONFIG = one_receiver(one_route(group_wait=SECOND, group_interval=60 * SECOND, repeat_interval=60 * MINUTE))


def _world(seed: int, *, nodes: int = 3, sink: Sink = take_at_once) -> AlertingWorld:
    return AlertingWorld(CONFIG, nodes=nodes, now=T0, seed=seed, sink=sink)


def _accepted(world: AlertingWorld) -> Counter[tuple[str, str]]:
    """How many notifications the sink took, by group and status."""
    return Counter(
        (
            sent.attempt.notification.group_key,
            "firing" if any(one.ends_at < 0 for one in sent.attempt.notification.alerts) else "resolved",
        )
        for sent in world.accepted
    )


def _alerts(number: int) -> list[Alert]:
    return [alert(alertname=f"A{index}", starts_at=T0) for index in range(number)]


def test_three_healthy_nodes_send_one_notification_and_one_when_it_resolves() -> None:
    world = _world(1)
    world.post(alert(alertname="A"))
    world.run(2 * MINUTE)
    assert [sent.node for sent in world.accepted] == ["node-0"]
    world.post(alert(alertname="A", ends_at=world.now))
    world.run(3 * MINUTE)
    assert _accepted(world) == {('{}:{alertname="A"}', "firing"): 1, ('{}:{alertname="A"}', "resolved"): 1}
    assert all(len(node.dispatcher) == 0 for node in world.nodes.values())
    world.run(120 * MINUTE)
    assert len(world.accepted) == 2


def test_a_firing_alert_is_repeated_once_each_repeat_interval() -> None:
    world = _world(2)
    world.post(alert(alertname="A"))
    world.run(5 * 60 * MINUTE)
    assert len(world.accepted) == 5
    gaps = {
        (after.at - before.at) // MINUTE
        for before, after in zip(world.accepted, world.accepted[1:], strict=False)
    }
    assert gaps <= {60, 61}


@pytest.mark.parametrize("seed", range(20))
def test_a_thousand_groups_give_each_exactly_one_notification(seed: int) -> None:
    groups = 1000 if seed == 0 else 50
    world = _world(seed)
    alerts = _alerts(groups)
    for name in world.nodes:
        world.random.shuffle(alerts)
        world.post(*alerts, to=[name])
        world.run(world.random.randrange(500) * MILLISECOND)
    world.run(10 * MINUTE)
    assert set(_accepted(world).values()) == {1}
    assert len(world.accepted) == groups


def test_when_the_first_node_dies_the_second_sends() -> None:
    world = _world(3)
    world.post(alert(alertname="A"))
    world.crash("node-0", noticed_after=6 * SECOND)
    world.run(MINUTE)
    assert [sent.node for sent in world.accepted] == ["node-1"]
    assert world.accepted[0].at <= T0 + 8 * SECOND, (
        "as soon as the death is noticed, not after the peer timeout"
    )


def test_a_node_that_dies_between_sending_and_telling_costs_a_second_notification_not_the_first() -> None:
    world = _world(4, sink=lambda _sent: Answer(latency=100 * MILLISECOND))
    world.post(alert(alertname="A"))
    world.run(SECOND + 50 * MILLISECOND)
    assert [sent.node for sent in world.sent] == ["node-0"]
    world.crash("node-0")
    world.run(MINUTE)
    assert [sent.node for sent in world.accepted] == ["node-0", "node-1"]


def test_in_a_partition_both_sides_send_and_after_it_only_one() -> None:
    world = _world(5)
    world.cut("node-0", "node-2")
    world.cut("node-1", "node-2")
    world.post(alert(alertname="A"))
    world.run(3 * MINUTE)
    assert sorted(sent.node for sent in world.accepted) == ["node-0", "node-2"]
    world.heal()
    world.run(MINUTE)
    world.post(alert(alertname="A", n="2"))
    world.run(3 * MINUTE)
    assert [sent.node for sent in world.accepted[2:]] == ["node-0"]


def test_a_sink_that_is_down_for_a_while_gets_one_notification_when_it_is_back() -> None:
    def sink(sent: Sent) -> Answer:
        return Answer(failure="serverError") if sent.at < T0 + 90 * SECOND else Answer()

    world = _world(6, sink=sink)
    world.post(alert(alertname="A"))
    world.run(10 * MINUTE)
    assert 1 <= len(world.accepted) <= 3, "nodes that retry side by side do not see each other's attempts"
    assert len(world.sent) > len(world.accepted)


@pytest.mark.parametrize("seed", range(30))
def test_whatever_fails_no_alert_goes_unnotified(seed: int) -> None:
    """Nodes die, links are cut and heal, the sink stumbles; one node at least lives on."""
    chaos = Random(seed)

    def sink(_sent: Sent) -> Answer:
        return Answer(
            latency=chaos.randrange(2000) * MILLISECOND,
            failure=chaos.choice(("", "", "serverError", "other")),
        )

    world = _world(seed, nodes=chaos.randint(1, 4), sink=sink)
    survivor = chaos.choice(sorted(world.nodes))
    alerts = _alerts(10)
    for name in world.nodes:
        world.post(*alerts, to=[name])
        world.run(chaos.randrange(3000) * MILLISECOND)
    names = sorted(world.nodes)
    for _ in range(10):
        action = chaos.randrange(4)
        first, second = chaos.choice(names), chaos.choice(names)
        if action == 0 and first != survivor:
            world.crash(first, noticed_after=chaos.randrange(20) * SECOND)
        elif action == 1 and first != second:
            world.cut(first, second)
        elif action == 2:
            world.heal()
        world.run(chaos.randrange(20_000) * MILLISECOND)
    world.run(10 * MINUTE)
    groups = {sent.attempt.notification.group_key for sent in world.accepted}
    assert groups == {f'{{}}:{{alertname="A{index}"}}' for index in range(10)}


def test_a_silence_holds_the_alert_back_until_it_ends() -> None:
    silences = Silences(RETENTION, random=Random(1))
    silences.set(
        Silence(
            id="",
            matcher_sets=(parse_matchers('alertname="A"'),),
            starts_at=T0,
            ends_at=T0 + 10 * MINUTE,
            created_by="me",
            comment="work",
        ),
        T0,
    )
    world = AlertingWorld(CONFIG, nodes=3, now=T0, silences=silences)
    world.post(alert(alertname="A"), alert(alertname="B"))
    world.run(9 * MINUTE)
    assert set(_accepted(world)) == {('{}:{alertname="B"}', "firing")}
    world.run(3 * MINUTE)
    assert _accepted(world) == {('{}:{alertname="A"}', "firing"): 1, ('{}:{alertname="B"}', "firing"): 1}


def test_an_inhibited_alert_is_held_back_while_its_source_fires() -> None:
    rule = InhibitRule(
        source_matchers=parse_matchers('severity="critical"'),
        target_matchers=parse_matchers('severity="warning"'),
        equal=("cluster",),
    )
    world = AlertingWorld(CONFIG.replaced(inhibit_rules=(rule,)), nodes=3, now=T0)
    source = alert(alertname="Down", severity="critical", cluster="c")
    world.post(source, alert(alertname="Slow", severity="warning", cluster="c"))
    world.run(5 * MINUTE)
    assert set(_accepted(world)) == {('{}:{alertname="Down"}', "firing")}
    world.post(replace(source, ends_at=world.now))
    world.run(3 * MINUTE)
    assert _accepted(world) == {
        ('{}:{alertname="Down"}', "firing"): 1,
        ('{}:{alertname="Down"}', "resolved"): 1,
        ('{}:{alertname="Slow"}', "firing"): 1,
    }


def test_equal_seeds_give_equal_runs() -> None:
    def run(seed: int) -> list[tuple[int, str, str]]:
        world = _world(seed, sink=lambda sent: Answer(failure="" if sent.attempt.id % 3 else "other"))
        world.post(*_alerts(20))
        world.run(5 * MINUTE)
        return [(sent.at, sent.node, sent.attempt.notification.group_key) for sent in world.sent]

    assert run(7) == run(7)
    assert run(7) != run(8)
