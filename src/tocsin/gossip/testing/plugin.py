"""A pytest plugin: ``pytest_plugins = ["tocsin.gossip.testing.plugin"]`` in a conftest.py loads it."""

from __future__ import annotations

from typing import Protocol

import pytest

from tocsin.gossip.config import GossipConfig
from tocsin.gossip.testing import cluster


class Simulate(Protocol):
    """The type of the fixture :func:`simulate`."""

    def __call__(
        self, scenario: cluster.Scenario, *, seed: int = 0, config: GossipConfig | None = None
    ) -> None:
        """Run a scenario in virtual time."""


@pytest.fixture
def simulate() -> Simulate:
    """:func:`tocsin.gossip.testing.simulate`."""
    return cluster.simulate
