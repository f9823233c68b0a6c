"""How much of what chance makes is tried: a quarter in every run, all of it with ``make slow``."""

from __future__ import annotations

import os

THOROUGH = bool(os.environ.get("TOCSIN_THOROUGH"))


def many(count: int) -> int:
    """So many with TOCSIN_THOROUGH, else a quarter."""
    return count if THOROUGH else count // 4
