"""Label sets and the numbers peers know them by.

Two hashes over the same bytes (names in byte order, each name and each value followed by ``0xff``): FNV-1a,
which is an alert's fingerprint in the API, and XXH64, which the notification log holds (wire 4.6).
"""

from __future__ import annotations

import re
from collections.abc import ItemsView, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

import xxhash

from tocsin.alerting.quote import go_quote
from tocsin.alerting.steps import Steps

__all__ = ["Labels", "fingerprinting", "go_quote", "valid_classic_name", "valid_name", "valid_text"]

_FNV_OFFSET: Final = 0xCBF29CE484222325
_FNV_PRIME: Final = 0x100000001B3
_REMEMBERED: Final = 2048
"""Bytes; a larger label set remembers its own fingerprint only."""
_HASHED_AT_ONCE: Final = 8192
"""Bytes; they take two milliseconds."""
_MASK: Final = 0xFFFFFFFFFFFFFFFF

_CLASSIC_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")


# Prometheus sends the same alerts every minute: remembering their fingerprints saves most of the work. The
# bound holds three times as many alerts as a large Alertmanager has.
def fnv1a_64(data: bytes) -> int:
    """FNV-1a, 64 bits, of ``data``."""
    return _fnv1a_64(data) if len(data) > _REMEMBERED else _remembered(data)


@lru_cache(maxsize=32768)
def _remembered(data: bytes) -> int:
    return _fnv1a_64(data)


def _fnv1a_64(data: bytes, state: int = _FNV_OFFSET) -> int:
    for byte in data:
        state = ((state ^ byte) * _FNV_PRIME) & _MASK
    return state


def valid_text(text: str) -> bool:
    """Whether ``text`` can be written as UTF-8 (no lone surrogates)."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def valid_name(name: str) -> bool:
    """Whether ``name`` can be a label name: any text but the empty one."""
    return bool(name) and valid_text(name)


def valid_classic_name(name: str) -> bool:
    """Whether ``name`` is one that Prometheus took before UTF-8 names: ``[a-zA-Z_][a-zA-Z0-9_]*``."""
    return _CLASSIC_NAME.match(name) is not None


class Labels(Mapping[str, str]):
    """An immutable, hashable mapping of label names to values, in byte order of the names.

    An absent label and one with an empty value differ here; readers of labels from outside drop empty ones.
    """

    __slots__ = ("_bytes", "_fingerprint", "_hash", "_values")

    _values: dict[str, str]
    _bytes: bytes | None
    _fingerprint: int | None
    _hash: int | None

    def __init__(self, labels: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        values = labels._values if type(labels) is Labels else dict(sorted(dict(labels).items()))
        self._values = values
        self._bytes = None
        self._fingerprint = None
        self._hash = None

    @classmethod
    def from_mapping(cls, labels: Mapping[str, str]) -> Labels:
        """The label set of ``labels``."""
        return cls(labels)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """``(name, value)`` in byte order of the names."""
        return tuple(self._values.items())

    @property
    def canonical_bytes(self) -> bytes:
        """What both hashes are taken over: each name and each value followed by the byte 0xff."""
        found = self._bytes
        if found is None:
            parts: list[bytes] = []
            for name, value in self._values.items():
                parts.append(name.encode("utf-8", "surrogatepass"))
                parts.append(value.encode("utf-8", "surrogatepass"))
            parts.append(b"")
            found = self._bytes = b"\xff".join(parts)
        return found

    @property
    def fingerprint(self) -> int:
        """FNV-1a of :attr:`canonical_bytes`; equal to the fingerprint Alertmanager shows in its API."""
        found = self._fingerprint
        if found is None:
            found = self._fingerprint = fnv1a_64(self.canonical_bytes)
        return found

    def fingerprinting(self) -> Steps[int]:
        """:attr:`fingerprint` in steps: that of a megabyte takes a quarter of a second."""
        if self._fingerprint is None and len(data := self.canonical_bytes) > _HASHED_AT_ONCE:
            state = _FNV_OFFSET
            for start in range(0, len(data), _HASHED_AT_ONCE):
                state = _fnv1a_64(data[start : start + _HASHED_AT_ONCE], state)
                yield
            self._fingerprint = state
        return self.fingerprint

    @property
    def is_fingerprinted(self) -> bool:
        """Whether the fingerprint is known."""
        return self._fingerprint is not None

    @property
    def fingerprint_text(self) -> str:
        """The fingerprint as 16 hexadecimal digits."""
        return f"{self.fingerprint:016x}"

    @property
    def hash(self) -> int:
        """XXH64 (seed 0) of :attr:`canonical_bytes`; the alert's number in the notification log."""
        found = self._hash
        if found is None:
            found = self._hash = xxhash.xxh64_intdigest(self.canonical_bytes)
        return found

    def subset(self, names: Iterable[str]) -> Labels:
        """The labels among ``names`` that are present."""
        values = self._values
        return Labels((name, values[name]) for name in names if name in values)

    def without(self, names: Iterable[str]) -> Labels:
        """All labels but ``names``."""
        dropped = set(names)
        return Labels((name, value) for name, value in self._values.items() if name not in dropped)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        return self._values.get(name, default)

    def items(self) -> ItemsView[str, str]:
        """As of any mapping, without the detour by way of each name."""
        return self._values.items()

    def value(self, name: str) -> str:
        """The value of ``name``, ``""`` if absent: what a matcher is tried against."""
        return self._values.get(name, "")

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Labels):
            return self._values == other._values
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __lt__(self, other: Labels) -> bool:
        return self.pairs < other.pairs

    def __str__(self) -> str:
        """``{a="x", b="y"}`` with Go's quoting: the form within group keys."""
        return "{" + ", ".join(f"{name}={go_quote(value)}" for name, value in self._values.items()) + "}"

    def __repr__(self) -> str:
        return f"Labels({self._values!r})"


def fingerprinting(sets: Iterable[Labels]) -> Steps[None]:
    """The fingerprints of many label sets in steps, at least one for each set that has none yet."""
    for each in sets:
        if not each.is_fingerprinted:
            yield from each.fingerprinting()
            yield
