"""A quota for each key and in all: connections of a host, streams of a peer, bytes."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Quota(Generic[Key]):
    """Counts what each key holds; a key that holds nothing takes no memory.

    ``of_key`` bounds each key, ``in_all`` all of them together. None: no bound of that kind.
    """

    __slots__ = ("_held", "in_all", "of_key", "total")

    def __init__(self, of_key: int | None = None, in_all: int | None = None) -> None:
        self.of_key = of_key
        self.in_all = in_all
        self.total = 0
        """Held by all keys."""
        self._held: dict[Key, int] = {}

    def __len__(self) -> int:
        """Keys that hold something."""
        return len(self._held)

    def of(self, key: Key) -> int:
        """What ``key`` holds."""
        return self._held.get(key, 0)

    @property
    def full(self) -> bool:
        """All keys together hold ``in_all`` or more."""
        return self.in_all is not None and self.total >= self.in_all

    def full_of(self, key: Key) -> bool:
        """``key`` holds ``of_key`` or more."""
        return self.of_key is not None and self.of(key) >= self.of_key

    def exceeded(self, key: Key) -> bool:
        """Past a bound after :meth:`add`: ``key`` holds more than ``of_key``, or all more than ``in_all``."""
        return (self.of_key is not None and self.of(key) > self.of_key) or (
            self.in_all is not None and self.total > self.in_all
        )

    def acquire(self, key: Key, amount: int = 1) -> bool:
        """Count ``amount`` in for ``key``, unless that exceeds a bound; whether it was counted."""
        if self.in_all is not None and self.total + amount > self.in_all:
            return False
        if self.of_key is not None and self.of(key) + amount > self.of_key:
            return False
        self.add(key, amount)
        return True

    def add(self, key: Key, amount: int = 1) -> None:
        """Count ``amount`` in for ``key``, past any bound."""
        if amount:
            self._held[key] = self._held.get(key, 0) + amount
            self.total += amount

    def release(self, key: Key, amount: int = 1) -> None:
        """Count ``amount`` out. ``ValueError`` when ``key`` does not hold so much."""
        left = self._held.get(key, 0) - amount
        if left < 0:
            raise ValueError(f"{amount} released of {left + amount}")
        self.total -= amount
        if left:
            self._held[key] = left
        else:
            self._held.pop(key, None)
