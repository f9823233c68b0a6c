"""State on disk: it survives a stop, and the folder can change hands between the two kinds, both ways."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.api import matcher, prometheus_alert
from tests.support.cluster import Cluster
from tests.support.eventually import eventually, holds_for
from tests.support.node import Node, NodeKind, metric

pytestmark = pytest.mark.interop


def wait_logged(node: Node) -> None:
    """Wait until its only group found its notification in the log.

    A receiver has a notification before its sender logs it, and a node that is ended in between logs
    nothing. A group's second flush begins after its first is through.
    """
    eventually(
        lambda: metric(node.api.metrics(), "alertmanager_nflog_queries_total") >= 2,
        "the notification is in the log",
    )


def hand_over(node: Node, kind: NodeKind) -> Node:
    """Stop it, and start the other program on the same folder and addresses."""
    assert node.stop() == 0
    node.kind = kind
    node.peer_name = ""
    return node.restart()


@pytest.mark.parametrize("route", ["ours-ours", "theirs-ours", "ours-theirs", "theirs-ours-theirs"])
def test_silences_and_the_notification_log_stay(
    tmp_path: Path, ours: NodeKind, theirs: NodeKind, route: str
) -> None:
    kinds = [ours if step == "ours" else theirs for step in route.split("-")]
    with Cluster(tmp_path) as cluster:
        node = cluster.add(kinds[0], "node", group_interval="1s").wait_ready()
        active = node.api.post_silence([matcher("alertname", "A.*", regex=True)], comment="stays")
        ended = node.api.post_silence([matcher("alertname", "B")])
        node.api.expire_silence(ended)
        alert = prometheus_alert("SentOnce")
        node.api.post_alerts(alert)
        cluster.sink.wait_for("SentOnce")
        wait_logged(node)
        before = {silence["id"]: silence for silence in node.api.silences()}
        assert set(before) == {active, ended}
        for kind in kinds[1:]:
            hand_over(node, kind).wait_ready()
            after = {silence["id"]: silence for silence in node.api.silences()}
            assert after == before
            node.api.post_alerts(alert)
            holds_for(lambda: len(cluster.sink.of_alert("SentOnce")) == 1, "not sent again", seconds=2.0)
        node.api.post_alerts(prometheus_alert("Fresh"))
        eventually(lambda: cluster.sink.of_alert("Fresh"), "it still notifies")


@pytest.mark.parametrize("running", [True, False], ids=["running", "killed"])
def test_an_export_is_read_by_the_other_kind(
    tmp_path: Path, ours: NodeKind, theirs: NodeKind, running: bool
) -> None:
    if ours.version is not None:
        pytest.skip("only Tocsin has something to export")
    with Cluster(tmp_path) as cluster:
        node = cluster.add(ours, "node").wait_ready()
        active = node.api.post_silence([matcher("alertname", "A.*", regex=True)], comment="stays")
        ended = node.api.post_silence([matcher("alertname", "B")])
        node.api.expire_silence(ended)
        alert = prometheus_alert("SentOnce")
        node.api.post_alerts(alert)
        cluster.sink.wait_for("SentOnce")
        kept = "tocsin_journal_rows_written_total"  # three versions of silences, one log entry
        eventually(lambda: metric(node.api.metrics(), kept) == 4, "all is kept")
        before = {silence["id"]: silence for silence in node.api.silences()}
        assert set(before) == {active, ended}
        if not running:
            node.kill()
        target = tmp_path / "theirs" / "data"
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tocsin.cli.control", "storage", "export"),
                *(str(target), f"--storage.path={node.folder / 'data'}"),
            ],
            env={"PYTHONPATH": str(Path(__file__).parents[2] / "src")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert f"{target / 'silences'}: 2 entries" in done.stdout
        node.kill()
        other = cluster.add(theirs, "theirs", peers=[]).wait_ready()
        assert {silence["id"]: silence for silence in other.api.silences()} == before
        other.api.post_alerts(alert)
        holds_for(lambda: len(cluster.sink.of_alert("SentOnce")) == 1, "not sent again", seconds=2.0)
