"""The notification log of the cluster as this node knows it (wire 4.4, 4.6)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from typing import Final

from tocsin.alerting.entries import MergeResult
from tocsin.alerting.nflog import codec
from tocsin.alerting.nflog.entry import Entry, Receiver, ReceiverData, entry_key, next_entry
from tocsin.alerting.protocol.nflog_pb2 import MeshEntry
from tocsin.alerting.replicated import ReplicatedState
from tocsin.alerting.skew import latest_expiry
from tocsin.alerting.timestamp import ZERO, Nanoseconds

MAX_ENTRIES: Final = 500_000
MAX_ENTRY_BYTES: Final = 1 << 20
MAX_TOTAL_BYTES: Final = 256 << 20
_HASH_BYTES: Final = 36
_DATA_BYTES: Final = 256
"""Of memory, that each takes beside its encoding."""


class NotificationLog(ReplicatedState[Entry]):
    """What was sent to whom.

    A *change* is what is to be broadcast (and journaled) under the key ``nfl``: one delimited MeshEntry.
    """

    def __init__(
        self,
        retention_ns: Nanoseconds,
        *,
        max_entries: int = MAX_ENTRIES,
        max_entry_bytes: int = MAX_ENTRY_BYTES,
        max_total_bytes: int = MAX_TOTAL_BYTES,
        heard: Callable[[Entry, Entry | None], None] | None = None,
    ) -> None:
        """``heard`` gets each entry that was stored, and the one that it has replaced."""
        super().__init__(
            max_entries=max_entries, max_entry_bytes=max_entry_bytes, max_total_bytes=max_total_bytes
        )
        self._retention = retention_ns
        self._heard = heard

    def log(
        self,
        receiver: Receiver,
        group_key: str,
        firing: Iterable[int],
        resolved: Iterable[int],
        now: Nanoseconds,
        expiry_ns: Nanoseconds = 0,
        *,
        receiver_data: ReceiverData | None = None,
    ) -> list[bytes]:
        """Record a notification sent at ``now``; the changes: :meth:`stage` and :meth:`put` in one.

        Nothing is recorded if the entry is past a bound.
        """
        previous = self.query(receiver, group_key)
        entry = self.stage(
            receiver, group_key, firing, resolved, now, expiry_ns, previous, receiver_data=receiver_data
        )
        return [entry.encoded] if self.put(entry, now) else []

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
        """The entry that records a notification sent at ``now``, not stored yet.

        ``firing`` and ``resolved`` are :attr:`Labels.hash` of its alerts. The entry lasts for ``expiry_ns``
        (0: no wish) or the retention, whichever is shorter. For the rest see :func:`next_entry`.
        """
        lifetime = min(expiry_ns, self._retention) if expiry_ns > 0 else self._retention
        key = entry_key(receiver, group_key)
        last = max(self.buried_at(key), previous.timestamp if previous is not None else ZERO)
        return codec.encode(next_entry(key, firing, resolved, now, lifetime, last, receiver_data))

    def put(self, entry: Entry, now: Nanoseconds) -> bool:
        """Store a staged entry, unless a later one is there or it is past a bound.

        It stays until it is collected even if its lifetime (twice ``repeat_interval``) was over before it was
        on disk: it is what says that an end has to be notified, and what was notified last.
        """
        return self._offer(entry, now, MergeResult(), keep_expired=True)

    def query(self, receiver: Receiver, group_key: str) -> Entry | None:
        """The last notification of the group to the receiver."""
        return self._entries.get(entry_key(receiver, group_key))

    def key_of(self, change: bytes) -> tuple[bytes, Receiver]:
        """What a change is about; a newer one of the same replaces it."""
        return codec.key_of(change)

    @property
    def replicated(self) -> ReplicatedState[Entry]:
        """The replicated part, for exchanges of digests."""
        return self

    def _key_bytes(self, key: Hashable) -> bytes:
        assert isinstance(key, tuple)  # noqa: S101  (for the type checker)
        group_key, receiver = key
        texts = (receiver.group_name.encode(), receiver.integration.encode(), str(receiver.index).encode())
        return b"".join([len(part).to_bytes(4, "big") + part for part in (group_key, *texts)])

    def _weight(self, entry: Entry) -> int:
        hashes = len(entry.firing_alerts) + len(entry.resolved_alerts)
        return len(entry.encoded) + _HASH_BYTES * hashes + _DATA_BYTES * len(entry.receiver_data)

    def _clamped(self, entry: Entry) -> Entry:
        latest = latest_expiry(entry.timestamp, self._retention)
        return entry if entry.expires_at <= latest else replace(entry, expires_at=latest)

    def _latest_expiry(self, stamp: Nanoseconds) -> Nanoseconds:
        return latest_expiry(stamp, self._retention)

    def _stored(self, entry: Entry, previous: Entry | None) -> None:
        if self._heard is not None:
            self._heard(entry, previous)

    def _parse(self, message: memoryview) -> object:
        return codec.parse(message)

    def _decode(self, parsed: object, encoded: bytes) -> Entry | None:
        assert isinstance(parsed, MeshEntry)  # noqa: S101  (for the type checker)
        return codec.decode_parsed(parsed, encoded)

    def _canonical(self, entry: Entry) -> bytes:
        return codec.canonical(entry)
