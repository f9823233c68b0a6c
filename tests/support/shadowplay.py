"""A real Alertmanager that notifies, and nodes in shadow beside it: one with its configuration, one with a
route less, one with an inhibition rule less. And traffic for all of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.alertmanager import alertmanager
from tests.support.api import matcher, rfc3339
from tests.support.cluster import Cluster
from tests.support.eventually import eventually
from tests.support.node import ON, Node
from tests.support.tocsin_node import TOCSIN

FLAGS = {"cluster.probe-interval": "1h", "cluster.peer-timeout": "300ms", "cluster.pushpull-interval": "5s"}
ROUTE = """\
    - matchers: [team="db"]
      receiver: db-pager
"""
INHIBITION = """\
inhibit_rules:
  - source_matchers: [severity="critical"]
    target_matchers: [severity="warning"]
    equal: [instance]
"""


def configuration(sink: str, *, interval: str = "1s", repeat: str = "7500ms") -> str:
    return f"""\
route:
  receiver: everybody
  group_by: [alertname]
  group_wait: 300ms
  group_interval: {interval}
  repeat_interval: {repeat}
  routes:
{ROUTE}{INHIBITION}receivers:
  - name: everybody
    webhook_configs: [{{url: '{sink}'}}]
  - name: db-pager
    webhook_configs: [{{url: '{sink}'}}]
"""


class ShadowPlay:
    """``theirs`` is a real Alertmanager 0.33; all get the same alerts at the same time."""

    def __init__(
        self, cluster: Cluster, *, planted: bool = True, interval: str = "1s", repeat: str = "7500ms"
    ):
        self.cluster = cluster
        self._starts: dict[tuple[str, ...], datetime] = {}
        config = configuration(cluster.sink.url, interval=interval, repeat=repeat)
        self.theirs = self._start("go1", config)
        self.shadow = self._start("shadow", config)
        self.shadows = [self.shadow]
        if planted:
            self.without_route = self._start("shadow-route", config.replace(f"  routes:\n{ROUTE}", ""))
            self.without_rule = self._start("shadow-rule", config.replace(INHIBITION, ""))
            self.shadows += [self.without_route, self.without_rule]
        cluster.wait_whole()
        for each in self.shadows:
            eventually(lambda each=each: self.report(each)["since"], "it compares")  # type: ignore[misc]

    def _start(self, name: str, config: str) -> Node:
        ours = name != "go1"
        cluster = self.cluster
        node = Node(
            TOCSIN if ours else alertmanager("0.33"),
            name,
            cluster.folder / name,
            config=config,
            tls=cluster.issue(name),
            peers=[peer.cluster_address for peer in cluster.nodes],
            peer_name="" if ours else name,
            flags={**cluster.flags, **({"dispatch.shadow": ON} if ours else {})},
        )
        cluster.nodes.append(node)
        return node.start()

    # -- traffic

    def post(self, name: str, *, ended: bool = False, instance: str = "db-1", **labels: str) -> None:
        """An alert fires, or has ended, at all nodes."""
        self._post([self._alert(name, ended=ended, instance=instance, **labels)])

    def _alert(self, name: str, *, ended: bool, instance: str, **labels: str) -> dict[str, Any]:
        now = datetime.now(UTC)
        starts = self._starts.setdefault((name, instance), now)
        if ended:
            del self._starts[name, instance]
        return {
            "labels": {"alertname": name, "instance": instance, **labels},
            "startsAt": rfc3339(starts),
            "endsAt": rfc3339(now if ended else now + timedelta(minutes=30)),
        }

    def _post(self, alerts: list[dict[str, Any]]) -> None:
        with ThreadPoolExecutor() as pool:  # At about the same time, as Prometheus does.
            list(pool.map(lambda node: node.api.post_alerts(*alerts), self.cluster.nodes))

    def told(
        self, name: str, *, firing: int, ended: int = 0, more_than: int = 0, deadline: float = 60
    ) -> int:
        """Wait until the last notification of a group has so many alerts that fire and have ended, and there
        were ``more_than`` so many of it. How many there were."""

        def last() -> int:
            found = self.cluster.sink.of_alert(name)
            states = [each["status"] for each in found[-1].body["alerts"]] if found else []
            assert (states.count("firing"), states.count("resolved")) == (firing, ended), states
            assert len(found) > more_than
            return len(found)

        count = eventually(last, f"{name} is told: {firing} firing, {ended} ended", deadline=deadline)
        eventually(self._caught_up, "the node in shadow has flushed it too", deadline=60)
        return count

    def _caught_up(self) -> bool:
        counts = self.report(self.shadow)["counts"]
        return bool(counts["agreed"] + counts["late"] >= len(self.cluster.sink.all()))

    def silence(self, name: str) -> str:
        made = self.theirs.api.post_silence([matcher("alertname", name)], comment="being replaced")
        for node in self.cluster.nodes:
            eventually(lambda node=node: node.api.silence(made), f"the silence at {node.name}")  # type: ignore[misc]
        return made

    def end_silence(self, made: str) -> None:
        self.theirs.api.expire_silence(made)
        for node in self.cluster.nodes:
            eventually(
                lambda node=node: node.api.silence(made)["status"]["state"] == "expired",  # type: ignore[misc]
                f"its end at {node.name}",
            )

    def reload(self) -> None:
        for node in self.cluster.nodes:
            assert node.api.http.post("/-/reload").status_code == 200

    def grouped_and_flapping(self) -> None:
        self.post("DiskFull")
        self.told("DiskFull", firing=1)
        self.post("DiskFull", instance="db-2")
        self.told("DiskFull", firing=2)
        for _ in range(2):
            self.post("DiskFull", ended=True)
            self.told("DiskFull", firing=1, ended=1)
            self.post("DiskFull")
            self.told("DiskFull", firing=2)

    def silenced(self) -> None:
        made = self.silence("Noise")
        self.post("Noise")
        self.post("Marker")
        self.told("Marker", firing=1)
        self.end_silence(made)
        self.told("Noise", firing=1)

    def inhibited(self) -> None:
        self.post("HostDown", severity="critical")
        self.told("HostDown", firing=1)
        self.post("Slow", severity="warning")
        self.post("Slower", severity="warning")
        self.post("Latency", instance="db-3")
        self.told("Latency", firing=1)
        for node in self.shadows:
            eventually(lambda node=node: self.flushed(node, "Slower"), f"a flush at {node.name}")  # type: ignore[misc]
        self.post("Slower", severity="warning", ended=True)
        self.post("HostDown", severity="critical", ended=True)
        self.told("HostDown", firing=0, ended=1)
        self.told("Slow", firing=1)

    def flushed(self, node: Node, name: str) -> bool:
        query = {"filter": f'alertname="{name}"'}
        answer = node.api.http.get("/api/tocsin/v1/history/notifications", params=query)
        return any(each["deliveries"] or each["muted"] for each in answer.json()["items"])

    def routed(self) -> None:
        self.post("ReplicaLag", team="db")
        self.told("ReplicaLag", firing=1)

    def reloaded(self) -> None:
        self.reload()
        self.post("AfterReload")
        self.told("AfterReload", firing=1)

    def reminded(self) -> None:
        before = len(self.cluster.sink.of_alert("DiskFull"))
        self.told("DiskFull", firing=2, more_than=before, deadline=240)

    def ended(self) -> None:
        """Everything ends, and that is told."""
        firing = list(self._starts)
        labels = {"ReplicaLag": {"team": "db"}, "Slow": {"severity": "warning"}}
        self._post(
            [
                self._alert(name, instance=instance, ended=True, **labels.get(name, {}))
                for name, instance in firing
            ]
        )
        for name in {name for name, _ in firing}:
            self.told(name, firing=0, ended=sum(each == name for each, _ in firing))

    def all(self) -> None:
        """The traffic of a short day."""
        self.grouped_and_flapping()
        self.silenced()
        self.inhibited()
        self.routed()
        self.reloaded()
        self.reminded()
        self.ended()

    # -- what they found

    def report(self, node: Node) -> dict[str, Any]:
        answer = node.api.http.get("/api/tocsin/v1/shadow")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def judged(self, node: Node) -> dict[str, Any]:
        """The report, once nothing waits."""

        def whole() -> dict[str, Any]:
            found = self.report(node)
            assert not found["pending"]
            return found

        return eventually(whole, "all is judged", deadline=120)
