"""The notification log as the pipeline sees it: with what this node has recorded and not stored yet.

A notification that went out is a fact, and the pipeline goes by it at once. Everybody else sees it once it is
on disk.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Protocol, TypeAlias

from tocsin.alerting.nflog.entry import Entry, Receiver, ReceiverData, entry_key
from tocsin.alerting.timestamp import Nanoseconds

LogKey: TypeAlias = tuple[Receiver, str]
"""An integration and the key of a group: what the log has one entry for."""


class LogReader(Protocol):
    """What the pipeline needs of the log. Neither changes it."""

    def query(self, receiver: Receiver, group_key: str) -> Entry | None:
        """The last notification of the group to the receiver."""
        ...

    def stage(
        self,
        receiver: Receiver,
        group_key: str,
        firing: Iterable[int],
        resolved: Iterable[int],
        now: Nanoseconds,
        expiry_ns: Nanoseconds,
        previous: Entry | None,
        *,
        receiver_data: ReceiverData | None = None,
    ) -> Entry:
        """The entry that records a notification: see :meth:`tocsin.alerting.nflog.NotificationLog.stage`."""
        ...


class RecordedEntries:
    """Entries that this node made and that are not in the log yet. Lives as long as the node."""

    def __init__(self) -> None:
        self._entries: dict[Hashable, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry) -> None:
        """It is about to be stored."""
        self._entries[entry.key] = entry

    def stored(self, entry: Entry) -> None:
        """It is in the log, or will never be."""
        if self._entries.get(entry.key) is entry:
            del self._entries[entry.key]

    def later(self, receiver: Receiver, group_key: str, known: Entry | None) -> Entry | None:
        """Ours, if it is later than the entry that is ``known``, and else that one."""
        own = self._entries.get(entry_key(receiver, group_key))
        return own if own is not None and (known is None or own.stamp > known.stamp) else known


class LogView:
    """A log with what is recorded on top."""

    def __init__(self, log: LogReader, recorded: RecordedEntries) -> None:
        self._log = log
        self._recorded = recorded

    def query(self, key: LogKey) -> Entry | None:
        """The last notification of the group to the receiver."""
        stored = self._log.query(*key)
        return self._recorded.later(*key, stored) if len(self._recorded) else stored

    def record(
        self,
        key: LogKey,
        firing: Iterable[int],
        resolved: Iterable[int],
        now: Nanoseconds,
        expiry_ns: Nanoseconds,
        receiver_data: ReceiverData,
    ) -> Entry:
        """A notification that was sent at ``now``; the entry, which is to be stored."""
        previous = self.query(key)
        entry = self._log.stage(*key, firing, resolved, now, expiry_ns, previous, receiver_data=receiver_data)
        self._recorded.add(entry)
        return entry
