"""Bounds on how much of an HTTP answer is read."""

from __future__ import annotations

from typing import Final, NamedTuple

MAX_ANSWER_BYTES: Final = 64 * 1024
"""Bytes of a body. A longer one is cut there, and its connection is closed instead of reused."""
MAX_ANSWER_SECONDS: Final = 5.0
"""Seconds for the body, once the status is known; then it is cut: an accepted notification must not count as
failed because the rest of the answer comes slowly."""
MAX_PIECES: Final = 4096
"""Pieces of a body, after which it is cut: each costs some work, however short it is."""


class AnswerBounds(NamedTuple):
    """Bounds on how much of an HTTP answer is read."""

    bytes: int = MAX_ANSWER_BYTES
    seconds: float = MAX_ANSWER_SECONDS
    pieces: int = MAX_PIECES
