"""The merge of a payload of peers into a replicated state, in steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from tocsin.alerting.entries import Entry, MergeResult, RefusedEntryError
from tocsin.alerting.protocol.delimited import delimit, spans
from tocsin.alerting.regex import compiled_size
from tocsin.alerting.skew import is_too_far_ahead
from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import Nanoseconds

if TYPE_CHECKING:
    from tocsin.alerting.replicated import ReplicatedState

COMPILED_IN_STEP: Final = 4096
"""Of patterns, as :func:`~tocsin.alerting.regex.compiled_size` counts, before a merge gives way."""
BYTES_IN_STEP: Final = 64 * 1024
"""Of entries, before a merge gives way: one may have a megabyte, which takes some tens of milliseconds."""
PARSED_BYTES: Final = 256 * 1024
PARSED_ENTRIES: Final = 1024
"""Of a payload, that stay parsed from the check of all its bytes to the merge; others are parsed again. Of
all merges into a state that are under way only one keeps any (:meth:`ReplicatedState._keeps_parsed`)."""
REBROADCAST_BYTES: Final = 700
"""Received data longer than this is not broadcast again: its sender sent it to all (wire 4.3, 4.4)."""


EntryT = TypeVar("EntryT", bound=Entry)


class MergeJob(Generic[EntryT]):
    """A merge in steps: first all bytes are checked, then the entries are decoded and stored one by one.

    Nothing is stored unless all bytes decode. The store may change between steps. Decoded entries take many
    times the memory of their bytes: one at a time, but for the few that one merge at a time keeps parsed.
    """

    def __init__(
        self,
        state: ReplicatedState[EntryT],
        data: bytes | memoryview,
        now: Nanoseconds,
        *,
        keep_expired: bool = False,
    ) -> None:
        self.result = MergeResult()
        self._state = state
        self._data = memoryview(data)
        self._bytes = data  # Of bytes a slice is taken in a third of the time.
        self._now = now
        self._keep_expired = keep_expired
        self._spans = spans(self._data)
        self._checking = True
        self._rebroadcast = len(data) <= REBROADCAST_BYTES
        self._entry: Steps[EntryT] | None = None
        self._costly: deque[tuple[int, int, int]] = deque()
        self._left = 0  # bytes of entries to be examined in this step
        self._parsed: deque[tuple[EntryT | None, object | None]] = deque()
        """What was read when it was checked, of the first entries: those that are plain, what others say."""
        self._parsed_bytes = 0
        self._keeping = True
        self._new: dict[Hashable, EntryT] = {}
        """Plain entries of this step whose keys the state does not know: they are stored together."""

    @property
    def has_costly(self) -> bool:
        """Whether there are entries that were put off."""
        return bool(self._costly)

    def step(self, budget: int = 256, *, sparing: bool = False) -> bool:
        """Work on at most ``budget`` entries, fewer if there is much to compile; True once all is done.

        ``sparing``: entries that may be much work are put off. True then means that only they are left, if
        there are any (:attr:`has_costly`).

        Raises StateError as :meth:`merge`.
        """
        try:
            return self._step(budget, sparing=sparing)
        finally:
            self._store_new()

    def _step(self, budget: int, *, sparing: bool) -> bool:
        enough = compiled_size() + COMPILED_IN_STEP
        self._left = BYTES_IN_STEP
        for _ in range(budget):
            if compiled_size() >= enough or self._left <= 0:
                break
            if self._entry is not None:
                self._go_on()
                continue
            span = next(self._spans, None)
            if span is None and self._checking:
                self._checking = False
                self._spans = spans(self._data)
                return not len(self._data)
            if span is None:
                if sparing or not self._costly:
                    return True
                self._begin(self._costly.popleft())
            elif self._checking:
                self._check_one(*span)
            else:
                self._take_one(span, sparing=sparing)
        return False

    def _begin(self, span: tuple[int, int, int]) -> None:
        self._left -= span[2] - span[0]
        self._entry = self._state._decoding(self._data[span[1] : span[2]], self._now)
        self._go_on()

    def _delimited(self, start: int, body: int, end: int) -> bytes:
        """The message there after its length, as short as that can be written."""
        encoded = bytes(self._bytes[start:end])
        if body - start > 1 and not (end - body) >> 7 * (body - start - 1):
            return delimit(encoded[body - start :])
        return encoded

    def _check_one(self, start: int, body: int, end: int) -> None:
        state = self._state
        entry, parsed = None, None
        self._parsed_bytes += end - start
        keeping = self._keeping = (
            self._keeping
            and self._parsed_bytes <= PARSED_BYTES
            and len(self._parsed) < PARSED_ENTRIES
            and (bool(self._parsed) or state._keeps_parsed(self))
        )
        if end - start <= state.max_entry_bytes:
            encoded = self._delimited(start, body, end)
            if encoded not in state._known:
                self._left -= end - start
                if keeping:  # Of others only whether they decode is asked, which protobuf says sooner.
                    entry = state._plain(encoded)
                if entry is None:
                    with suppress(RefusedEntryError):  # When it is taken it is refused for it, and it alone.
                        parsed = state._parse(self._data[body:end])
        if keeping:
            self._parsed.append((entry, parsed))

    def _take_one(self, span: tuple[int, int, int], *, sparing: bool) -> None:
        start, body, end = span
        state = self._state
        entry, parsed = None, None
        if self._parsed:
            entry, parsed = self._parsed.popleft()
            if not self._parsed:
                state._keeper = None
        if end - start > state.max_entry_bytes:
            self.result.refuse(f"an entry of {end - start} bytes, the limit is {state.max_entry_bytes}")
            return
        encoded = entry.encoded if entry is not None else self._delimited(start, body, end)
        if encoded in state._known:
            self.result.unchanged += 1
            return
        if entry is None and parsed is None:
            entry = state._plain(encoded)
        if entry is not None:
            self._left -= end - start
            self._take_plain(entry)
            return
        try:
            if parsed is None:
                parsed = state._parse(self._data[body:end])
            entry = state._decode(parsed, encoded)
        except RefusedEntryError as error:
            self._left -= end - start
            self.result.refuse(str(error))
            return
        if entry is not None:
            self._left -= end - start
            self._merge_one(entry)
        elif sparing and state._is_costly(self._data[body:end]):
            self._costly.append(span)
        else:
            self._begin(span)

    def _go_on(self) -> None:
        """The next step of the entry that is being decoded."""
        assert self._entry is not None  # noqa: S101  (for the type checker)
        try:
            next(self._entry)
        except StopIteration as done:
            self._entry = None
            self._merge_one(done.value)
        except RefusedEntryError as error:
            self._entry = None
            self.result.refuse(str(error))

    def _take_plain(self, entry: EntryT) -> None:
        """As :meth:`_merge_one`, but what is new and within all bounds of its own waits for the others."""
        state, key = self._state, entry.key
        entry = state._clamped(entry)
        if (
            key in state._entries
            or key in self._new
            or key in state._tombstones
            or not (
                self._keep_expired
                or (self._now <= entry.expires_at and not is_too_far_ahead(entry.stamp, None, self._now))
            )
        ):
            self._merge_one(entry)
        else:
            self._new[key] = entry

    def _store_new(self) -> None:
        """Store what waits: together, unless a bound is near, or else one by one."""
        if not self._new:
            return
        new, self._new = self._new, {}
        if not self._state._store_all(new, self._now):
            for entry in new.values():
                self._merge_one(entry)
            return
        fresh = [entry.encoded for entry in new.values()]
        self.result.taken += len(fresh)
        self.result.fresh += fresh
        if self._rebroadcast:
            self.result.rebroadcast += fresh

    def _merge_one(self, entry: EntryT) -> None:
        self._store_new()
        state, result = self._state, self.result
        known = state._entries.get(entry.key)
        if not self._keep_expired and is_too_far_ahead(
            entry.stamp, known.stamp if known is not None else None, self._now
        ):
            result.refuse("an entry from further in the future than clocks may be apart")
            return
        entry = state._clamped(entry)
        if state._offer(entry, self._now, result, self._keep_expired):
            result.fresh.append(entry.encoded)
            if self._rebroadcast:
                result.rebroadcast.append(entry.encoded)
