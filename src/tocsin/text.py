"""Text of others, made fit for a terminal or a log."""

from __future__ import annotations

from typing import Final

MAX_SHOWN: Final = 512


def plain(text: str, limit: int = MAX_SHOWN) -> str:
    """``text`` with escapes for all that is not printable: line ends, terminal sequences, marks that turn the
    direction of writing. A backslash is doubled, so that nothing looks escaped that is not.

    What is longer than ``limit`` characters is cut, with a mark.
    """
    shown = "".join(_plain(one) for one in text[:limit])
    return shown if len(text) <= limit else f"{shown}…"


def _plain(character: str) -> str:
    if character == "\\":
        return "\\\\"
    return character if character.isprintable() else character.encode("unicode_escape", "replace").decode()
