"""What the soak calls flat: a line through what a node uses, and how far it may be off."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from benchmarks.soak import FIGURES, Looks, Track, Work, line_through, text
from tests.support import page
from tocsin.certificates import CertificateFolder

MINUTES = 30


def track(value: Callable[[float], float], noise: float = 0.0, seed: int = 1) -> Track:
    """A look every five seconds; ``value`` of the hours."""
    chance, made = Random(seed), Track()
    for number in range(MINUTES * 12):
        made.add(5.0 * number, value(number / 720) + (chance.gauss(0, noise) if noise else 0.0))
    return made


@pytest.mark.parametrize(
    ("value", "noise", "flat"),
    [
        (lambda _: 100.0, 0.0, True),
        (lambda hours: 100 + 20 * hours, 0.0, False),
        (lambda hours: 100 + 20 * hours, 1.0, False),
        (lambda hours: 100 + 5 * hours, 0.0, True),  # less than a tenth
        (lambda hours: 100 - 50 * hours, 0.0, True),
        (lambda _: 100.0, 20.0, True),  # all noise
        (lambda hours: 100 + 600 * min(hours, 1 / 6), 0.0, True),  # the first third is not looked at
    ],
)
def test_growth_is_told_from_noise_and_from_the_beginning(
    value: Callable[[float], float], noise: float, flat: bool
) -> None:
    assert line_through(track(value, noise)).flat == flat


def test_the_growth_is_that_of_an_hour() -> None:
    line = line_through(track(lambda hours: 50 + 30 * hours))
    assert line.growth == pytest.approx(30)
    assert line.error == pytest.approx(0, abs=1e-6)


def test_from_too_few_looks_nothing_follows() -> None:
    few = Track([1.0, 2.0], [1.0, 100.0])
    assert line_through(few).error == math.inf


def test_what_grows_is_said_and_put_into_its_page(tmp_path: Path) -> None:
    looks, work = Looks([]), Work([], CertificateFolder(tmp_path), 1)
    looks.tracks["node-0"] = {figure: track(lambda _: 10.0) for figure in FIGURES}
    shown, flat = text(looks, work, MINUTES)
    assert flat
    assert "**no**" not in shown
    looks.tracks["node-0"]["memory"] = track(lambda hours: 100 + 90 * hours)
    shown, flat = text(looks, work, MINUTES)
    assert not flat
    assert "| node-0 | memory (MiB) | " in shown
    assert "**no**" in shown
    written = tmp_path / "page.md"
    marks = [f"<!-- {mark}: {end} -->" for mark in ("table", "soak") for end in ("begin", "end")]
    marks.insert(1, "x")
    written.write_text("\n".join(marks))
    page.put(written, shown, mark="soak")
    assert "x" in written.read_text()
    assert "**no**" in written.read_text()
