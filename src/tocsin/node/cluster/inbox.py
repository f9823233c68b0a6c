"""Merges the replicated state that peers send: round robin by peer, large states in slices."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from time import perf_counter
from typing import Final, Protocol

from tocsin.alerting.entries import MergeResult
from tocsin.alerting.regex import compiled_size
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.bounded import Allowance
from tocsin.dataclass import dataclass
from tocsin.errors import StateError
from tocsin.gossip.address import Address
from tocsin.node.clock import Clock
from tocsin.node.log import Logger
from tocsin.node.log_bound import LogBound

SLICE_ENTRIES: Final = 64
"""Entries merged before other work of the event loop runs."""
INLINE_BYTES: Final = 16 * 1024
"""Bytes of a payload up to which it is merged at once, if nothing is waiting."""
MANY_REFUSED: Final = 256
PENALTY: Final = 0.005
"""Seconds between slices of a payload of which so many entries were refused, while no other peer waits."""
COSTLY_SIZE: Final = 4096
"""Size of the regular expressions in one slice, from which on it is charged to their sender."""
INSTRUCTION: Final = 1e-6
"""Seconds charged for each instruction: they are compiled later, perhaps by a lookup that does not know the
sender."""
COMPILING_SHARE: Final = 1 / 8
COMPILING_BURST: Final = 0.1
"""Of a processor, and seconds at once, that patterns of one peer may take. What else it sent does not wait:
another member may have sent it them."""
MAX_COSTLY: Final = 64
MAX_COSTLY_BYTES: Final = 16 * 1024 * 1024
"""Bytes of payloads whose costly entries wait; the next push/pull brings dropped ones again."""
MAX_WAITING: Final = 256
MAX_WAITING_BYTES: Final = 128 * 1024 * 1024
MAX_WAITING_OF_SOURCE: Final = 64
MAX_WAITING_OF_HOST: Final = MAX_WAITING // 2
"""Of payloads of one peer, so that the others have room, and as large a share of the bytes. A stream is a
source of its own: its port is nobody's listener."""
MAX_SPREAD: Final = 512
"""New entries of one payload that are relayed; the rest goes with the next push/pull."""


class Job(Protocol):
    """A merge that runs in steps."""

    result: MergeResult

    @property
    def has_costly(self) -> bool:
        """Whether there are entries that were put off."""

    def step(self, budget: int = ..., *, sparing: bool = ...) -> bool:
        """Work on some entries; True once done. ``sparing``: costly ones are put off, and True means that no
        others are left. :class:`StateError` when the bytes do not decode."""


class Mergeable(Protocol):
    """One kind of replicated state."""

    def merge_job(self, data: bytes | memoryview, now: Nanoseconds) -> Job:
        """Begin a merge."""

    def key_of(self, change: bytes) -> Hashable:
        """The key of the entry that a change is about; a newer change with the same key replaces it."""


@dataclass(slots=True)
class InboxStatistics:
    """Counters by kind of payload ("update", "full_state") or by state key."""

    received: Counter[str] = field(default_factory=Counter)
    received_bytes: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    propagated: Counter[str] = field(default_factory=Counter)
    """Entries relayed to others, by state key."""
    refused: Counter[str] = field(default_factory=Counter)
    """Entries that must not be stored, by state key."""
    payloads_refused: int = 0
    """Payloads that do not decode."""
    payloads_dropped: int = 0
    """Payloads past the bound of those waiting to be merged; the next push/pull brings them again."""
    unknown_keys: int = 0
    costly_steps: int = 0
    """Slices charged to their sender because of the patterns to compile."""
    costly_dropped: int = 0
    """Payloads whose costly entries were dropped, as too many such were waiting."""


@dataclass(frozen=True, slots=True)
class _Payload:
    key: str
    data: bytes | memoryview
    source: Address
    whole: bool
    """Of a whole state, of which updates are relayed only if they are few."""


@dataclass(slots=True)
class _Merging:
    """A merge under way, and what of its result is counted already."""

    job: Job
    taken: int = 0
    refused: int = 0


class Inbox:
    """Merges the payloads of a peer one after another.

    Round robin by peer: one that has sent a large state, or many, does not delay the others. Entries with
    costly patterns wait while their sender has had its share, and nothing else waits for them.
    """

    def __init__(
        self,
        states: Mapping[str, Mergeable],
        *,
        clock: Clock,
        log: Logger,
        on_merged: Callable[[str], None],
        relay: Callable[[str, Sequence[bytes], Address, int], None],
        on_growth: Callable[[int], None] = lambda _: None,
        bound: LogBound | None = None,
        is_member: Callable[[Address], bool] = lambda _: True,
    ) -> None:
        """``bound``: of the lines in the log that peers provoke. ``is_member``: a member listens there;
        others of a host are charged together, as streams have ports of their own."""
        self._bound = bound or LogBound()
        self.statistics = InboxStatistics()
        self._states = states
        self._clock = clock
        self._log = log
        self._on_merged = on_merged
        self._relay = relay
        self._on_growth = on_growth
        self._waiting: dict[Address, deque[_Payload]] = {}
        """By source, the next one first; what is being merged is still in it."""
        self._waiting_bytes = 0
        self._jobs: dict[Address, _Merging] = {}
        self._costly: dict[Address, deque[tuple[_Payload, _Merging]]] = {}
        self._costly_count = self._costly_bytes = 0
        self._emptied: dict[str, asyncio.Event] = {}
        """By host for which somebody waits: set when nothing of it waits but costly entries."""
        self._allowance = Allowance(COMPILING_SHARE, COMPILING_BURST)
        self._is_member = is_member
        self._worker: asyncio.Task[None] | None = None
        self._arrived = asyncio.Event()

    def update(self, key: str, data: bytes, source: Address) -> None:
        """A user message: some changes of one state."""
        self._count("update", len(data))
        self._add(_Payload(key, data, source, whole=False))

    def full_state(self, parts: Sequence[tuple[str, bytes | memoryview]], source: Address) -> None:
        """The user state of a push/pull."""
        self._count("full_state", sum([len(data) for _, data in parts]))
        for key, data in parts:
            if data:
                self._add(_Payload(key, data, source, whole=True))

    def refused(self, problem: str, source: str) -> None:
        """A payload whose envelope does not decode."""
        self.statistics.payloads_refused += 1
        self._log.debug("state from peer refused", source=source, error=problem)

    async def close(self) -> None:
        """Drop what is waiting."""
        self._waiting.clear()
        self._costly.clear()
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait([self._worker])

    @property
    def idle(self) -> bool:
        """Nothing is waiting or being merged."""
        return self._worker is None and not self._waiting

    async def merged(self, host: str) -> None:
        """Wait until all that has come from a host has been merged, but for costly entries whose sender has
        had its share: they may wait for long, and the rest of the cluster's state must not. Nor is another
        host waited for: it may send without end."""
        if self._waits(host):
            await self._emptied.setdefault(host, asyncio.Event()).wait()

    def _waits(self, host: str) -> bool:
        return any(source.host == host for source in self._waiting)

    def _count(self, kind: str, size: int) -> None:
        self.statistics.received[kind] += 1
        self.statistics.received_bytes[kind] += size

    def _add(self, payload: _Payload) -> None:
        state = self._states.get(payload.key)
        if state is None:
            self.statistics.unknown_keys += 1
            return
        waiting = self._waiting.get(payload.source, ())
        merging = None
        if not waiting and len(payload.data) <= INLINE_BYTES:
            merging = _Merging(state.merge_job(payload.data, self._clock.now()))
            if self._all_steps(merging, payload):
                self._put_off(payload, merging)
                return
        if (
            len(waiting) >= MAX_WAITING_OF_SOURCE
            or sum(map(len, self._waiting.values())) >= MAX_WAITING
            or self._waiting_bytes + len(payload.data) > MAX_WAITING_BYTES
            or self._host_is_full(payload)
        ):
            self.statistics.payloads_dropped += 1
            return
        if merging is not None:  # It was costly: the rest is merged later.
            self._jobs[payload.source] = merging
        self._waiting.setdefault(payload.source, deque()).append(payload)
        self._waiting_bytes += len(payload.data)
        self._wake()

    def _wake(self) -> None:
        self._arrived.set()
        if self._worker is None:
            self._worker = asyncio.get_running_loop().create_task(self._work())

    def _put_off(self, payload: _Payload, merging: _Merging) -> None:
        """Have the costly entries of a payload, of which nothing else is left, wait."""
        if not merging.job.has_costly:
            return
        self._merged(payload, merging.job.result)  # Relay what has been merged already.
        merging.job.result = MergeResult()
        merging.taken = merging.refused = 0
        queue = self._costly.get(payload.source, ())
        if (
            len(queue) >= MAX_COSTLY // 4
            or self._costly_count >= MAX_COSTLY
            or self._costly_bytes + len(payload.data) > MAX_COSTLY_BYTES
        ):
            self.statistics.costly_dropped += 1
            return
        self._costly.setdefault(payload.source, deque()).append((payload, merging))
        self._costly_count += 1
        self._costly_bytes += len(payload.data)
        self._wake()

    def _host_is_full(self, payload: _Payload) -> bool:
        host = payload.source.host
        sizes = [
            len(each.data) for source, queue in self._waiting.items() if source.host == host for each in queue
        ]
        return len(sizes) >= MAX_WAITING_OF_HOST or (
            bool(sizes) and sum(sizes) + len(payload.data) > MAX_WAITING_BYTES // 2
        )

    def _all_steps(self, merging: _Merging, payload: _Payload) -> bool:
        """Merge a small payload, unless it costs much; whether it is done with."""
        costly = self.statistics.costly_steps
        while self.statistics.costly_steps == costly:
            if self._step(merging, payload):
                return True
        return False

    def _owed(self, source: Address) -> float:
        """Seconds until a peer may have more patterns compiled."""
        return self._allowance.wait(self._account(source), perf_counter())

    def _account(self, source: Address) -> Hashable:
        return source if self._is_member(source) else source.host

    async def _work(self) -> None:
        jobs = self._jobs
        try:
            while self._waiting or self._costly:
                if not self._waiting:
                    await self._work_on_costly()
                    continue
                source = next(iter(self._waiting))
                queue = self._waiting.pop(source)
                payload = queue[0]
                merging = jobs.get(source)
                if merging is None:
                    job = self._states[payload.key].merge_job(payload.data, self._clock.now())
                    merging = jobs[source] = _Merging(job)
                if self._step(merging, payload):
                    queue.popleft()
                    del jobs[source]
                    self._waiting_bytes -= len(payload.data)
                    self._put_off(payload, merging)
                if queue:
                    self._waiting[source] = queue  # at the end: the next peer is served
                elif not self._waits(source.host) and source.host in self._emptied:
                    self._emptied.pop(source.host).set()
                self._on_growth(0)
                # Honest peers send no entries that must be refused, and refusing may be slow.
                bad = merging.job.result.refused_count > MANY_REFUSED and len(self._waiting) <= 1
                await asyncio.sleep(PENALTY if bad else 0)
        finally:
            self._worker = None
            while self._emptied:
                self._emptied.popitem()[1].set()

    async def _work_on_costly(self) -> None:
        """Merge costly entries of the next source with budget left, or wait until there is one or another
        payload comes."""
        source = next((each for each in self._costly if not self._owed(each)), None)
        if source is None:
            self._arrived.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(map(self._owed, self._costly))):
                    await self._arrived.wait()
            return
        queue = self._costly.pop(source)
        payload, merging = queue[0]
        if self._step(merging, payload):
            queue.popleft()
            self._costly_count -= 1
            self._costly_bytes -= len(payload.data)
        if queue:
            self._costly[source] = queue
        await asyncio.sleep(0)

    def _step(self, merging: _Merging, payload: _Payload) -> bool:
        """Work on a payload for some milliseconds; whether it is done with."""
        before = compiled_size()
        try:
            done = merging.job.step(SLICE_ENTRIES, sparing=bool(self._owed(payload.source)))
        except StateError as error:
            self.refused(str(error), str(payload.source))
            return True
        except Exception as error:  # A bug of ours: this payload is lost, and no other.
            self.statistics.payloads_refused += 1
            self._log.error(
                "merging failed", source=str(payload.source), state=payload.key, error=repr(error)
            )
            return True
        finally:
            # Honest peers do not send many silences that take long to compile.
            size = compiled_size() - before
            if size >= COSTLY_SIZE:
                self.statistics.costly_steps += 1
                self._allowance.charge(self._account(payload.source), size * INSTRUCTION, perf_counter())
        result = merging.job.result
        # Log at each slice: a large payload of bad entries takes long, and its sender should be known.
        self.statistics.taken[payload.key] += result.taken - merging.taken
        self.statistics.refused[payload.key] += result.refused_count - merging.refused
        merging.taken, merging.refused = result.taken, result.refused_count
        if done and not merging.job.has_costly:
            self._merged(payload, result)
        return done

    def _merged(self, payload: _Payload, result: MergeResult) -> None:
        if result.refused_count:
            more = self._bound.admit("entries refused", payload.source.host)
            if more is not None:
                self._log.warn(
                    "entries from peer refused",
                    state=payload.key,
                    source=str(payload.source),
                    count=result.refused_count,
                    reason=result.refused[0],
                    **more,
                )
        if not result.taken:
            return
        fresh = result.rebroadcast if payload.whole else result.fresh
        if fresh and len(fresh) <= MAX_SPREAD:
            self.statistics.propagated[payload.key] += len(fresh)
            self._relay(payload.key, fresh, payload.source, len(payload.data))
        self._on_merged(payload.key)
