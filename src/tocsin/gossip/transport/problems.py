"""Why a connection could not be made, as the kernel words it: the same for every transport."""

from __future__ import annotations

import os


def dial_problem(error: OSError | OverflowError) -> str:
    """What the system said; asyncio's own text repeats the address as a tuple."""
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: is the node up, and does it listen there?"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error)
