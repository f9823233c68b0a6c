"""The head of a question or an answer, ``version kind exchange``: a node reads it first."""

from __future__ import annotations

from typing import Final

from tocsin.errors import StateError

MESSAGE_VERSION: Final = 1
ASKS: Final = 1
ANSWERS: Final = 2
HEAD_BYTES: Final = 10


def head(data: bytes) -> tuple[bool, int]:
    """Whether it is a question, and its number. :class:`~tocsin.errors.StateError`."""
    if len(data) < HEAD_BYTES or data[0] != MESSAGE_VERSION or data[1] not in (ASKS, ANSWERS):
        raise StateError("no question or answer of a version that is known")
    return data[1] == ASKS, int.from_bytes(data[2:HEAD_BYTES], "big")
