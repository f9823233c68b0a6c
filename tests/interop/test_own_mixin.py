"""Our own rules in a real Prometheus, over a running node: they are taken, and the right ones fire."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support import alertmanager
from tests.support.cluster import Cluster
from tests.support.eventually import eventually
from tests.support.node import NodeKind
from tests.support.prometheus import Prometheus

pytestmark = pytest.mark.interop

RULES = Path(__file__).parents[2] / "mixin/tocsin.rules.yml"


def test_promtool_finds_the_rules_right_and_their_tests_pass() -> None:
    tool = alertmanager.promtool()
    if not tool.exists():
        assert not os.environ.get("TOCSIN_PEERS_REQUIRED"), f"no {tool}"
        pytest.skip(f"no {tool}: tools/fetch-peers fetches it")
    for line in (["check", "rules", RULES.name], ["test", "rules", "tests.yml"]):
        done = subprocess.run([tool, *line], cwd=RULES.parent, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "SUCCESS" in done.stdout


def test_a_node_in_clear_text_is_told_of_and_nothing_else_is(tmp_path: Path, ours: NodeKind) -> None:
    rules = re.sub(r"for: \d+[mh]", "for: 1s", RULES.read_text())
    with Cluster(tmp_path, udp=True) as cluster:
        for name in ("first", "second"):
            cluster.add(ours, name)
        cluster.wait_whole()
        scraped = [node.url.removeprefix("http://") for node in cluster.nodes]
        with Prometheus(
            alertmanager.prometheus(), tmp_path / "prometheus", [], rules=rules, scraped=scraped
        ) as one:
            # Until both are, the second has a member before it that nobody scrapes.
            eventually(lambda: len(one.value("tocsin_cluster_whole == 1")) == 2, "both are scraped")
            eventually(lambda: one.firing() == {"TocsinClusterInClearText"}, "the alert fires, and no other")
