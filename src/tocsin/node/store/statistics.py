"""The journal's statistics."""

from __future__ import annotations

from typing import Final

from tocsin.dataclass import dataclass


@dataclass(slots=True)
class JournalStatistics:
    """For the metrics."""

    commits: int = 0
    commits_failed: int = 0
    commit_seconds: float = 0.0
    rows_written: int = 0
    rows_deleted: int = 0
    rows_unreadable: int = 0
    """Rows found at start that do not decode."""
    entries_refused: int = 0
    """Rows found at start that decode but must not be stored, or are past a bound."""
    changes_refused: int = 0
    """Own changes that were refused because the disk failed."""
    backpressure_waits: int = 0
    """Own changes that had to wait for room."""
    rebuilds: int = 0
    """Times that a damaged database was set aside."""
    failing: int = 0
    """1 while writing to the disk fails."""
    waiting_bytes: int = 0
    unwritten_entries: int = 0
    """Merged entries that are not on the disk yet."""
    database_bytes: int = 0
    log_bytes: int = 0


GAUGES: Final = ("failing", "waiting_bytes", "unwritten_entries", "database_bytes", "log_bytes")
