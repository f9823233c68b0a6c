"""Replicated state as real Alertmanagers wrote it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).parents[1] / "unit" / "alerting" / "data" / "state-payloads.jsonl"


@dataclass(frozen=True)
class StatePayload:
    """One payload; ``kind`` is ``file``, ``gossip`` or ``push/pull``, ``key`` is ``sil`` or ``nfl``."""

    case: str
    peer: str
    key: str
    kind: str
    data: bytes


@cache
def state_payloads(key: str) -> list[StatePayload]:
    """All payloads of one state."""
    lines = _FILE.read_text(encoding="utf-8").splitlines()
    found = [
        StatePayload(data=bytes.fromhex(record.pop("hex")), **record) for record in map(json.loads, lines)
    ]
    return [payload for payload in found if payload.key == key]
