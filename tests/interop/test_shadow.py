"""A node in shadow beside a real Alertmanager: it agrees on all notifications, and finds what was planted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

import pytest

from tests.support.cluster import Cluster
from tests.support.node import NodeKind, metric
from tests.support.shadowplay import FLAGS, ShadowPlay
from tests.support.tocsin_node import TOCSIN
from tools.transcripts import tool

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory, ours: NodeKind) -> Iterator[ShadowPlay]:
    """After the traffic."""
    if ours is not TOCSIN:
        pytest.skip("Alertmanager has no shadow")
    with Cluster(tmp_path_factory.mktemp("shadow"), flags=FLAGS) as cluster:
        found = ShadowPlay(cluster)
        found.all()
        yield found


def test_it_agrees_on_every_notification(play: ShadowPlay) -> None:
    report = play.judged(play.shadow)
    counts = report["counts"]
    assert (counts["missing"], counts["extra"]) == (0, 0), report
    assert counts["agreed"] + counts["late"] >= len(play.cluster.sink.all())
    assert counts["agreed"]
    assert report["notCompared"] == 0
    done = tool("shadow", "report", "--allow-late", f"--alertmanager.url={play.shadow.url}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_route_less_is_found_and_named(play: ShadowPlay) -> None:
    report = play.judged(play.without_route)
    assert any(
        each["result"] == "extra"
        and each["why"]
        == 'no route of this node\'s configuration leads the group {}/{team="db"}:{alertname="ReplicaLag"}'
        " to db-pager"
        for each in report["differences"]
    ), report
    differing = {each["groupKey"] for each in report["differences"] if each["result"] != "late"}
    assert differing == {'{}/{team="db"}:{alertname="ReplicaLag"}', '{}:{alertname="ReplicaLag"}'}
    done = tool("shadow", "report", f"--alertmanager.url={play.without_route.url}")
    assert done.returncode == 1
    assert "They differ" in done.stdout


def test_an_inhibition_rule_less_is_found_and_named(play: ShadowPlay) -> None:
    report = play.judged(play.without_rule)
    differs = [each for each in report["differences"] if each["result"] != "late"]
    groups = {each["groupKey"] for each in differs}
    assert '{}:{alertname="Slower"}' in groups, report
    assert groups <= {'{}:{alertname="Slower"}', '{}:{alertname="Slow"}'}, report
    assert differs[-1]["result"] == "missing"
    assert 'alertname="Slow' in differs[-1]["alerts"][0]


def test_nobody_but_the_alertmanager_has_notified(play: ShadowPlay) -> None:
    assert {each.sender for each in play.cluster.sink.all()} == {play.theirs.url}
    for node in play.shadows:
        text = node.api.metrics()
        assert metric(text, "alertmanager_notifications_total", integration="webhook") == 0
        assert metric(text, "tocsin_shadow_enabled") == 1
        assert all(
            line.endswith(" 0")
            for line in text.splitlines()
            if line.startswith("tocsin_intent_announced_total")
        )
        warnings = node.api.http.get("/api/tocsin/v1/status").json()["warnings"]
        assert "in shadow" in warnings[0]


def test_explain_says_what_it_would_have_sent_and_what_the_others_did(play: ShadowPlay) -> None:
    url = f"--alertmanager.url={play.shadow.url}"
    done = tool("explain", "AfterReload", url)
    assert "everybody: SENT BY A PEER" in done.stdout, done.stdout + done.stderr
    # The latest five are told: on a slow machine the first notification has had its repetitions by now.
    reason = "(first notification|repeat interval elapsed)"
    would = f"would have sent: in shadow: would have sent, {reason}; the others sent it"
    assert re.search(would, done.stdout), done.stdout
    done = tool("explain", "Slower", f"--alertmanager.url={play.without_rule.url}")
    assert re.search(f"missing: {reason}: nobody has notified", done.stdout), done.stdout


def test_it_sends_no_test_either(play: ShadowPlay) -> None:
    answer = play.shadow.api.http.post("/api/tocsin/v1/receivers/everybody/test", json={})
    assert answer.status_code == 403
    assert "in shadow" in answer.text


@pytest.mark.slow
def test_it_agrees_for_a_day(tmp_path_factory: pytest.TempPathFactory, ours: NodeKind) -> None:
    """A day of what chance tells, with each interval 240 times as short: six minutes."""
    if ours is not TOCSIN:
        pytest.skip("Alertmanager has no shadow")
    random = Random(20261130)
    with Cluster(tmp_path_factory.mktemp("day"), flags=FLAGS) as cluster:
        play = ShadowPlay(cluster, planted=False, interval="1250ms", repeat="61s")
        acts = [
            play.grouped_and_flapping,
            play.silenced,
            play.inhibited,
            play.routed,
            play.reloaded,
        ]
        for _ in range(24):
            for act in random.sample(acts, 3):
                act()
            play.ended()
        play.grouped_and_flapping()
        play.reminded()
        report = play.judged(play.shadow)
        assert (report["counts"]["missing"], report["counts"]["extra"]) == (0, 0), report
        assert report["counts"]["agreed"] + report["counts"]["late"] >= len(cluster.sink.all())
