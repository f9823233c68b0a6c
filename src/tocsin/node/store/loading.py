"""Rows of the journal, back into the states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tocsin.alerting.entries import MergeResult
from tocsin.alerting.replicated import ReplicatedState
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.errors import StateError
from tocsin.node.store.rows import Row, key_of, stamp_of


def load_row(state: ReplicatedState[Any], row: Row, now: Nanoseconds) -> MergeResult:
    """One row. :class:`~tocsin.errors.StateError` when it does not decode."""
    return load_rows(state, [row], now)


def load_rows(state: ReplicatedState[Any], rows: Sequence[Row], now: Nanoseconds) -> MergeResult:
    """Rows of one kind. :class:`~tocsin.errors.StateError`, with none loaded, when one does not decode."""
    try:
        keys = [key_of(row.kind, row.key) for row in rows]
        stamps = [stamp_of(row.stamp) for row in rows]
    except (ValueError, RecursionError) as error:
        raise StateError(f"a key or stamp does not decode: {error}") from None
    result = state.load(b"".join([row.data for row in rows]), now, trusted=True)
    entry_of = state.entry_of
    for key, stamp, row in zip(keys, stamps, rows, strict=True):
        if not row.data:
            state.recall(key, stamp, row.expires * SECOND)
            continue
        entry = entry_of(key)
        if entry is not None and row.expires * SECOND >= entry.expires_at + SECOND:
            state.outlive(key, row.expires * SECOND)
    return result
