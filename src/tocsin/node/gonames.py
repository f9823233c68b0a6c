"""Names that Go has for what we run on."""

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
    """The machine's kind as Go names it; one that it names as the system does stays."""
    return _MACHINES.get(machine, machine)
