"""The rules of Alertmanager's own mixin in a real Prometheus, over a mixed cluster: healthy, with each fault.

Their durations are shortened alike: a minute becomes a second or a few, as the interval of scraping does.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support import alertmanager
from tests.support.cluster import Cluster
from tests.support.eventually import eventually, holds_for
from tests.support.node import Node, NodeKind, webhook_config
from tests.support.prometheus import Prometheus

pytestmark = pytest.mark.interop

RULES = Path(__file__).resolve().parents[1] / "vectors/mixin/alertmanager.rules.yml"
LONGEST = 20
"""Minutes: the longest ``for``."""
WINDOW = 5
"""Minutes that most expressions look back."""
PATIENCE = 60
"""Minutes, of the shortened ones, for an alert to fire; and as many seconds beside."""
_alerts = itertools.count()


def rules(seconds: float) -> str:
    """The rules, ``seconds`` in place of each minute."""

    def shorter(found: re.Match[str]) -> str:
        return f"{found[1]}{round(int(found[2]) * seconds * 1000)}ms"

    text, count = re.subn(r"(\[|for: )(\d+)m\b", shorter, RULES.read_text())
    assert count == 9 + 12, "each rule and each range"
    return text


@dataclass
class Watched:
    """A mixed cluster, the Prometheus that watches it, and what has fired so far."""

    cluster: Cluster
    prometheus: Prometheus
    minute: float
    fired: set[str] = field(default_factory=set)

    @property
    def ours(self) -> list[Node]:
        return [self.cluster.nodes[0], self.cluster.nodes[2]]

    @property
    def theirs(self) -> Node:
        return self.cluster.nodes[1]

    def look(self) -> set[str]:
        self.fired |= self.prometheus.firing()
        return self.fired

    def notify(self) -> None:
        """Have the cluster send something."""
        name = f"Mixin{next(_alerts)}"
        for node in self.cluster.nodes:
            if node.alive:
                node.api.post_alerts({"labels": {"alertname": name}})

    def wait_for(self, *names: str, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Wait until all of ``names`` have fired, and nothing else has."""
        wanted = set(names)

        def there() -> bool:
            meanwhile()
            return wanted <= self.look()

        eventually(
            there, f"{sorted(wanted)} fire", deadline=PATIENCE * (self.minute + 1), interval=self.minute
        )
        assert self.fired == wanted


def slowest(cluster: Cluster) -> float:
    """Seconds that the slowest answer with metrics takes, of a few."""
    found = []
    for _ in range(3):
        for node in cluster.nodes:
            began = time.monotonic()
            node.api.http.get("/metrics").raise_for_status()
            found.append(time.monotonic() - began)
    return max(found)


@contextmanager
def watched(folder: Path, ours: NodeKind, minute: float, third: NodeKind | None = None) -> Iterator[Watched]:
    flags = {"cluster.reconnect-timeout": "1h"}
    with Cluster(folder, flags=flags) as cluster:
        cluster.add(ours, "first", peer_name="a")
        cluster.add(alertmanager.alertmanager("0.33"), "theirs", peer_name="b")
        cluster.add(third or ours, "last", peer_name="c")
        cluster.wait_whole()
        minute = max(minute, 8 * slowest(cluster))  # A busy machine has longer minutes.
        targets = [node.url.removeprefix("http://") for node in cluster.nodes]
        with Prometheus(
            alertmanager.prometheus(),
            folder / "prometheus",
            [],
            rules=rules(minute),
            scraped=targets,
            interval=f"{round(minute * 500)}ms",
        ) as prometheus:
            eventually(lambda: len(prometheus.value("up == 1")) == 3, "all three are scraped", deadline=120.0)
            yield Watched(cluster, prometheus, minute)


def healthy(watch: Watched, minutes: float) -> None:
    """Nothing fires, while notifications go out."""
    next_notification = time.monotonic()

    def nothing() -> bool:
        nonlocal next_notification
        if time.monotonic() >= next_notification:
            watch.notify()
            next_notification += 3 * watch.minute
        return not watch.look()

    holds_for(nothing, "nothing fires", seconds=minutes * watch.minute, interval=watch.minute / 2)
    assert watch.cluster.sink.all(), "something was sent"
    sent = watch.prometheus.value('sum(alertmanager_notifications_total{integration="webhook"})')
    assert float(sent[0]["value"][1]) > 0


def reload(node: Node, config: str) -> int:
    node.config_file.write_text(config)
    return node.api.http.post("/-/reload").status_code


def test_nothing_fires_in_a_healthy_cluster_and_then_the_right_ones_do(
    tmp_path: Path, ours: NodeKind
) -> None:
    with watched(tmp_path, ours, minute=1.0) as watch:
        healthy(watch, LONGEST + 2)
        watch.cluster.sink.status = 400
        assert reload(watch.ours[0], "route: {}") == 500
        watch.wait_for(
            "AlertmanagerFailedReload",
            "AlertmanagerFailedToSendAlerts",
            "AlertmanagerClusterFailedToSendAlerts",
            meanwhile=watch.notify,
        )


@pytest.mark.slow
def test_another_configuration_on_one_node(tmp_path: Path, ours: NodeKind) -> None:
    with watched(tmp_path, ours, minute=1.0) as watch:
        assert reload(watch.ours[1], webhook_config(watch.cluster.sink.url, group_interval="6m")) == 200
        watch.wait_for("AlertmanagerConfigInconsistent")


@pytest.mark.slow
def test_a_node_that_died(tmp_path: Path, ours: NodeKind) -> None:
    with watched(tmp_path, ours, minute=1.0) as watch:
        watch.theirs.kill()
        watch.wait_for("AlertmanagerClusterFailedPeers")


@pytest.mark.slow
def test_two_of_three_died(tmp_path: Path, ours: NodeKind) -> None:
    with watched(tmp_path, ours, minute=1.0) as watch:
        for node in watch.ours:
            node.kill()
        watch.wait_for("AlertmanagerClusterDown", "AlertmanagerClusterFailedPeers")


@pytest.mark.slow
def test_a_node_that_is_a_cluster_of_its_own(tmp_path: Path, ours: NodeKind) -> None:
    with watched(tmp_path, ours, minute=1.0) as watch:
        apart = watch.ours[1]
        apart.stop()
        apart.peers = []
        apart.flags["cluster.label"] = "another"
        apart.restart()
        # To Alertmanager one that said goodbye is a failed peer too, for as long as it may come back.
        watch.wait_for("AlertmanagerMembersInconsistent", "AlertmanagerClusterFailedPeers")


@pytest.mark.slow
def test_two_of_three_that_are_started_again_and_again(tmp_path: Path, ours: NodeKind) -> None:
    with watched(tmp_path, ours, minute=4.0) as watch:

        def noticed() -> bool:
            for node in watch.ours:
                node.stop()
                node.restart()
            return "AlertmanagerClusterCrashlooping" in watch.look()

        eventually(noticed, "it is noticed", deadline=PATIENCE * (watch.minute + 1))
        assert watch.fired == {"AlertmanagerClusterCrashlooping"}
