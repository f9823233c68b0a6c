"""Replicated state as real Alertmanagers wrote it, taken out of the golden vectors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.vectors import vectors

_KNOWN_LABELS = Path(__file__).parents[1] / "unit" / "alerting" / "data" / "known-labels.json"


@dataclass(frozen=True)
class StatePayload:
    """One payload; ``kind`` is ``file``, ``gossip`` or ``push/pull``, ``key`` is ``sil`` or ``nfl``."""

    case: str
    key: str
    kind: str
    data: bytes


@cache
def state_payloads(key: str) -> list[StatePayload]:
    """All different payloads of one state."""
    found: dict[bytes, StatePayload] = {}
    for vector in vectors():
        if not vector.case.startswith(("am-", "disk-")):
            continue
        if vector.transport == "file":
            of_this_state = ("silences" in vector.case) == (key == "sil")
            payloads = [vector.data] if of_this_state else []
            kind = "file"
        else:
            plain = list(_unpacked(vector.decoded)) or [vector.data]
            payloads = [data for message in plain for data in _parts(message, key)]
            kind = "gossip" if "user" in vector.case else "push/pull"
        for data in payloads:
            found.setdefault(data, StatePayload(vector.case, key, kind, data))
    return list(found.values())


def known_labels_log() -> bytes:
    """A notification log of alerts whose labels are known (data/STATE.md)."""
    return bytes.fromhex(json.loads(_KNOWN_LABELS.read_text(encoding="utf-8"))["hex"])


def _unpacked(decoded: Any) -> Iterator[bytes]:
    """Every decompressed message within the description of a vector."""
    if isinstance(decoded, dict):
        for name, value in decoded.items():
            if name == "plain_hex":
                yield bytes.fromhex(value)
            else:
                yield from _unpacked(value)
    elif isinstance(decoded, list):
        for value in decoded:
            yield from _unpacked(value)


def _parts(message: bytes, key: str) -> Iterator[bytes]:
    """The data of every Part with that key, found by its first bytes wherever it is in the message."""
    mark = b"\x0a\x03" + key.encode() + b"\x12"
    place = message.find(mark)
    while place >= 0:
        start = place + len(mark)
        length = shift = 0
        while True:
            byte = message[start]
            start += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if start + length <= len(message):
            yield message[start : start + length]
        place = message.find(mark, start)
