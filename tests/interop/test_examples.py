"""The examples that join real programs: serf agents, and an Alertmanager for any Go program."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.alertmanager import alertmanager
from tests.support.cluster import Cluster
from tests.support.eventually import DEADLINE, eventually
from tests.support.serf import Agent

pytestmark = pytest.mark.interop

FOLDER = Path(__file__).parents[2] / "examples/gossip"


@contextmanager
def example(name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(FOLDER / name), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    patience = threading.Timer(DEADLINE, process.kill)  # a line that never comes ends the reading
    patience.start()
    try:
        yield process
    finally:
        patience.cancel()
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def test_serf_shows_the_example_with_its_tags(tmp_path: Path) -> None:
    agent = Agent("agent", tmp_path, "-tag", "role=host").start()
    try:
        with example("serf.py", str(agent.address)) as process:
            eventually(lambda: agent.members().get("python") == "alive", "serf knows it")
            assert agent.tags("python") == {"role": "guest"}
            assert process.stdout is not None
            lines = sorted(process.stdout.readline() for _ in range(2))
            assert "{'role': 'host'}" in lines[0]
            assert process.stdin is not None
            process.stdin.close()
            # What serf calls "left" takes a message of serf's own, which the example does not send.
            eventually(lambda: agent.members().get("python") == "failed", "it has gone")
    finally:
        agent.close()


def test_the_example_watches_alertmanagers_come_and_go(tmp_path: Path) -> None:
    with Cluster(tmp_path, udp=True) as cluster:
        first = cluster.add(alertmanager("0.33"), "first", peer_name="first")
        with example("alertmanager.py", first.cluster_address) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("joined first ")
