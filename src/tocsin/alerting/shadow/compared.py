"""A group at an integration, as a node in shadow follows it, and what is kept of all for explanations."""

from __future__ import annotations

from collections import deque
from dataclasses import field
from typing import Final

from tocsin.alerting.nflog import Entry
from tocsin.alerting.shadow.model import Notice
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass

MAX_RECENT: Final = 32
"""Notifications of a group at an integration that were compared, and may explain others."""
MAX_RECENT_BYTES: Final = 16 << 20
"""Of those of all groups, about; past it the oldest go."""
ALERT_BYTES: Final = 100
"""Of an alert in an entry and its notification."""
ENTRY_BYTES: Final = 1024
"""Of an entry without alerts and its key."""


@dataclass(eq=False, slots=True)
class Compared:
    """One of them."""

    base: Entry | None
    """The last notification by which we decide."""
    logged: Entry | None
    """The others' last one."""
    interval: Nanoseconds = 0
    size: int = 0
    """Bytes of both, about."""
    ours: list[Notice] = field(default_factory=list)
    theirs: list[Notice] = field(default_factory=list)
    """Those that wait for the other side's."""
    recent: deque[Notice] = field(default_factory=deque)
    """See :class:`Recents`."""

    def side(self, notice: Notice) -> list[Notice]:
        """Those of the notification's own side."""
        return self.ours if notice.is_ours else self.theirs

    def across(self, notice: Notice) -> list[Notice]:
        """Those of the other side."""
        return self.theirs if notice.is_ours else self.ours


class Recents:
    """The notifications in ``recent`` of all integrations of groups."""

    def __init__(self) -> None:
        self._notices: dict[Notice, Compared] = {}  # the oldest first
        self._bytes = 0

    def add(self, compared: Compared, notice: Notice) -> None:
        """It was compared."""
        compared.recent.append(notice)
        self._notices[notice] = compared
        self._bytes += size_of(notice.entry)
        if len(compared.recent) > MAX_RECENT:
            self._forget_first(compared)
        while self._bytes > MAX_RECENT_BYTES:
            self._forget_first(next(iter(self._notices.values())))

    def forget(self, compared: Compared) -> None:
        """The integration of the group is not followed any more."""
        while compared.recent:
            self._forget_first(compared)

    def _forget_first(self, compared: Compared) -> None:
        notice = compared.recent.popleft()
        del self._notices[notice]
        self._bytes -= size_of(notice.entry)


def size_of(entry: Entry | None) -> int:
    """Bytes of memory, about, with those of a notification made of it."""
    if entry is None:
        return 0
    alerts = len(entry.firing_alerts) + len(entry.resolved_alerts)
    return ENTRY_BYTES + len(entry.group_key) + len(entry.encoded) + ALERT_BYTES * alerts
