"""Remembers which keys have changed, for a reader that polls."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

MAX_TOUCHED: Final = 100
"""Keys that are remembered between two reads."""

Key = TypeVar("Key", bound=Hashable)


class Touched(Generic[Key]):
    """Remembers at most ``limit`` keys, and counts the others, while ``on``."""

    __slots__ = ("_keys", "_limit", "_more", "on")

    def __init__(self, limit: int = MAX_TOUCHED) -> None:
        self._limit = limit
        self._keys: dict[Key, None] = {}
        self._more = 0
        self.on = False
        """Whether there is a reader; otherwise nothing is remembered."""

    def add(self, key: Key) -> None:
        """Something happened to ``key``."""
        if not self.on or key in self._keys:
            return
        if len(self._keys) < self._limit:
            self._keys[key] = None
        else:
            self._more += 1

    def take(self) -> tuple[tuple[Key, ...], int]:
        """The keys since the last call, in the order in which they came; and about how many others."""
        taken = tuple(self._keys), self._more
        self._keys, self._more = {}, 0
        return taken
