"""Every kept and captured input goes through its target: what was found once stays repaired."""

from __future__ import annotations

import pytest

from tests.fuzz import corpus
from tests.fuzz.targets import TARGETS, run


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_raises_nothing_but_the_documented_errors(name: str) -> None:
    inputs = corpus.seeds(name)
    assert inputs, "a target without a seed"
    for data in inputs:
        run(name, data)


def test_every_input_has_its_target() -> None:
    assert corpus.targets() <= set(TARGETS)
