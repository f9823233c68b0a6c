"""The Tocsin daemon as a node of a test cluster."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.node import NodeKind

_SOURCE = Path(__file__).resolve().parents[2] / "src"

TOCSIN = NodeKind(
    "tocsin", (sys.executable, "-m", "tocsin.cli.daemon"), environment={"PYTHONPATH": str(_SOURCE)}
)
