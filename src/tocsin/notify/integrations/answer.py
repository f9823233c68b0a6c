"""How much of an answer is read."""

from __future__ import annotations

from typing import Final, NamedTuple

MAX_ANSWER_BYTES: Final = 64 * 1024
"""An answer longer than this is not read to its end; its connection is closed instead of kept."""
MAX_ANSWER_SECONDS: Final = 5.0
"""Nor is one that takes longer, once its status is known: a notification that was taken must not count as
failed because the rest of the answer drips."""
MAX_PIECES: Final = 4096
"""Nor is one in more pieces: each costs some work, however little is in it."""


class AnswerBounds(NamedTuple):
    """How much of an answer is read."""

    bytes: int = MAX_ANSWER_BYTES
    seconds: float = MAX_ANSWER_SECONDS
    pieces: int = MAX_PIECES
