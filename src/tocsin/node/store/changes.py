"""Own changes: kept first, then made in memory, then told to the cluster and to whoever asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from tocsin.alerting.replicated import Entry
from tocsin.alerting.silence import Silence, Silences
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.errors import StorageError

Tell = Callable[[str, Sequence[bytes]], None]


class Commit(Protocol):
    """See :meth:`tocsin.node.store.journal.Journal.commit`."""

    def __call__(self, kind: str, entries: Sequence[Entry], apply: Callable[[], None]) -> Awaitable[None]: ...


@dataclass(slots=True)
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class SilenceChanges:
    """Stages a change, commits it, applies it: a failed commit leaves nothing behind.

    Changes of one silence take turns, as each goes out from the one before; others go on beside them.
    """

    def __init__(
        self, silences: Silences, *, commit: Commit, now: Callable[[], Nanoseconds], tell: Tell
    ) -> None:
        self._silences = silences
        self._commit = commit
        self._now = now
        self._tell = tell
        self._turns: dict[str, _Turn] = {}
        self._staged = 0

    async def set(self, silence: Silence) -> str:
        """Create or change a silence; its id.

        ValidationError, NotFoundError or :class:`~tocsin.errors.StorageError`, with nothing changed.
        """
        async with self._turn(silence.id):
            identifier, staged = self._silences.stage_set(silence, self._now(), self._staged)
            await self._keep(staged)
            return identifier

    async def expire(self, identifier: str) -> None:
        """End a silence. NotFoundError or :class:`~tocsin.errors.StorageError`, with nothing changed."""
        async with self._turn(identifier):
            await self._keep(self._silences.stage_expire(identifier, self._now()))

    async def _keep(self, staged: Sequence[Silence]) -> None:
        if not staged:
            return

        def apply() -> None:
            changes = self._silences.apply(staged, self._now())
            if len(changes) < len(staged) and any(self._silences.get(each.id) is None for each in staged):
                raise StorageError("the change is kept on disk, but there is no room for it in memory")
            self._tell("sil", changes)

        self._staged += len(staged)
        try:
            await self._commit("sil", staged, apply)
        finally:
            self._staged -= len(staged)

    @asynccontextmanager
    async def _turn(self, identifier: str) -> AsyncIterator[None]:
        if not identifier:  # a new one: nobody else knows it
            yield
            return
        turn = self._turns.setdefault(identifier, _Turn())
        turn.users += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[identifier]


class Facts:
    """Tells the cluster of what is in memory already, once it is kept.

    ``own``: what this node has done, a notification sent. It cannot be refused, and peers that do not hear of
    it would do it again: so when the disk fails they are told all the same, and keep what we cannot. What
    came from peers is then told on by nobody; its origin has told it, and push/pull goes on.
    """

    def __init__(self, *, flush: Callable[[], Awaitable[bool]]) -> None:
        self._flush = flush
        self._waiting: list[tuple[Callable[[], None], bool]] = []
        self._task: asyncio.Task[None] | None = None
        self.withheld = 0

    def add(self, tell: Callable[[], None], *, own: bool) -> None:
        """Call ``tell`` once what is in memory now is kept."""
        self._waiting.append((tell, own))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def drained(self) -> None:
        """Wait until all has been told that will be."""
        while self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                kept = await self._flush()
                for tell, own in waiting:
                    if kept or own:
                        tell()
                    else:
                        self.withheld += 1
        finally:
            self._task = None
