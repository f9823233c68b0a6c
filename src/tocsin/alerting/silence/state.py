"""The replicated part of silences: what may be stored, and what look-ups need of it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from heapq import heappop, heappush
from itertools import islice
from typing import Final

from msgspec.structs import replace

from tocsin.alerting.acknowledge import is_acknowledgement
from tocsin.alerting.entries import MergeResult
from tocsin.alerting.moments import Moments
from tocsin.alerting.protocol.silence_pb2 import MeshSilence
from tocsin.alerting.regex import hot_bytes, programs_dropped
from tocsin.alerting.regex_cost import Cost
from tocsin.alerting.replicated import ReplicatedState
from tocsin.alerting.silence import codec
from tocsin.alerting.silence.index import SilenceIndex
from tocsin.alerting.silence.plain import read_all_plain
from tocsin.alerting.silence.silence import NO_COST, Silence
from tocsin.alerting.skew import latest_expiry
from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import LATEST, ZERO, Nanoseconds
from tocsin.bounded import Touched
from tocsin.dataclass import dataclass

AT_ONCE: Final = 128
"""That are let rest in one go; each takes some microseconds."""
EXAMINED_IN_STEP: Final = 1024
"""Of those that rest, under a clock set back."""
MAX_TOTAL_MATCHERS: Final = 1 << 20
"""Of all silences: each takes some hundred bytes of memory, twenty times what it takes on the wire."""
MAX_REGEX_SIZE: Final = 1 << 20
"""Instructions of all patterns together, whose programs fit into memory at the same time."""
MAX_REGEX_WORK: Final = 1 << 27
"""Steps that all patterns may take for one label value, as :mod:`tocsin.alerting.regex_cost` counts them."""
MAX_REGEX_SLOW: Final = 1 << 24
"""The same of slow patterns: a reader of the alerts waits until all are looked up."""
MAX_REGEX_PARTS: Final = 1 << 17
"""Of all patterns together: a start weighs them, which takes some microseconds each."""


@dataclass(frozen=True, slots=True)
class PatternStatistics:
    """What the patterns of silences that have not ended take together, for the metrics."""

    matchers: int
    """Of all silences, those without patterns too."""
    size: int
    work: int
    parts: int
    slow: int
    resting_silences: int
    """Those with patterns that have ended, and are not evaluated."""
    program_bytes: int
    """Of compiled patterns, at most; see :data:`~tocsin.alerting.regex.HOT_BYTES`."""
    programs_dropped: int
    """That made room for others since the start."""


def _matchers_of(silence: Silence) -> int:
    return sum(map(len, silence.matcher_sets))


def _plain_matchers(silences: Iterable[Silence]) -> int:
    return sum([len(silence.matcher_sets[0]) for silence in silences])


class SilenceStore(ReplicatedState[Silence]):
    """Silences by id, with the index of matchers and the version by which look-ups are remembered.

    Those with patterns rest once they have ended: they are not in the index, and take nothing of what all
    patterns may cost together.
    """

    def __init__(
        self, retention: Nanoseconds, max_entries: int, max_entry_bytes: int, max_total_bytes: int
    ) -> None:
        super().__init__(
            max_entries=max_entries, max_entry_bytes=max_entry_bytes, max_total_bytes=max_total_bytes
        )
        self._retention = retention
        self._kept = latest_expiry(0, retention)
        self.index = SilenceIndex()
        self.starts = Moments()
        self.ends = Moments()
        self.regex_size = 0
        self.regex_work = 0
        self.regex_parts = 0
        self.regex_slow = 0
        self.matchers = 0
        self.log: list[str] = []  # ids in the order their matchers came or changed
        self.dropped = 0  # how many were cut off the front of the log
        self._now = ZERO
        self._ends: list[tuple[Nanoseconds, str]] = []  # a heap, of those with patterns that do not rest
        self._resting: set[str] = set()
        self._rested_at = ZERO
        self.acknowledgements: set[str] = set()
        """Ids of those that end with their alerts."""
        self.touched: Touched[str] = Touched()
        """Ids of silences that came, changed or were forgotten."""

    @property
    def version(self) -> int:
        """Grows with each silence that comes or whose matchers change."""
        return self.dropped + len(self.log)

    def pattern_statistics(self) -> PatternStatistics:
        """See there."""
        return PatternStatistics(
            self.matchers,
            self.regex_size,
            self.regex_work,
            self.regex_parts,
            self.regex_slow,
            len(self._resting),
            hot_bytes(),
            programs_dropped(),
        )

    def get(self, identifier: str) -> Silence | None:
        """The silence with that id."""
        return self._entries.get(identifier)

    def put(self, silence: Silence, now: Nanoseconds) -> bool:
        """Store a silence of our own, unless a later version is there."""
        return self._offer(silence, now, MergeResult(), keep_expired=True)

    def refusal(self, silence: Silence, now: Nanoseconds) -> str:
        """Why a new silence must not be stored; empty: it may be."""
        self._now = now
        return self._refusal(silence, None)

    def resting(self) -> list[str]:
        """The ids of those with patterns that have ended."""
        return list(self._resting)

    def is_set_back(self, now: Nanoseconds) -> bool:
        """Whether :meth:`updating_clock` has anything to do."""
        return now < self._rested_at

    def updating_clock(self, now: Nanoseconds) -> Steps[None]:
        """If it was set back, some that rest have not ended yet: a step for each, or for some that
        have. Whoever asks meanwhile does
        the rest."""
        if now >= self._rested_at:
            return
        before = self._rested_at
        for place, identifier in enumerate(tuple(self._resting)):
            if place % EXAMINED_IN_STEP == EXAMINED_IN_STEP - 1:
                yield
            silence = self._entries.get(identifier)
            if identifier in self._resting and silence is not None and silence.ends_at >= now:
                self._resting.discard(identifier)
                self._file(silence)
                yield
        if self._rested_at == before:  # Else some have come to rest meanwhile.
            self._rested_at = now

    def collecting(self, now: Nanoseconds) -> Steps[int]:
        """As of any replicated state; and those that have ended rest."""
        collected = yield from super().collecting(now)
        yield from self.letting_rest(now)
        if len(self.log) > 1024 + 2 * len(self):
            self.dropped += len(self.log)
            self.log.clear()
        return collected

    def letting_rest(self, now: Nanoseconds) -> Steps[None]:
        """Let those with patterns rest that have ended; one in a step."""
        while self._ends and self._ends[0][0] < now:
            ends_at, identifier = heappop(self._ends)
            silence = self._entries.get(identifier)
            if silence is None or silence.ends_at != ends_at or identifier in self._resting:
                continue  # It was changed, which put it here anew.
            self._unfile(silence)
            self._resting.add(identifier)
            self._rested_at = max(self._rested_at, now)  # A clock set back is for updating_clock to follow.
            yield

    def _rest(self, now: Nanoseconds) -> None:
        """Let some of them rest."""
        if not self._ends or self._ends[0][0] >= now:
            return
        for _ in islice(self.letting_rest(now), AT_ONCE):
            pass

    def _file(self, silence: Silence) -> None:
        self.index.add(silence)
        self.log.append(silence.id)
        if silence.has_patterns:
            self._count(silence, 1)
            self._note_end(silence)

    def _unfile(self, silence: Silence) -> None:
        self.index.remove(silence)
        if silence.has_patterns:
            self._count(silence, -1)

    def _note_end(self, silence: Silence) -> None:
        if silence.has_patterns:
            heappush(self._ends, (silence.ends_at, silence.id))

    def _count(self, silence: Silence, sign: int) -> None:
        cost = silence.regex_cost
        self.regex_size += sign * cost.size
        self.regex_work += sign * cost.work
        self.regex_parts += sign * cost.parts
        self.regex_slow += sign * cost.slow

    # -- what a replicated state asks for

    def _offer(self, entry: Silence, now: Nanoseconds, result: MergeResult, keep_expired: bool) -> bool:
        self._now = now
        return super()._offer(entry, now, result, keep_expired)

    def _parse(self, message: memoryview) -> object:
        return codec.parse(message)

    def _plain(self, encoded: Sequence[bytes]) -> Sequence[Silence | None]:
        return read_all_plain(encoded)

    def _decode(self, parsed: object, encoded: bytes) -> Silence | None:
        assert isinstance(parsed, MeshSilence)  # noqa: S101  (for the type checker)
        return codec.decode_plain(parsed, encoded)

    def _decoding(self, message: memoryview, now: Nanoseconds) -> Steps[Silence]:
        # Before anything is read: what there is no room for must not cost anything.
        yield from self.letting_rest(now)
        size, work = MAX_REGEX_SIZE - self.regex_size, MAX_REGEX_WORK - self.regex_work
        parts = MAX_REGEX_PARTS - self.regex_parts
        left = Cost(size, work, parts, MAX_REGEX_SLOW - self.regex_slow)
        return (yield from codec.decoding(message, now, left))

    def _is_costly(self, message: memoryview) -> bool:
        return codec.is_costly(message)

    def _canonical(self, entry: Silence) -> bytes:
        return codec.canonical(entry)

    def _version(self, entry: Silence) -> int:
        return entry.version or super()._version(entry)

    def _key_bytes(self, key: Hashable) -> bytes:
        return str.encode(key, "utf-8", "surrogatepass")  # type: ignore[arg-type]  # it is an id

    def _clamped(self, entry: Silence) -> Silence:
        latest = entry.ends_at + self._kept
        return entry if entry.expires_at <= latest else replace(entry, expires_at=latest)

    def _latest_expiry(self, stamp: Nanoseconds) -> Nanoseconds:  # noqa: ARG002
        return latest_expiry(LATEST, self._retention)

    def _refusal(self, entry: Silence, previous: Silence | None) -> str:
        matchers = _matchers_of(entry) - (_matchers_of(previous) if previous is not None else 0)
        if matchers > 0 and self.matchers + matchers > MAX_TOTAL_MATCHERS:
            return "all silences together would have too many matchers"
        if entry.ends_at < self._now:
            return ""  # It will rest.
        cost = entry.regex_cost
        if cost is NO_COST:
            self._rest(self._now)
            return ""
        before = Cost(0, 0, 0)
        if previous is not None and previous.id not in self._resting:
            if previous.matcher_sets == entry.matcher_sets:
                return ""
            before = previous.regex_cost
        self._rest(self._now)
        if (
            self.regex_size + cost.size - before.size > MAX_REGEX_SIZE
            or self.regex_work + cost.work - before.work > MAX_REGEX_WORK
            or self.regex_parts + cost.parts - before.parts > MAX_REGEX_PARTS
            or self.regex_slow + cost.slow - before.slow > MAX_REGEX_SLOW
        ):
            return "all regular expressions together would be too large"
        return ""

    def _stored(self, entry: Silence, previous: Silence | None) -> None:
        self.touched.add(entry.id)
        self.starts.add(entry.starts_at)
        self.ends.add(entry.ends_at)
        if previous is not None:
            self._forget_times(previous)
        if is_acknowledgement(entry.annotations):
            self.acknowledgements.add(entry.id)
        elif previous is not None and entry.updated_at > previous.updated_at:
            # Not where the same version comes without it: peers before 0.32 know no annotations.
            self.acknowledgements.discard(entry.id)
        self.matchers += _matchers_of(entry) - (_matchers_of(previous) if previous is not None else 0)
        rested = entry.id in self._resting
        if previous is not None and not rested:
            if previous.matcher_sets == entry.matcher_sets:
                # Only times or texts changed, which look-ups read from the silence itself.
                if previous.ends_at != entry.ends_at:
                    self._note_end(entry)
                return
            self._unfile(previous)
        self._resting.discard(entry.id)
        if entry.ends_at < self._now and entry.has_patterns:
            self._resting.add(entry.id)
            self._rested_at = max(self._rested_at, self._now)
        else:
            self._file(entry)

    # Each of these is one pass over many plain silences, in place of a call for each.

    def _has_room(self, entries: Iterable[Silence], now: Nanoseconds) -> bool:
        self._now = now
        self._rest(now)
        return self.matchers + _plain_matchers(entries) <= MAX_TOTAL_MATCHERS

    def _weights(self, entries: Iterable[Silence], size: int) -> int:  # noqa: ARG002
        return size

    def _keys(self, entries: Iterable[Silence]) -> list[Hashable]:
        return [entry.id for entry in entries]

    def _digested(
        self, entries: Iterable[Silence]
    ) -> list[tuple[bytes, int, Nanoseconds, Nanoseconds, Hashable]]:
        return [
            (each.id.encode("ascii"), each.version, each.updated_at, each.expires_at, each.id)
            for each in entries
        ]

    def _all_clamped(self, entries: Iterable[Silence]) -> Sequence[Silence]:
        kept = self._kept
        return [each if each.expires_at - each.ends_at <= kept else self._clamped(each) for each in entries]

    def _all_stored(self, entries: Iterable[Silence]) -> None:
        # None has a pattern, and none is an acknowledgement.
        ids = [entry.id for entry in entries]
        if self.touched.on:
            for identifier in ids:
                self.touched.add(identifier)
        self.starts.add_all([entry.starts_at for entry in entries])
        self.ends.add_all([entry.ends_at for entry in entries])
        self.matchers += _plain_matchers(entries)
        self.index.add_all(zip(ids, entries, strict=True))
        self.log += ids

    def _forget_times(self, entry: Silence) -> None:
        self.starts.remove(entry.starts_at)
        self.ends.remove(entry.ends_at)

    def _removed(self, entry: Silence) -> None:
        self.touched.add(entry.id)
        self._forget_times(entry)
        self.acknowledgements.discard(entry.id)
        self.matchers -= _matchers_of(entry)
        if entry.id in self._resting:
            self._resting.discard(entry.id)
        else:
            self._unfile(entry)
