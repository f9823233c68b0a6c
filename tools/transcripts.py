"""Writes the transcripts in docs/explain.md and docs/shadow.md: what ``tocsinctl`` says of real nodes.

    TOCSIN_PEERS=.peers python -m tools.transcripts          writes the pages
    TOCSIN_PEERS=.peers python -m tools.transcripts --show   prints them
    TOCSIN_PEERS=.peers python -m tools.transcripts shadow   one page only

Two Tocsin nodes, am1 and am2, and a real Alertmanager 0.33, go1, form one cluster over mutual TLS.
Each transcript is checked for what it must say, so that the page never shows a wrong story.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.support.alertmanager import alertmanager, why_not
from tests.support.api import matcher, prometheus_alert
from tests.support.cluster import Cluster
from tests.support.eventually import eventually
from tests.support.node import Node
from tests.support.sink import WebhookSink
from tests.support.tocsin_node import TOCSIN

ROOT: Final = Path(__file__).resolve().parents[1]
FLAGS: Final = {"cluster.peer-timeout": "3s", "cluster.probe-interval": "1h"}
"""Who sends must be out before the next one looks, also on a busy machine."""
_BLOCK: Final = re.compile(r"(<!-- transcript: (?P<name>[\w-]+) -->\n)```console\n.*?```\n", re.DOTALL)


def configuration(sink: str, flaky: str) -> str:
    return f"""\
route:
  receiver: everybody
  group_by: [alertname]
  group_wait: 1s
  group_interval: 5m
  repeat_interval: 4h
  routes:
    - matchers: [team="db"]
      receiver: db-pager
    - matchers: [team="batch"]
      receiver: batch
      mute_time_intervals: [office closed]
    - matchers: [team="web"]
      receiver: web
      group_wait: 10m
    - matchers: [team="flaky"]
      receiver: flaky
inhibit_rules:
  - source_matchers: [severity="critical"]
    target_matchers: [severity="warning"]
    equal: [instance]
time_intervals:
  - name: office closed
    time_intervals: [{{years: ['2020:2199']}}]
receivers:
  - name: everybody
    webhook_configs: [{{url: '{sink}'}}]
  - name: db-pager
    webhook_configs: [{{url: '{sink}'}}]
  - name: batch
    webhook_configs: [{{url: '{sink}'}}]
  - name: web
    webhook_configs: [{{url: '{sink}'}}]
  - name: flaky
    webhook_configs: [{{url: '{flaky}'}}]
"""


def tool(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tocsin.cli.control", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)


class Play:
    """A cluster, and what happens on it."""

    def __init__(self, cluster: Cluster, flaky: WebhookSink) -> None:
        self.cluster = cluster
        self.flaky = flaky
        self.config = configuration(cluster.sink.url, flaky.url)
        self.am1 = self._start("am1")
        self.am2 = self._start("am2")
        self.go1 = self._start("go1")
        cluster.wait_whole()

    def _start(self, name: str) -> Node:
        kind = alertmanager("0.33") if name.startswith("go") else TOCSIN
        cluster = self.cluster
        node = Node(
            kind,
            name,
            cluster.folder / name,
            config=self.config,
            tls=cluster.issue(name),
            peers=[peer.cluster_address for peer in cluster.nodes],
            peer_name=name,
            flags=cluster.flags,
        )
        cluster.nodes.append(node)
        return node.start()

    def explain(self, node: Node, *words: str, expect: tuple[str, ...]) -> str:
        """The transcript, once it says what it must: what was recorded takes a moment to be told."""

        def told() -> str:
            done = tool("explain", *words, f"--alertmanager.url={node.url}")
            assert done.returncode == 0, done.stdout + done.stderr
            for text in expect:
                assert text in done.stdout, f"{words}: not {text!r} in\n{done.stdout}"
            return done.stdout

        shown = " ".join(f"'{word}'" if re.search(r"[^\w=.:/-]", word) else word for word in words)
        url = f"--alertmanager.url=http://{node.name}:9093"
        return f"$ tocsinctl explain {shown} {url}\n{eventually(told, str(words), deadline=60)}"

    def post(self, nodes: list[Node], name: str, **labels: str) -> None:
        for node in nodes:
            node.api.post_alerts(prometheus_alert(name, **labels))

    @property
    def all(self) -> list[Node]:
        return [self.am1, self.am2, self.go1]

    # -- the stories

    def sent(self) -> str:
        self.post(self.all, "DiskFull", severity="page")
        self.cluster.sink.wait_for("DiskFull")
        return self.explain(self.am1, "DiskFull", expect=("everybody: SENT ", " by am1", "not needed"))

    def sent_by_a_tocsin_peer(self) -> str:
        self.sent()
        return self.explain(self.am2, "DiskFull", expect=(" by am1, first notification", "not needed"))

    def silenced(self) -> str:
        made = self.am1.api.post_silence([matcher("alertname", "Noise")], comment="being replaced")
        eventually(lambda: self.go1.api.silence(made), "the silence at go1")
        self.post(self.all, "Noise", severity="page")
        return self.explain(self.am1, "Noise", expect=("everybody: NOT SENT", f"silenced by {made}"))

    def inhibited(self) -> str:
        self.post(self.all, "HostDown", severity="critical", instance="db-1")
        self.cluster.sink.wait_for("HostDown")
        self.post(self.all, "Slow", severity="warning", instance="db-1")
        return self.explain(self.am1, "Slow", expect=("everybody: NOT SENT", "HostDown", "rule 0"))

    def muted_by_time(self) -> str:
        self.post(self.all, "NightlyJob", team="batch")
        return self.explain(
            self.am1, "NightlyJob", expect=("batch: NOT SENT", "muted by the time interval office closed")
        )

    def waiting(self) -> str:
        self.post(self.all, "Latency", team="web")
        return self.explain(self.am1, "Latency", expect=("web: WAITING",))

    def sent_by_go(self) -> str:
        self.post([self.go1], "OnlyThere", severity="page")
        self.cluster.sink.wait_for("OnlyThere")
        self.post([self.am1, self.am2], "OnlyThere", severity="page")
        return self.explain(self.am1, "OnlyThere", expect=("everybody: SENT BY A PEER", " by go1"))

    def failed_and_retried(self) -> str:
        self.flaky.status = 503
        self.post(self.all, "Flaky", team="flaky")
        self.flaky.wait_for("Flaky", count=2)
        self.flaky.status = 200
        return self.explain(self.am1, "Flaky", expect=("flaky: SENT ", "unexpected status code 503"))

    def not_matched(self) -> str:
        self.post(self.all, "ReplicaLag", Team="db")
        self.cluster.sink.wait_for("ReplicaLag")
        return self.explain(self.am1, "ReplicaLag", expect=("everybody: SENT ", "there is no label team"))

    def ahead(self) -> str:
        file = self.cluster.folder / "alertmanager.yml"
        file.write_text(self.config)
        words = ["alertname=NightlyJob", "team=batch", "--at=2026-12-24T20:00:00Z"]
        done = tool("explain", *words, f"--config.file={file}")
        assert "WOULD NOT BE SENT" in done.stdout, done.stdout
        return f"$ tocsinctl explain --config.file=alertmanager.yml {' '.join(words)}\n{done.stdout}"


STORIES: Final[Mapping[str, Callable[[Play], str]]] = {
    "sent": Play.sent,
    "sent-by-a-tocsin-peer": Play.sent_by_a_tocsin_peer,
    "sent-by-an-alertmanager": Play.sent_by_go,
    "silenced": Play.silenced,
    "inhibited": Play.inhibited,
    "muted-by-time": Play.muted_by_time,
    "waiting": Play.waiting,
    "failed-and-retried": Play.failed_and_retried,
    "not-matched": Play.not_matched,
    "ahead": Play.ahead,
}


def explained() -> dict[str, str]:
    """Those of docs/explain.md, by name."""
    with (
        tempfile.TemporaryDirectory(prefix="tocsin-explain-", ignore_cleanup_errors=True) as folder,
        WebhookSink() as flaky,
        Cluster(Path(folder), flags=FLAGS) as cluster,
    ):
        play = Play(cluster, flaky)
        return {name: story(play) for name, story in STORIES.items()}


def shadowed() -> dict[str, str]:
    """Those of docs/shadow.md."""
    from tests.support.shadowplay import FLAGS, ShadowPlay

    with (
        tempfile.TemporaryDirectory(prefix="tocsin-shadow-", ignore_cleanup_errors=True) as folder,
        Cluster(Path(folder), flags=FLAGS) as cluster,
    ):
        play = ShadowPlay(cluster)
        play.all()

        def said(node: Node, shown: str, status: int, expect: str, *words: str) -> str:
            play.judged(node)
            done = tool(*words, f"--alertmanager.url={node.url}")
            assert (done.returncode, expect in done.stdout) == (status, True), done.stdout + done.stderr
            url = f"--alertmanager.url=http://{shown}:9093"
            return f"$ tocsinctl {' '.join(words)} {url}\n{done.stdout}"

        report, agree, differ = ("shadow", "report"), "No difference", "They differ"
        return {
            "shadow-agrees": said(play.shadow, "shadow", 0, agree, *report),
            "shadow-differs": said(play.without_rule, "shadow-2", 1, differ, *report),
            "shadow-explain": said(
                play.without_rule, "shadow-2", 0, "would have sent", "explain", "Slower", "--no-peers"
            ),
        }


PAGES: Final[Mapping[str, Callable[[], dict[str, str]]]] = {"explain": explained, "shadow": shadowed}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", action="store_true", help="print them, and write nothing")
    parser.add_argument("page", nargs="*", choices=[[], *PAGES], help="only these")
    arguments = parser.parse_args()
    problem = why_not()
    if problem:
        raise SystemExit(problem)
    for name in arguments.page or PAGES:
        write(ROOT / f"docs/{name}.md", PAGES[name](), show=arguments.show)
    return 0


def write(path: Path, found: Mapping[str, str], *, show: bool) -> None:
    """Put transcripts into their places on a page."""
    if show:
        for name, text in found.items():
            print(f"-- {name}\n{text}")
        return
    page = path.read_text()
    missing = set(found) - {match["name"] for match in _BLOCK.finditer(page)}
    assert not missing, f"{path} has no place for {sorted(missing)}"
    path.write_text(_BLOCK.sub(lambda match: f"{match[1]}```console\n{found[match['name']]}```\n", page))


if __name__ == "__main__":
    sys.exit(main())
