"""Go's names for the machine."""

from __future__ import annotations

import platform
from typing import Final

_MACHINES: Final = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "i386": "386",
    "i686": "386",
    "armv6l": "arm",
    "armv7l": "arm",
    "loongarch64": "loong64",
}


def goarch(machine: str = platform.machine()) -> str:
    """The machine's architecture as Go names it; names that are the same in Go stay."""
    return _MACHINES.get(machine, machine)
