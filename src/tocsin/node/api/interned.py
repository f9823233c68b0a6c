"""Remembers what request bytes stand for: Prometheus sends the same label sets again and again."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, Generic, TypeVar

T = TypeVar("T")

MAX_ENTRIES: Final = 16_384
MAX_BYTES: Final = 16 << 20
"""Bytes of keys and values together; values may be twenty times as large as keys."""
MAX_KEY_BYTES: Final = 4096
MAX_SHARED: Final = 512
"""Characters of a text up to which equal ones are shared."""


@lru_cache(maxsize=1024)
def _same(text: str) -> str:
    return text


def shared(text: str) -> str:
    """``text``, the same object each time if it was seen lately: many alerts have the same values and URL."""
    return _same(text) if len(text) <= MAX_SHARED else text


class Interned(Generic[T]):
    """A bounded memory from bytes to values. What has not been asked for lately is forgotten.

    Two generations: what is found moves to the young one; when the young one has ``max_entries`` or
    ``max_bytes``, it becomes the old one, and the old one is forgotten. Keys longer than ``max_key_bytes``
    are not remembered. ``size``: bytes of memory, about, that a value takes beside its key.
    """

    def __init__(
        self,
        max_entries: int = MAX_ENTRIES,
        max_bytes: int = MAX_BYTES,
        max_key_bytes: int = MAX_KEY_BYTES,
        *,
        size: Callable[[T], int] = lambda _value: 0,
    ) -> None:
        self.forgotten = 0
        """Generations that were forgotten."""
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._max_key_bytes = max_key_bytes
        self._size = size
        self._young: dict[bytes, T] = {}
        self._old: dict[bytes, T] = {}
        self._young_bytes = 0

    def get(self, key: bytes) -> T | None:
        """What was put under ``key``, unless it was forgotten."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: bytes, value: T) -> None:
        """Remember ``value``."""
        if len(key) > self._max_key_bytes:
            return
        size = len(key) + self._size(value)
        if len(self._young) >= self._max_entries or self._young_bytes + size > self._max_bytes:
            self.forgotten += bool(self._old)
            self._old, self._young, self._young_bytes = self._young, {}, 0
        self._young[key] = value
        self._young_bytes += size

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
