"""What a measurement is: figures, what each is to reach, and how samples become one number."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from tests.support.node import NodeKind

Samples = dict[str, list[float]]
"""Figure key -> what was measured. ``math.inf`` stands for "not within the time that was waited"."""


def median(samples: Sequence[float]) -> float:
    """The median; the lower of the middle two if one of them is infinite."""
    ordered = sorted(samples)
    middle = statistics.median(ordered)
    return middle if math.isfinite(middle) else ordered[(len(ordered) - 1) // 2]


def p99(samples: Sequence[float]) -> float:
    """The 99th percentile, of the samples themselves."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * 0.99) - 1)]


def largest(samples: Sequence[float]) -> float:
    """The worst of what is better small."""
    return max(samples)


def smallest(samples: Sequence[float]) -> float:
    """The best of what is better small: of work that is always the same, what it takes undisturbed."""
    return min(samples)


@dataclass(frozen=True, slots=True)
class Target:
    """What Tocsin is to reach.

    ``factor`` is of the real Alertmanager's figure in the same run, and ``plus`` may come on top; ``limit``
    is a number of its own; at most that, or with ``at_least`` no less. Several conditions must all hold.
    """

    factor: float | None = None
    limit: float | None = None
    at_least: bool = False
    plus: float = 0.0

    def met(self, ours: float | None, theirs: float | None) -> bool | None:
        """Whether it is reached; None if that cannot be said, for want of a figure."""
        if ours is None:
            return None
        verdicts: list[bool] = []
        if self.limit is not None:
            verdicts.append(ours >= self.limit if self.at_least else ours <= self.limit)
        if self.factor is not None:
            if theirs is None:
                return None
            wanted = theirs * self.factor + self.plus
            verdicts.append(ours >= wanted if self.at_least else ours <= wanted)
        return all(verdicts) if verdicts else None

    def __str__(self) -> str:
        word = "≥" if self.at_least else "≤"
        more = f" + {self.plus:g}" if self.plus else ""
        parts = [f"{word} {self.factor:.3g} ×{more}"] if self.factor is not None else []
        parts += [f"{word} {self.limit:g}"] if self.limit is not None else []
        return ", ".join(parts) or "-"


NO_TARGET = Target()

LEAST_NOISE = 0.05
"""Of a figure: what two runs on a quiet machine may differ by in any case."""
ONE_TRIAL_NOISE = 0.25
"""The same where there is one trial, whose noise nobody knows."""


def noise(samples: Sequence[float]) -> float:
    """How far a figure made of these may be off, as a share of it: half of what the middle half of them
    spans, by the root of their number."""
    values = sorted(value for value in samples if math.isfinite(value))
    if len(values) < 3 or not statistics.median(values):
        return ONE_TRIAL_NOISE
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    spread = (high - low) / abs(statistics.median(values)) / 2
    return max(LEAST_NOISE, spread * 2 / math.sqrt(len(values)))


def change(before: float, now: float, noise_: float, *, at_least: bool) -> str:
    """What became of a figure since it was last kept, in words."""
    if not (math.isfinite(before) and math.isfinite(now)) or not before:
        return "" if before == now else "changed"
    by = now / before - 1
    if abs(by) <= noise_:
        return f"as before ({by:+.0%}, noise {noise_:.0%})"
    return f"{'better' if (by > 0) == at_least else 'WORSE'} ({by:+.0%}, noise {noise_:.0%})"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a measurement."""

    key: str
    title: str
    unit: str
    target: Target = NO_TARGET
    summary: Callable[[Sequence[float]], float] = median


Measure = Callable[["Bench", "NodeKind"], Samples]


@dataclass(frozen=True, slots=True)
class Row:
    """A measurement of one kind of node. ``how`` says in a sentence what is done and what is counted."""

    name: str
    how: str
    figures: tuple[Figure, ...]
    measure: Measure


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a row gave for one kind: samples, or why there are none."""

    samples: Mapping[str, Sequence[float]]
    problem: str = ""
