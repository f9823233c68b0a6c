"""Silences as a snapshot file, which both kinds of node read at their start."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

from tocsin.alerting.matcher import MatchType
from tocsin.alerting.silence import Silence, make_matcher_sets
from tocsin.alerting.silence.codec import encode

_HOUR = 3600 * 10**9


def write_silences(folder: Path, count: int, *, on_instances: bool = False) -> list[str]:
    """Put ``count`` active silences into a data folder; their ids.

    ``on_instances``: half of them are regular expressions on the label ``instance``.
    """
    now = time.time_ns()
    ids: list[str] = []
    with (folder / "silences").open("wb") as file:
        for number in range(count):
            identifier = str(uuid.uuid4())
            matchers = [(int(MatchType.EQUAL), "alertname", f"Stored{number}")]
            if on_instances and number % 2:
                matchers = [(int(MatchType.REGEXP), "instance", f"host-{number}[.].*")]
            silence = Silence(
                id=identifier,
                matcher_sets=make_matcher_sets([matchers]),
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
