"""Tocsin nodes whose wall clock can be set wrong while they run."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.support.node import NodeKind

_ROOT: Final = Path(__file__).resolve().parents[2]


def skewable(kind: NodeKind, offset: Path) -> NodeKind:
    """The same kind of node, with a clock that is wrong by what :func:`skew` writes into the file."""
    skew(offset, 0)
    command = (sys.executable, "-m", "tests.faults.suite.skewed_daemon", str(offset))
    return replace(kind, command=command, environment={"PYTHONPATH": f"{_ROOT / 'src'}:{_ROOT}"})


def skew(offset: Path, seconds: float) -> None:
    """Set the clock of a node by so much wrong."""
    offset.parent.mkdir(parents=True, exist_ok=True)
    part = offset.with_suffix(".part")
    part.write_text(str(seconds))
    part.rename(offset)
