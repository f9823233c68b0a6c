"""Texts cut to what a far side takes, ending with an ellipsis, as Alertmanager cuts them."""

from __future__ import annotations

from typing import Final

MARKER: Final = "…"
_SHORTEST: Final = 3
"""Up to so many characters there is no room for the marker."""


def in_characters(text: str, limit: int) -> str:
    """At most ``limit`` characters of ``text``, the marker included."""
    if len(text) <= limit:
        return text
    return text[:limit] if limit <= _SHORTEST else text[: limit - 1] + MARKER
