"""A bounded memo: the last values of a bounded number of keys."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Memo(Generic[Key, Value]):
    """A mapping of at most ``limit`` keys. A new key past it removes the one that was written longest ago."""

    __slots__ = ("_limit", "_values")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[Key, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: Key) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[Key]:
        return iter(self._values)

    def get(self, key: Key) -> Value | None:
        """The value of ``key``; None when it is not known."""
        return self._values.get(key)

    def put(self, key: Key, value: Value) -> None:
        """Set the value of ``key``, which becomes the newest."""
        values = self._values
        values[key] = value
        values.move_to_end(key)
        if len(values) > self._limit:
            values.popitem(last=False)

    def touch(self, key: Key) -> None:
        """Make ``key``, which is known, the newest."""
        self._values.move_to_end(key)

    def pop(self, key: Key) -> Value | None:
        """Remove ``key``; its value, or None when it was not known."""
        return self._values.pop(key, None)

    def values(self) -> Iterator[Value]:
        """All values, the oldest first."""
        return iter(self._values.values())

    def pop_oldest(self) -> tuple[Key, Value]:
        """Remove and return the key that was written longest ago; ``KeyError`` when there is none."""
        return self._values.popitem(last=False)


class Throttle(Generic[Key]):
    """Admits each key once in ``interval`` seconds; remembers at most ``limit`` keys."""

    __slots__ = ("_interval", "_last")

    def __init__(self, interval: float, limit: int) -> None:
        self._interval = interval
        self._last: Memo[Key, float] = Memo(limit)

    def __len__(self) -> int:
        return len(self._last)

    def admit(self, key: Key, now: float) -> bool:
        """Whether ``key`` was not admitted within the interval before ``now`` (seconds)."""
        last = self._last.get(key)
        if last is not None and now - last < self._interval:
            return False
        self._last.put(key, now)
        return True
