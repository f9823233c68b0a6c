"""Silences as a snapshot file, which both kinds of node read at their start."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from tocsin.alerting.matcher import MatchType
from tocsin.alerting.silence import Silence, make_matcher_sets
from tocsin.alerting.silence.codec import encode

_HOUR = 3600 * 10**9


Matchers: TypeAlias = list[tuple[int, str, str]]
"""Of one silence: types, names and values."""


def own_name(number: int) -> Matchers:
    """An alert's name that no other silence has."""
    return [(int(MatchType.EQUAL), "alertname", f"Stored{number}")]


def name_or_instance(number: int) -> Matchers:
    """Half of them are regular expressions on the label ``instance``."""
    return instance_pattern(number) if number % 2 else own_name(number)


def all_but_one_shared(number: int) -> Matchers:
    """Every label but one is the same in all of them."""
    shared = [(int(MatchType.EQUAL), "severity", "warning"), (int(MatchType.EQUAL), "team", "team-1")]
    return [*shared, (int(MatchType.EQUAL), "instance", f"host-{number}.example.org:9100")]


def instance_pattern(number: int) -> Matchers:
    """Regular expressions only."""
    return [(int(MatchType.REGEXP), "instance", f"host-{number}[.].*")]


def negative(number: int) -> Matchers:
    """Negative matchers only; no alert of ours fulfils them."""
    excluded = ("severity", "warning"), ("severity", "critical"), ("team", f"team-{number}")
    return [(int(MatchType.NOT_EQUAL), name, value) for name, value in excluded]


def write_silences(folder: Path, count: int, matchers: Callable[[int], Matchers] = own_name) -> list[str]:
    """Put ``count`` active silences into a data folder, with the ``matchers`` of each number; their ids."""
    now = time.time_ns()
    ids: list[str] = []
    with (folder / "silences").open("wb") as file:
        for number in range(count):
            identifier = str(uuid.uuid4())
            silence = Silence(
                id=identifier,
                matcher_sets=make_matcher_sets([matchers(number)]),
                starts_at=now - _HOUR,
                ends_at=now + 4 * _HOUR,
                updated_at=now - _HOUR + number,
                created_by="benchmarks",
                comment=f"stored before the node was started, number {number}",
                expires_at=now + 124 * _HOUR,
            )
            file.write(encode(silence).encoded)
            ids.append(identifier)
    return ids
