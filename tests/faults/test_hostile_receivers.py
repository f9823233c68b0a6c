"""A receiver that behaves badly costs its own attempt: bounded, counted and told."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.hostile_receivers.attacks import ATTACKS, Attack
from tests.faults.hostile_receivers.check import problems
from tests.faults.hostile_receivers.play import Result, play_all


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    return asyncio.run(play_all(ATTACKS))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_it_costs_its_own_attempt(attack: Attack, results: dict[str, Result]) -> None:
    assert not problems(attack, results[attack.name])
