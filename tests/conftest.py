"""For all tests."""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.amounts import many

# How long an example takes says something of the machine, and no test fails by that.
settings.register_profile(
    "untimed",
    max_examples=many(100),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("untimed")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests are made, and stay: looking for garbage among them costs a third of their making."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
