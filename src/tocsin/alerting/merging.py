"""The merge of a payload of peers into a replicated state, in steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from contextlib import suppress
from itertools import islice, repeat
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

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
_Span: TypeAlias = tuple[int, int, int]
"""Where an entry's length, its message and what follows begin."""
_Read: TypeAlias = tuple[_Span, bytes, EntryT | None, object | None]
"""An entry that was read before it is taken: its delimited form, if it was made; the plain one that it is, or
what it says."""


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
        self._parsed: deque[_Read[EntryT]] = deque()
        """What was read when it was checked, of the first entries: those that are plain, what others say."""
        self._parsed_bytes = 0
        self._keeping = True
        self._ahead: deque[_Read[EntryT]] = deque()
        """What was read together and is taken in this step."""
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
        try:
            while budget > 0 and self._left > 0 and compiled_size() < enough:
                if self._checking:
                    checked = self._check_some(budget)
                    if not checked:
                        self._checking = False
                        self._spans = spans(self._data, start=self._parsed[-1][0][2] if self._parsed else 0)
                        return not len(self._data)
                    budget -= checked
                elif self._entry is not None:
                    self._go_on()
                    budget -= 1
                elif self._parsed or self._ahead or self._read_ahead(budget):
                    budget -= self._take_some(budget, sparing=sparing)
                elif sparing or not self._costly:
                    return True
                else:
                    self._begin(self._costly.popleft())
                    budget -= 1
        finally:
            if self._ahead:  # Decoded they take much memory, and others may be merged before their turn.
                self._spans = spans(self._data, start=self._ahead[0][0][0])
                self._ahead.clear()
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

    def _check_some(self, budget: int) -> int:
        """Whether the next entries decode; how many they were, 0: there are none.

        As long as they are kept they are read. Of others only whether they decode is asked, which protobuf
        says sooner.
        """
        state, parsed = self._state, self._parsed
        group = self._next(budget)
        if not group:
            return 0
        if self._keeping:
            self._parsed_bytes += group[-1][2] - group[0][0]
            self._keeping = (
                self._parsed_bytes <= PARSED_BYTES
                and len(parsed) + len(group) <= PARSED_ENTRIES
                and (bool(parsed) or state._keeps_parsed(self))
            )
        encoded = self._encoded(group)
        known = state._known
        if self._keeping:
            read, size = self._read(group, encoded)
            self._left -= size
            parsed += [
                (
                    span,
                    b"",
                    entry,
                    self._parse(span) if entry is None and each and each not in known else None,
                )
                for span, each, entry in zip(group, encoded, read, strict=True)
            ]
            return len(group)
        for span, each in zip(group, encoded, strict=True):
            if each and each not in known:
                self._left -= len(each)
                self._parse(span)
        return len(group)

    def _next(self, budget: int) -> list[_Span]:
        """The next entries: none after as many bytes as a step may have."""
        group: list[_Span] = []
        for span in islice(self._spans, budget):
            group.append(span)
            if span[2] - group[0][0] >= self._left:
                break
        return group

    def _encoded(self, group: list[_Span]) -> list[bytes]:
        """Their delimited forms; empty for one that is too large."""
        delimited, most = self._delimited, self._state.max_entry_bytes
        if isinstance(self._bytes, memoryview) or group[-1][2] - group[0][0] > most:
            return [delimited(*span) if span[2] - span[0] <= most else b"" for span in group]
        data = self._bytes
        return [
            # Nearly all have a length of two bytes, and as short as can be.
            data[start:end] if body - start == 2 and end - body > 127 else delimited(start, body, end)
            for start, body, end in group
        ]

    def _read(self, group: list[_Span], encoded: list[bytes]) -> tuple[Sequence[EntryT | None], int]:
        """The plain ones of these entries, None for any other; and the bytes of those that are not known."""
        known = self._state._known
        unread = [each for each in encoded if each and each not in known]
        plain = self._state._plain(unread)
        if len(unread) == len(group):
            return plain, group[-1][2] - group[0][0]
        by_encoded = dict(zip(unread, plain, strict=True))
        return [by_encoded.get(each) for each in encoded], sum(map(len, unread))

    def _parse(self, span: _Span) -> object | None:
        """What an entry says; None where that is refused, for when it is taken it is refused for it, and it
        alone."""
        with suppress(RefusedEntryError):
            return self._state._parse(self._data[span[1] : span[2]])
        return None

    def _read_ahead(self, budget: int) -> bool:
        """Read the next entries together; False: there are none."""
        group = self._next(budget)
        if not group:
            return False
        encoded = self._encoded(group)
        self._ahead.extend(zip(group, encoded, self._read(group, encoded)[0], repeat(None)))
        return True

    def _take_some(self, budget: int, *, sparing: bool) -> int:
        """Take entries that were read, until one is not plain; how many."""
        taken = 0
        ahead = self._parsed or self._ahead
        if ahead[0][2] is not None and (together := self._take_together(ahead, budget)):
            return together
        while ahead and taken < budget and self._left > 0:
            taken += 1
            read = ahead.popleft()
            self._let_others_keep(ahead)
            if read[2] is None:
                self._take_one(read, sparing=sparing)
                break
            self._take_plain(read[2])
        return taken

    def _let_others_keep(self, ahead: deque[_Read[EntryT]]) -> None:
        if ahead is self._parsed and not ahead:
            self._state._keeper = None

    def _take_together(self, ahead: deque[_Read[EntryT]], budget: int) -> int:
        """Store the next entries, up to one that is not plain, in one go, if all are new and within all
        bounds; how many."""
        plain: list[EntryT] = []
        size = 0
        for span, _, entry, _ in islice(ahead, budget):
            if entry is None:  # as all are that are known: no more is looked at than is taken
                break
            plain.append(entry)
            size = span[2] - ahead[0][0][0]
        if size > self._left:
            return 0
        self._store_new()
        state = self._state
        fresh = state._store_fresh(plain, self._now, keep_expired=self._keep_expired)
        if fresh is None:
            return 0
        self._left -= size
        self._note_fresh(fresh)
        for _ in plain:
            ahead.popleft()
        self._let_others_keep(ahead)
        return len(plain)

    def _take_one(self, read: _Read[EntryT], *, sparing: bool) -> None:
        span, encoded, _, parsed = read
        start, body, end = span
        state = self._state
        if end - start > state.max_entry_bytes:
            self.result.refuse(f"an entry of {end - start} bytes, the limit is {state.max_entry_bytes}")
            return
        encoded = encoded or self._delimited(start, body, end)
        if encoded in state._known:
            self.result.unchanged += 1
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
        if entry.encoded in state._known:
            self.result.unchanged += 1
            return
        self._left -= len(entry.encoded)
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
        self._note_fresh([entry.encoded for entry in new.values()])

    def _note_fresh(self, fresh: list[bytes]) -> None:
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
