"""The lists that docs/compatibility.md goes through, held against the real program."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support import alertmanager
from tests.support.eventually import eventually
from tests.support.node import Node, webhook_config
from tools.compatibility.page import METRICS, lines

pytestmark = pytest.mark.interop


def test_every_flag_of_the_real_program_is_on_the_list() -> None:
    program = alertmanager.alertmanager("0.33").command[0]
    asked = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=20, check=False)
    found = re.findall(
        r"^ {2,6}(?:-h, )?--(\[no-\])?([a-z0-9.-]+)(?:=\S*)?( \.\.\.)?",
        asked.stdout + asked.stderr,
        re.MULTILINE,
    )
    shown = {
        f"{name} {'switch' if no else 'value'}{' repeatable' if more else ''}" for no, name, more in found
    }
    assert shown == set(lines("flags-0.33.1.txt"))


def test_every_metric_of_the_real_program_is_on_the_list(tmp_path: Path) -> None:
    """As it starts, as one of a cluster; what comes with alerts is in test_metrics.py."""
    node = Node(
        alertmanager.alertmanager("0.33"), "real", tmp_path, config=webhook_config("http://127.0.0.1:9/")
    )
    node.start()
    try:
        node.wait_ready()
        listed = {line.split()[0] for line in METRICS.read_text().splitlines() if not line.startswith("#")}

        def families() -> set[str]:
            text = node.api.http.get("/metrics").text
            return {
                f"{family.name}_total" if family.type == "counter" else family.name
                for family in text_string_to_metric_families(text)
                if family.name.startswith("alertmanager_")
            }

        eventually(lambda: "alertmanager_cluster_alive_messages_total" in families(), "the cluster is shown")
        assert families() <= listed
        late = {
            "alertmanager_alerts_subscriber_channel_writes_total",
            "alertmanager_cluster_pings_seconds",
            "alertmanager_notifications_suppressed_total",
            "alertmanager_alerts_limited_total",
        }
        missing = listed - families() - late
        assert all(name.startswith("alertmanager_tls_") for name in missing)
    finally:
        node.close()
