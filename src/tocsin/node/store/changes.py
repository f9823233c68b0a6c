"""Own changes: persisted first, then made in memory, then broadcast and acknowledged."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import field
from typing import Final, Protocol

from tocsin.alerting import nflog
from tocsin.alerting.entries import Entry
from tocsin.alerting.nflog import NotificationLog, RecordedEntries
from tocsin.alerting.silence import Silence, Silences
from tocsin.alerting.timestamp import Nanoseconds, format_rfc3339
from tocsin.dataclass import dataclass
from tocsin.errors import ClosedError, StorageError
from tocsin.node.log import Logger
from tocsin.node.store.kinds import NOTIFICATIONS, SILENCES
from tocsin.node.store.writer import MAX_BATCH_ROWS

MAX_RELAYS: Final = 4096
"""Merged payloads that wait until they are on disk."""
KEPT_AT_ONCE: Final = 64
"""Entries of notifications in one change, which are applied in one iteration of the event loop."""
MAX_CHANGES: Final = 2 * MAX_BATCH_ROWS // KEPT_AT_ONCE
"""Changes with notifications that the disk has: one transaction is being written, the next one gathers."""

Broadcast = Callable[[str, Sequence[bytes]], None]


class Commit(Protocol):
    """See :meth:`tocsin.node.store.journal.Journal.commit`."""

    def __call__(self, kind: str, entries: Sequence[Entry], apply: Callable[[], None]) -> Awaitable[None]: ...


@dataclass(slots=True)
class _SilenceLock:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class SilenceChanges:
    """Stages a change, commits it, applies it: a failed commit leaves nothing behind.

    Changes of one silence are serialized, as each builds on the one before; others go on beside them.
    """

    def __init__(
        self,
        silences: Silences,
        *,
        commit: Commit,
        now: Callable[[], Nanoseconds],
        broadcast: Broadcast,
        log: Logger | None = None,
        on_change: Callable[[str, Silence], None] = lambda _verb, _silence: None,
    ) -> None:
        """``log`` gets a line for each change, with Alertmanager's messages; ``on_change`` its verb
        (``create``, ``update``, ``expire``) and the silence as it is now."""
        self._silences = silences
        self._commit = commit
        self._now = now
        self._broadcast = broadcast
        self._log = log
        self._on_change = on_change
        self._locks: dict[str, _SilenceLock] = {}
        self._staged = 0

    async def set(self, silence: Silence) -> str:
        """Create or change a silence; its id.

        ValidationError, NotFoundError or :class:`~tocsin.errors.StorageError`, with nothing changed.
        """
        async with self._lock(silence.id):
            identifier, staged = self._silences.stage_set(silence, self._now(), self._staged)
            verb = "create" if self._silences.get(identifier) is None else "update"
            await self._keep(staged)
            for each in staged:  # One that replaces another comes after it.
                self._log_change(verb if each.id == identifier else "expire", each)
            return identifier

    async def take_in(self, silence: Silence, signed_by: str = "") -> bool:
        """Import a silence under its own id; False if an equal one is here already.

        ``signed_by`` counts as its creator, if not empty. ValidationError, ConflictError or
        :class:`~tocsin.errors.StorageError`, with nothing changed.
        """
        async with self._lock(silence.id):
            staged = self._silences.stage_import(silence, self._now(), self._staged, signed_by=signed_by)
            await self._keep(staged)
            for each in staged:
                self._log_change("create", each)
            return bool(staged)

    async def expire(self, identifier: str) -> None:
        """End a silence. NotFoundError or :class:`~tocsin.errors.StorageError`, with nothing changed."""
        async with self._lock(identifier):
            staged = self._silences.stage_expire(identifier, self._now())
            await self._keep(staged)
            for each in staged:
                self._log_change("expire", each)

    async def _keep(self, staged: Sequence[Silence]) -> None:
        if not staged:
            return

        def apply() -> None:
            changes = self._silences.apply(staged, self._now())
            if len(changes) < len(staged) and any(self._silences.get(each.id) is None for each in staged):
                raise StorageError("the change is on disk, but there is no room for it in memory")
            self._broadcast(SILENCES.key, changes)

        self._staged += len(staged)
        try:
            await self._commit(SILENCES.key, staged, apply)
        finally:
            self._staged -= len(staged)

    def _log_change(self, verb: str, silence: Silence) -> None:
        self._on_change(verb, silence)
        if self._log is not None:
            self._log.info(
                f"{verb} silence",
                Id=silence.id,
                CreatedBy=silence.created_by,
                Comment=silence.comment,
                StartsAt=format_rfc3339(silence.starts_at),
                EndsAt=format_rfc3339(silence.ends_at),
                Matchers=" or ".join([",".join(map(str, matchers)) for matchers in silence.matcher_sets]),
            )

    @asynccontextmanager
    async def _lock(self, identifier: str) -> AsyncIterator[None]:
        if not identifier:  # a new one: nobody else knows it
            yield
            return
        held = self._locks.setdefault(identifier, _SilenceLock())
        held.users += 1
        try:
            async with held.lock:
                yield
        finally:
            held.users -= 1
            if not held.users:
                del self._locks[identifier]


class NotificationWriter:
    """Persists entries of notifications that were sent: on disk, then in the log, then by broadcast.

    That a notification went out is a fact and cannot be refused: when the disk fails it goes into memory all
    the same, is written later, and is broadcast to peers, who would send it again and who keep what we
    cannot.
    """

    def __init__(
        self,
        log: NotificationLog,
        recorded: RecordedEntries,
        *,
        commit: Commit,
        now: Callable[[], Nanoseconds],
        broadcast: Broadcast,
        logger: Logger,
    ) -> None:
        """``recorded`` holds the entries for the pipeline until they are in the log."""
        self._notifications = log
        self._recorded = recorded
        self._commit = commit
        self._now = now
        self._broadcast = broadcast
        self._log = logger
        self._waiting: deque[nflog.Entry] = deque()
        self._changes: set[asyncio.Task[None]] = set()
        self._handing: asyncio.Handle | None = None
        self._applying = asyncio.Lock()

    def keep(self, entries: Sequence[nflog.Entry]) -> None:
        """Persist recorded entries, then put them into the log and broadcast them. Less than fill a change
        gather while others are being committed; whole changes share a transaction."""
        self._waiting += entries
        self._arm()

    async def drained(self) -> None:
        """Wait until all that was recorded has been broadcast."""
        while self._waiting or self._changes:
            if self._changes:
                await asyncio.wait(self._changes)
            else:
                await asyncio.sleep(0)

    def _arm(self) -> None:
        """One change in an iteration of the event loop, as making its rows takes time."""
        full = len(self._waiting) >= KEPT_AT_ONCE and len(self._changes) < MAX_CHANGES
        if self._handing is None and (full or (self._waiting and not self._changes)):
            self._handing = asyncio.get_running_loop().call_soon(self._hand_over)

    def _hand_over(self) -> None:
        self._handing = None
        count = min(len(self._waiting), KEPT_AT_ONCE)
        entries = [self._waiting.popleft() for _ in range(count)]
        change = asyncio.get_running_loop().create_task(self._keep(entries))
        self._changes.add(change)
        change.add_done_callback(self._ended)
        self._arm()

    def _ended(self, change: asyncio.Task[None]) -> None:
        self._changes.discard(change)
        self._arm()

    async def _keep(self, entries: Sequence[nflog.Entry]) -> None:
        def apply() -> None:
            for entry in entries:
                self._put(entry)
            self._broadcast(NOTIFICATIONS.key, [entry.encoded for entry in entries])

        try:
            await self._commit(NOTIFICATIONS.key, entries, apply)
        except (StorageError, ClosedError):
            async with self._applying:  # All changes of a transaction fail in one iteration.
                apply()
                await asyncio.sleep(0)

    def _put(self, entry: nflog.Entry) -> None:
        try:
            self._notifications.put(entry, self._now())
        except Exception as error:  # A bug must not cost the others of its change. The pipeline has it still.
            self._log.error("a notification cannot be put into the log", err=repr(error))
        else:
            self._recorded.stored(entry)


@dataclass(slots=True)
class RelayStatistics:
    """What is counted of relays."""

    withheld: int = 0
    """Times that what came from a peer was not relayed, as the disk did not take it."""


class RelayQueue:
    """Relays what was merged from peers, once it is persisted.

    While the disk fails nothing is relayed: the maker has broadcast it, and states are exchanged. The same
    once ``MAX_RELAYS`` payloads wait for a disk that hangs.
    """

    def __init__(self, *, flush: Callable[[], Awaitable[bool]]) -> None:
        self._flush = flush
        self._waiting: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self.statistics = RelayStatistics()

    def add(self, relay: Callable[[], None]) -> None:
        """Call ``relay`` once everything that is in memory now is on disk."""
        if len(self._waiting) >= MAX_RELAYS:
            self.statistics.withheld += 1
            return
        self._waiting.append(relay)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def drained(self) -> None:
        """Wait until everything is relayed or withheld."""
        while self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                kept = await self._flush()
                for relay in waiting:
                    if kept:
                        relay()
                    else:
                        self.statistics.withheld += 1
        finally:
            self._task = None
