"""The captures, and those of them that every test run plays."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "vectors" / "receivers" / "captures.jsonl"
FEW = 1
"""Captures of each kind in every test run, beside that of every key."""


@dataclass(frozen=True)
class Step:
    """Alerts that are posted, how the server answers, and what it and the metrics tell then."""

    alerts: Any
    answers: list[dict[str, Any]]
    requests: list[dict[str, Any]]
    metrics: dict[str, Any]
    to_the_end: bool
    """Whether the flush goes on until its time is up: how often it tries is chance."""


@dataclass(frozen=True)
class Capture:
    """One line of the file."""

    data: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.data["name"])

    @property
    def kind(self) -> str:
        return str(self.data["receiver"])

    @property
    def quirk(self) -> str:
        """The fault of Alertmanager that it shows, in which another behaviour is as good."""
        return str(self.data.get("quirk", ""))

    @property
    def group_interval(self) -> float:
        found = re.search(r"group_interval: (\d+)(ms|s|m|h)", self.data["route"])
        assert found, self.name
        return int(found[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[found[2]]

    @property
    def steps(self) -> list[Step]:
        data = self.data
        lists = (data["alerts"], data["responses"], data["requests"], data["metrics"], data["until"])
        return [
            Step(alerts, answers, requests, metrics, until == "failed")
            for alerts, answers, requests, metrics, until in zip(*lists, strict=True)
        ]

    @property
    def is_fast(self) -> bool:
        """Whether nothing has to be waited for that takes long, or that must not come."""
        steps = self.steps
        delayed = any("delay" in answer or "action" in answer for step in steps for answer in step.answers)
        return len(steps) <= 3 and not delayed and all(s.requests and not s.to_the_end for s in steps)


def load(file: Path = FILE) -> list[Capture]:
    """All captures of a file."""
    with file.open(encoding="utf-8") as lines:
        return [Capture(json.loads(line)) for line in lines if line.strip()]


def chosen(captures: Iterable[Capture]) -> list[Capture]:
    """For every test run: of each kind the one with every key, and others that are fast, by their hash."""
    by_kind: dict[str, list[Capture]] = {}
    for capture in captures:
        if capture.is_fast and not capture.quirk:
            by_kind.setdefault(capture.kind, []).append(capture)
    found: list[Capture] = []
    for fast in by_kind.values():
        whole = [capture for capture in fast if capture.name.endswith("-every-key")]
        others = [capture for capture in fast if capture not in whole]
        others.sort(key=lambda capture: sha256(capture.name.encode()).digest())
        found += whole + others[:FEW]
    return found
