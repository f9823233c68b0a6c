"""The golden vectors: bytes that real Go peers sent (tests/vectors/README.md)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).parent.parent / "vectors"


@dataclass(frozen=True, slots=True)
class Vector:
    """One capture."""

    case: str
    transport: str
    """``udp``, ``tcp``, ``stream-reply``, ``tls-packet``, ``tls-stream`` or ``file``."""
    data: bytes
    decoded: dict[str, Any]
    params: dict[str, Any]
    request: bytes

    @property
    def label(self) -> bytes:
        """The cluster's label, empty for none."""
        return str(self.params.get("label") or "").encode()

    @property
    def keys(self) -> list[bytes]:
        """The cluster's keys, primary first."""
        return [bytes.fromhex(key) for key in self.params.get("keys_hex") or ()]


@cache
def vectors(*transports: str) -> tuple[Vector, ...]:
    """All vectors of these transports, or of all."""
    if transports:
        return tuple(vector for vector in vectors() if vector.transport in transports)
    return tuple(
        Vector(
            case=value["case"],
            transport=value["transport"],
            data=bytes.fromhex(value["hex"]),
            decoded=value.get("decoded") or {},
            params=value.get("params") or {},
            request=bytes.fromhex(value.get("request_hex") or ""),
        )
        for path in sorted(DIRECTORY.glob("*.jsonl"))
        for value in map(json.loads, path.read_text(encoding="utf-8").splitlines())
    )


@cache
def folder(name: str) -> tuple[Vector, ...]:
    """All vectors of one capture."""
    return tuple(vector for vector in vectors() if vector.case.startswith(name + "/"))
