"""Real Tocsin processes, real sockets, real trouble. The processes' logs are shown when a test fails."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.support.processes import Process


def pytest_runtest_setup() -> None:
    Process.prune()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for process in Process.known:
            report.sections.append((f"{process.name}: {process.log}", process.tail()))
    return report


def pytest_sessionfinish() -> None:
    """Whatever a broken test left behind ends here, by its own process id."""
    for process in list(Process.known):
        process.kill()
