"""Real programs beside Tocsin: which ones, what to do without them, and their logs when a test fails.

TOCSIN_PEERS            the folder that tools/fetch-peers filled; without it these tests are skipped
TOCSIN_PEERS_REQUIRED   set: a skip is a failure (`make interop` sets it when the fetch succeeded)
TOCSIN_INTEROP_OURS     "alertmanager": a real Alertmanager stands where Tocsin would, which proves the tests
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest

from tests.support import alertmanager
from tests.support.cluster import Cluster
from tests.support.node import Node, NodeKind
from tests.support.processes import Process
from tests.support.tocsin_node import TOCSIN


@pytest.fixture(scope="session", autouse=True)
def peers_are_here() -> None:
    """Skip everything, with the reason, where the real programs are missing."""
    reason = alertmanager.why_not()
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def ours(peers_are_here: None) -> NodeKind:
    """The node under test."""
    if os.environ.get("TOCSIN_INTEROP_OURS") == "alertmanager":
        return alertmanager.alertmanager("0.33")
    return TOCSIN


OLDEST, *BETWEEN, NEWEST = sorted(alertmanager.WANTED)


def versions(*quick: str) -> list[object]:
    """All that are wanted, as parameters; those that are not quick are for the slow tests."""
    return [
        pytest.param(version, marks=[] if version in quick else [pytest.mark.slow])
        for version in alertmanager.WANTED
    ]


@pytest.fixture(scope="session", params=versions(OLDEST, NEWEST))
def theirs(request: pytest.FixtureRequest, peers_are_here: None) -> NodeKind:
    """Each version of the real Alertmanager in turn; between the oldest and the newest in slow tests."""
    return alertmanager.alertmanager(request.param)


class Trio(Cluster):
    """Ours, theirs, ours; sorted so by name too: positions 0, 1, 2.

    A random name (older Alertmanagers cannot be told one) is a ULID, which begins with "01" for centuries.
    """

    first: Node
    theirs: Node
    last: Node

    def fill(self, ours: NodeKind, theirs: NodeKind) -> Trio:
        turns = {"cluster.peer-timeout": "10s"}  # Who sends must be out within it, also on a busy machine.
        self.first = self.add(ours, "first", peer_name="00-first", flags=turns)
        self.theirs = self.add(theirs, "theirs", peer_name="50-theirs", flags=turns)
        self.last = self.add(ours, "last", peer_name="zz-last", flags=turns)
        self.wait_whole()
        return self


@pytest.fixture(scope="session")
def trio(tmp_path_factory: pytest.TempPathFactory, ours: NodeKind, theirs: NodeKind) -> Iterator[Trio]:
    """A cluster that stays whole: tests use it without harming it."""
    with Trio(tmp_path_factory.mktemp("trio")) as trio:
        yield trio.fill(ours, theirs)


def pytest_runtest_setup() -> None:
    Process.prune()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get("TOCSIN_PEERS_REQUIRED"):
        report.outcome = "failed"
        report.longrepr = f"skipped although the real programs are here: {report.longrepr}"
    if report.failed:
        for process in Process.known:
            state = "runs" if process.alive else f"ended with status {process.returncode}"
            report.sections.append((f"{process.name}, {state}: {process.log}", process.tail()))
    return report


def pytest_sessionfinish() -> None:
    """Whatever a broken test left behind ends here, by its own process id."""
    for process in list(Process.known):
        process.kill()
