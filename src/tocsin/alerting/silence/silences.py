"""The silences of the cluster as this node knows them (wire 4.4, 4.5)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Any, Final

from msgspec.structs import replace

from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher
from tocsin.alerting.replicated import ReplicatedState
from tocsin.alerting.silence import codec
from tocsin.alerting.silence.changing import can_update, differences
from tocsin.alerting.silence.index import fulfils
from tocsin.alerting.silence.silence import Silence, SilenceState
from tocsin.alerting.silence.state import PatternStatistics, SilenceStore
from tocsin.alerting.silence.validate import check_annotations, check_matcher_sets, check_times
from tocsin.alerting.steps import SORTED_AT_ONCE, Steps, finish, sorting
from tocsin.alerting.timestamp import ZERO, Nanoseconds
from tocsin.dataclass import dataclass
from tocsin.errors import ConflictError, NotFoundError, ValidationError

MAX_SILENCES: Final = 200_000
MAX_SILENCE_BYTES: Final = 1 << 20
MAX_TOTAL_BYTES: Final = 256 << 20
MAX_CACHED_ALERTS: Final = 200_000
MAX_CACHED_IDS: Final = 2_000_000
"""Of all of them together: silences that match everything must not be remembered for each alert."""
_IDS_AT_ONCE: Final = 32
"""Silences that are evaluated in one step."""
_NEW_BEFORE_FULL_LOOKUP: Final = 24
"""With more silences added since an alert was last looked up, the index is the quicker way."""


@dataclass(frozen=True, slots=True)
class SilenceLimits:
    """Limits for silences made through this node; 0 is none. What the cluster holds is not refused for them.

    ``max_silences`` counts expired ones too (``--silences.max-silences``); ``max_silence_size_bytes`` is the
    encoded size (``--silences.max-silence-size-bytes``).
    """

    max_silences: int = 0
    max_silence_size_bytes: int = 0


class Silences:
    """Silences: kept, changed, merged with those of peers, and asked whether they mute an alert.

    A *change* is what is to be broadcast (and journaled) under the key ``sil``: one delimited MeshSilence.
    ``random`` makes the ids.
    """

    def __init__(
        self,
        retention_ns: Nanoseconds,
        *,
        random: Random,
        limits: SilenceLimits = SilenceLimits(),  # noqa: B008 - frozen
        max_entries: int = MAX_SILENCES,
        max_entry_bytes: int = MAX_SILENCE_BYTES,
        max_total_bytes: int = MAX_TOTAL_BYTES,
    ) -> None:
        self._retention = retention_ns
        self._limits = limits
        self._random = random
        self._unused: list[bytes] = []  # what the next ids are made of
        self._state = SilenceStore(retention_ns, max_entries, max_entry_bytes, max_total_bytes)
        # fingerprint -> (version looked up at, ids of all silences that match, whatever the time)
        self._cache: dict[int, tuple[int, tuple[str, ...]]] = {}
        self.scanned = 0
        """Silences that were evaluated to answer queries, by the index or one by one."""
        self.skipped = 0
        """Silences that had not changed since the last question for the same labels."""
        self._cached_ids = 0
        self.touched = self._state.touched
        self.acknowledgements = self._state.acknowledgements
        self.merge = self._state.merge
        self.merge_job = self._state.merge_job
        self.load = self._state.load
        self.encode_state = self._state.encode_state
        self.encode_slices = self._state.encode_slices
        self.key_of = codec.key_of

    @property
    def replicated(self) -> ReplicatedState[Silence]:
        """The replicated part, for exchanges of digests."""
        return self._state

    def pattern_statistics(self) -> PatternStatistics:
        """What all patterns take together."""
        return self._state.pattern_statistics()

    # -- changing

    def set(self, silence: Silence, now: Nanoseconds) -> tuple[str, list[bytes]]:
        """Create (``id`` empty) or change a silence; its id, which may be a new one, and the changes.

        :meth:`stage_set` and :meth:`apply` in one.
        """
        identifier, staged = self.stage_set(silence, now)
        return identifier, self.apply(staged, now)

    def expire(self, identifier: str, now: Nanoseconds) -> list[bytes]:
        """End a silence now; nothing to do if it has ended. Raises NotFoundError."""
        return self.apply(self.stage_expire(identifier, now), now)

    def stage_set(self, silence: Silence, now: Nanoseconds, staged: int = 0) -> tuple[str, list[Silence]]:
        """What :meth:`set` would change, with nothing changed: to be kept on disk first, then applied.

        A change under the same id is possible while the matchers stay the same and history is not touched: an
        active silence may get another end, not in the past; a pending one another start, not in the past.
        Otherwise the old one is expired and a new one made. A start that is not set or past counts as now.
        ``staged`` is how many others are staged and not yet applied, for the limits. Raises ValidationError
        or NotFoundError with Alertmanager's message.
        """
        asked = _checked(silence, now)
        previous = self._state.get(asked.id) if asked.id else None
        if asked.id and previous is None:
            raise NotFoundError("silence not found")
        if previous is not None and can_update(previous, asked, now):
            updated = self._finish(asked, now, previous)
            return updated.id, [updated]
        created = self._created(replace(asked, id=self._new_id()), now, staged)
        changed = [created]
        if previous is not None and previous.state_at(now) is not SilenceState.EXPIRED:
            changed.insert(0, self._expired(previous, now))
        return created.id, changed

    def stage_import(
        self, silence: Silence, now: Nanoseconds, staged: int = 0, *, signed_by: str = ""
    ) -> list[Silence]:
        """What taking in a silence of another cluster under its own id would change; none if it is here.

        Checks and limits are those of :meth:`stage_set`. ``signed_by`` counts as its creator, if not empty.
        Raises ValidationError, or ConflictError if the id is taken by one with other content, which is never
        overwritten: somebody may have changed or ended it here.
        """
        asked = _checked(silence, now)
        here = self._state.get(asked.id)
        if here is None:
            return [self._created(replace(asked, created_by=signed_by or asked.created_by), now, staged)]
        if here.created_by == signed_by != "":
            asked = replace(asked, created_by=signed_by)
        if found := differences(here, asked, now):
            raise ConflictError(
                f"silence {asked.id} exists with other content, and is not overwritten: {', '.join(found)}"
            )
        return []

    def stage_expire(self, identifier: str, now: Nanoseconds) -> list[Silence]:
        """What :meth:`expire` would change, with nothing changed. Raises NotFoundError."""
        silence = self._state.get(identifier)
        if silence is None:
            raise NotFoundError("silence not found")
        if silence.state_at(now) is SilenceState.EXPIRED:
            return []
        return [self._expired(silence, now)]

    def apply(self, staged: Sequence[Silence], now: Nanoseconds) -> list[bytes]:
        """Make staged changes; those that no later version has overtaken, encoded for the cluster."""
        return [silence.encoded for silence in staged if self._state.put(silence, now)]

    def _created(self, asked: Silence, now: Nanoseconds, staged: int) -> Silence:
        limit = self._limits.max_silences
        count = len(self._state) + staged
        if count >= self._state.max_entries and not 0 < limit < self._state.max_entries:
            limit = self._state.max_entries
        if 0 < limit <= count:
            raise ValidationError(f"exceeded maximum number of silences: {count} (limit: {limit})")
        created = self._finish(asked, now, None, starts_at=max(asked.starts_at, now))
        refusal = self._state.refusal(created, now)
        if refusal:
            raise ValidationError(f"invalid silence: {refusal}: expire some")
        return created

    def _expired(self, silence: Silence, now: Nanoseconds) -> Silence:
        starts_at = min(silence.starts_at, now)
        return self._finish(silence, now, silence, starts_at=starts_at, ends_at=now)

    def _finish(
        self, silence: Silence, now: Nanoseconds, previous: Silence | None, **changes: Any
    ) -> Silence:
        # A peer with a clock ahead may have set a later stamp: ours must still be the later one.
        # So may whoever had one of that id collected, which is brought back by an import.
        last = self._state.buried_at(silence.id) if previous is None else previous.updated_at
        updated_at = max(now, last + 1)
        expires_at = changes.get("ends_at", silence.ends_at) + self._retention
        finished = replace(silence, updated_at=updated_at, expires_at=expires_at, **changes)
        finished = codec.encode(finished, previous)
        encoded = finished.encoded
        limit = self._limits.max_silence_size_bytes
        size = len(encoded) - (1 if len(encoded) <= 0x80 else 2 if len(encoded) <= 0x4001 else 3)
        if not 0 < limit < self._state.max_entry_bytes:
            limit = self._state.max_entry_bytes - 4
        if size > limit:
            raise ValidationError(f"silence exceeded maximum size: {size} bytes (limit: {limit} bytes)")
        return finished

    def _new_id(self) -> str:
        if not self._unused:  # Each look at the system's random numbers is a system call.
            drawn = self._random.randbytes(1024)
            self._unused = [drawn[start : start + 16] for start in range(0, len(drawn), 16)]
        return str(uuid.UUID(bytes=self._unused.pop(), version=4))

    # -- asking

    def get(self, identifier: str) -> Silence | None:
        """The silence with that id."""
        return self._state.get(identifier)

    def every(self) -> list[Silence]:
        """A copy of the list of all, in no order."""
        found = list(self._state)
        self.scanned += len(found)
        return found

    def query(
        self,
        now: Nanoseconds,
        *,
        ids: Iterable[str] | None = None,
        matchers: Sequence[Matcher] = (),
        states: Iterable[SilenceState] | None = None,
    ) -> list[Silence]:
        """The silences that fit all that is given, in the API's order.

        ``matchers`` must all be, literally, among those of one set of the silence. The order: active ones,
        those that end first in front; pending ones, those that start first; expired ones, those that ended
        last.
        """
        state = self._state
        if ids is None:
            found = list(state)
        else:
            found = [silence for silence in map(state.get, ids) if silence is not None]
        self.scanned += len(found)
        if states is not None:
            wanted = frozenset(states)
            found = [silence for silence in found if silence.state_at(now) in wanted]
        if matchers:
            asked = frozenset(matchers)
            found = [silence for silence in found if silence.has_matchers(asked)]
        return _in_order(found, now)

    def mutes(self, labels: Labels, now: Nanoseconds) -> tuple[str, ...]:
        """The ids, sorted, of the silences active at ``now`` that match ``labels``; empty if none."""
        return tuple(self._muting(labels, now))

    def is_muted(self, labels: Labels, now: Nanoseconds) -> bool:
        """Whether there is one: of thousands only the first is searched for."""
        return any(True for _ in self._muting(labels, now))

    def muting(self, labels: Labels, now: Nanoseconds, most: int) -> Steps[tuple[str, ...]]:
        """The first ``most`` of :meth:`mutes`, in steps: most may not have begun, or have ended."""
        state = self._state
        yield from state.updating_clock(now)
        ids = self._known(labels)
        if ids is None:
            ids = yield from self._look_up(labels)
        found: list[str] = []
        for place, identifier in enumerate(ids, 1):
            silence = state.get(identifier)
            if silence is not None and silence.starts_at <= now <= silence.ends_at:
                found.append(identifier)
                if len(found) == most:
                    break
            if place % _IDS_AT_ONCE == 0:
                yield
        return tuple(found)

    def muting_known(self, labels: Labels, now: Nanoseconds) -> tuple[str, ...] | None:
        """All of :meth:`mutes` if they are cached and few, as is usual; None: call :meth:`muting`."""
        state, ids = self._state, self._known(labels)
        if ids is None or len(ids) > _IDS_AT_ONCE or state.is_set_back(now):
            return None
        return tuple([each for each in ids if (it := state.get(each)) and it.starts_at <= now <= it.ends_at])

    def _muting(self, labels: Labels, now: Nanoseconds) -> Iterator[str]:
        state = self._state
        finish(state.updating_clock(now))
        ids = self._known(labels)
        if ids is None:
            ids = finish(self._look_up(labels))
        get = state.get
        for identifier in ids:
            silence = get(identifier)
            if silence is not None and silence.starts_at <= now <= silence.ends_at:
                yield identifier

    def mutes_at(self, labels: Labels, at: Nanoseconds) -> Steps[tuple[str, ...]]:
        """:meth:`mutes` at any time, for a question that changes nothing; in steps, as those that have ended
        are not in the index."""
        state = self._state
        found: list[str] = []
        for place, identifier in enumerate((yield from self._look_up(labels)), 1):
            silence = state.get(identifier)
            if silence is not None and silence.starts_at <= at <= silence.ends_at:
                found.append(identifier)
            if place % _IDS_AT_ONCE == 0:
                yield
        for place, identifier in enumerate(state.resting(), 1):
            silence = state.get(identifier)
            if silence is not None and silence.starts_at <= at <= silence.ends_at:
                for matchers in silence.matcher_sets:
                    if (yield from fulfils(matchers, labels)):
                        found.append(identifier)
                        break
            if place % _IDS_AT_ONCE == 0:
                yield
        return tuple((yield from sorting(list(dict.fromkeys(found)), key=str)))

    def looking_up(self, labels: Labels) -> Steps[None] | None:
        """What :meth:`mutes` has to find out first, in steps, for a caller that must not hold others up:
        patterns that others have written may be slow. None: it is known."""
        return self._looking_up(labels) if self._known(labels) is None else None

    def _known(self, labels: Labels) -> tuple[str, ...] | None:
        """The ids of all that match, whatever the time, if no silence has come or changed since they were
        looked up."""
        cached = self._cache.get(labels.fingerprint)
        return cached[1] if cached is not None and cached[0] == self._state.version else None

    def _looking_up(self, labels: Labels) -> Steps[None]:
        yield from self._look_up(labels)

    def _look_up(self, labels: Labels) -> Steps[tuple[str, ...]]:
        state, fingerprint = self._state, labels.fingerprint
        cached, version = self._cache.get(fingerprint), state.version
        if cached is None or cached[0] < state.dropped or version - cached[0] > _NEW_BEFORE_FULL_LOOKUP:
            self.scanned += len(state)
            ids = yield from state.index.steps(labels)
        else:
            added = set(state.log[cached[0] - state.dropped :])
            self.scanned += len(added)
            self.skipped += max(0, len(state) - len(added))
            ids = set()
            for start in range(0, len(cached[1]), SORTED_AT_ONCE):
                ids.update(each for each in cached[1][start : start + SORTED_AT_ONCE] if each not in added)
                yield
            for identifier in added:
                silence = state.get(identifier)
                for matchers in silence.matcher_sets if silence is not None else ():
                    if (yield from fulfils(matchers, labels)):
                        ids.add(identifier)
                yield
        kept: list[str] = []
        for place, identifier in enumerate(ids, 1):
            if state.get(identifier) is not None:
                kept.append(identifier)
            if place % SORTED_AT_ONCE == 0:
                yield
        found = tuple((yield from sorting(kept, key=str)))
        self._remember(fingerprint, version, found)
        return found

    def _remember(self, fingerprint: int, version: int, ids: tuple[str, ...]) -> None:
        before = self._cache.get(fingerprint)
        if (len(self._cache) >= MAX_CACHED_ALERTS and before is None) or (
            self._cached_ids + len(ids) > MAX_CACHED_IDS
        ):
            self._cache.clear()
            self._cached_ids = 0
            before = None
        self._cached_ids += len(ids) - (len(before[1]) if before is not None else 0)
        self._cache[fingerprint] = (version, ids)

    def forget(self, fingerprints: Iterable[int]) -> None:
        """Drop what is remembered of alerts that are gone."""
        for fingerprint in fingerprints:
            gone = self._cache.pop(fingerprint, None)
            if gone is not None:
                self._cached_ids -= len(gone[1])

    @property
    def version(self) -> int:
        """Grows whenever a silence comes or its matchers change (not when only its times do)."""
        return self._state.version

    def counts(self, now: Nanoseconds) -> dict[SilenceState, int]:
        """How many silences are in each state."""
        pending = self._state.starts.after(now)
        expired = self._state.ends.before(now)  # No silence ends before it starts.
        active = len(self._state) - pending - expired
        return {SilenceState.ACTIVE: active, SilenceState.PENDING: pending, SilenceState.EXPIRED: expired}

    # -- keeping

    def gc(self, now: Nanoseconds) -> int:
        """Forget the silences whose retention is over; how many."""
        return self._state.gc(now)

    def collecting(self, now: Nanoseconds) -> Steps[int]:
        """:meth:`gc` in steps."""
        return self._state.collecting(now)

    def updating_clock(self, now: Nanoseconds) -> Steps[None]:
        """What :meth:`muting` does first, in steps, if the clock was set back: those that have not ended yet
        are looked at again."""
        return self._state.updating_clock(now)

    def letting_rest(self, now: Nanoseconds) -> Steps[None]:
        """Make room, in steps, for new patterns: those of silences that have ended rest."""
        return self._state.letting_rest(now)

    @property
    def total_bytes(self) -> int:
        """The size of :meth:`encode_state`."""
        return self._state.total_bytes

    def __len__(self) -> int:
        return len(self._state)


def _checked(silence: Silence, now: Nanoseconds) -> Silence:
    starts_at = now if silence.starts_at in (0, ZERO) else silence.starts_at
    try:
        check_matcher_sets(silence.matcher_sets)
        check_times(starts_at, silence.ends_at)
        check_annotations(len(silence.annotations))
    except ValidationError as error:
        raise ValidationError(f"invalid silence: {error}") from None
    if silence.starts_at != starts_at or silence.encoded:
        return replace(silence, starts_at=starts_at, encoded=b"")
    return silence


def _in_order(silences: list[Silence], now: Nanoseconds) -> list[Silence]:
    """Sorted as the API does, in slices: this may be done beside the event loop, and must not hold it."""

    def place(silence: Silence) -> tuple[int, Nanoseconds, str]:
        return _order(silence, now)

    return finish(sorting(silences, key=place))


def _order(silence: Silence, now: Nanoseconds) -> tuple[int, Nanoseconds, str]:
    state = silence.state_at(now)
    if state is SilenceState.ACTIVE:
        return 0, silence.ends_at, silence.id
    if state is SilenceState.PENDING:
        return 1, silence.starts_at, silence.id
    return 2, -silence.ends_at, silence.id
