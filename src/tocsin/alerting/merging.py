"""The merge of a payload of peers into a replicated state, in steps."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from tocsin.alerting.entries import Entry, MergeResult, RefusedEntryError
from tocsin.alerting.protocol.delimited import spans
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
REBROADCAST_BYTES: Final = 700
"""Received data longer than this is not broadcast again: its sender sent it to all (wire 4.3, 4.4)."""


EntryT = TypeVar("EntryT", bound=Entry)


class MergeJob(Generic[EntryT]):
    """A merge in steps: first all bytes are checked, then the entries are decoded and stored one by one.

    Nothing is stored unless all bytes decode. The store may change between steps. Decoded entries take many
    times the memory of their bytes, so that of a payload there is never more than one.
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
        self._now = now
        self._keep_expired = keep_expired
        self._spans = spans(self._data)
        self._checking = True
        self._rebroadcast = len(data) <= REBROADCAST_BYTES
        self._entry: Steps[EntryT] | None = None
        self._costly: deque[tuple[int, int, int]] = deque()
        self._left = 0  # bytes of entries to be looked at in this step

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
            elif self._data[span[0] : span[2]] in self._state._known:
                self.result.unchanged += 1
            elif span[2] - span[0] > self._state.max_entry_bytes:
                self.result.refuse(
                    f"an entry of {span[2] - span[0]} bytes, the limit is {self._state.max_entry_bytes}"
                )
            elif sparing and self._state._is_costly(self._data[span[1] : span[2]]):
                self._costly.append(span)
            else:
                self._begin(span)
        return False

    def _begin(self, span: tuple[int, int, int]) -> None:
        self._left -= span[2] - span[0]
        self._entry = self._state._decoding(self._data[span[1] : span[2]], self._now)
        self._go_on()

    def _check_one(self, start: int, body: int, end: int) -> None:
        if end - start <= self._state.max_entry_bytes and self._data[start:end] not in self._state._known:
            self._left -= end - start
            self._state._check(self._data[body:end])

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

    def _merge_one(self, entry: EntryT) -> None:
        state, result = self._state, self.result
        known = state._entries.get(entry.key)
        if not self._keep_expired and is_too_far_ahead(
            entry.stamp, known.stamp if known is not None else None, self._now
        ):
            result.refuse("an entry from further in the future than clocks may be apart")
            return
        entry = state._clamped(entry)
        if state._offer(entry, self._now, result, self._keep_expired):
            result.news.append(entry.encoded)
            if self._rebroadcast:
                result.rebroadcast.append(entry.encoded)
