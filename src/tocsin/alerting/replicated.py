"""State that every node holds and that merges without agreement: what silences and notification log share.

An entry is a key, a stamp (when it was last changed) and an expiry. Of two versions of a key the one with the
later stamp wins; on equal stamps the greater canonical encoding, so that the result is the same in whatever
order and however often versions arrive (a join semilattice). Alertmanager keeps the first on equal stamps,
which leaves two nodes apart for ever.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from types import MappingProxyType
from typing import Final, Generic, NamedTuple, TypeVar

from tocsin.alerting.digest.tree import DigestTree, Tombstone, cutoff_of, identity_of, version_of
from tocsin.alerting.entries import SLICE_BYTES, EncodedSlices, Entry, MergeResult
from tocsin.alerting.merging import MergeJob
from tocsin.alerting.regex import trusting
from tocsin.alerting.skew import is_too_far_ahead
from tocsin.alerting.steps import Steps, finish
from tocsin.alerting.timestamp import LATEST, ZERO, Nanoseconds

CHECKED_IN_STEP: Final = 4096
COLLECTED_IN_STEP: Final = 64


EntryT = TypeVar("EntryT", bound=Entry)


class EntryTombstone(NamedTuple):
    """What is left of a collected entry of which an older version may live on elsewhere."""

    stamp: Nanoseconds
    until: Nanoseconds
    identity: bytes


class ReplicatedState(Generic[EntryT]):
    """Entries by key, merged as the module says. Subclasses know the encoding and keep indexes.

    Bounds: ``max_entries`` keys, ``max_entry_bytes`` for one encoded entry, ``max_total_bytes`` for what all
    weigh (:meth:`_weight`). What goes past one is refused and counted, never stored.
    """

    def __init__(self, *, max_entries: int, max_entry_bytes: int, max_total_bytes: int) -> None:
        self.max_entries = max_entries
        self.max_entry_bytes = max_entry_bytes
        self.max_total_bytes = max_total_bytes
        self.total_bytes = 0
        self.total_weight = 0
        self.on_stored: Callable[[Iterable[EntryT]], None] | None = None
        """Called with all entries that are stored, whatever their source: for the journal."""
        self.on_outlived: Callable[[Hashable], None] | None = None
        """Called with a key of which an older version was seen that lives longer, that has a tombstone now,
        or of which nothing is kept any longer."""
        self._entries: dict[Hashable, EntryT] = {}
        self._known: set[bytes] = set()  # the encoded form of each entry: most of a push/pull is found here
        # An older version may live longer than the newer one that replaced it (an expired silence). Once the
        # newer is collected, a peer that was away must not bring the older back: so the stamp is remembered
        # until the longest-lived version seen is past.
        self._longest: dict[Hashable, Nanoseconds] = {}
        self._tombstones: dict[Hashable, EntryTombstone] = {}
        self.digests = DigestTree()
        self._keeper: weakref.ref[MergeJob[EntryT]] | None = None

    # -- what a subclass supplies

    def _parse(self, message: memoryview) -> object:
        """What a message says, not looked at yet, for :meth:`_decode`.

        Raises StateError if the bytes are not such a message (the whole payload is then refused), and
        RefusedEntryError if they hold so much that they are not read.
        """
        raise NotImplementedError

    def _plain(self, encoded: Sequence[bytes]) -> Sequence[EntryT | None]:
        """The entry in each delimited message, if it is valid, quick to read and counted by no bound but
        those of :meth:`_store_all`; None: :meth:`_parse` it."""
        return [None] * len(encoded)

    def _decode(self, parsed: object, encoded: bytes) -> EntryT | None:
        """The entry in one message, of which ``encoded`` is the delimited form; None if that may be much
        work, and :meth:`_decoding` is to do it.

        Raises RefusedEntryError if the entry is not acceptable.
        """
        raise NotImplementedError

    def _decoding(self, message: memoryview, now: Nanoseconds) -> Steps[EntryT]:
        """:meth:`_parse` and :meth:`_decode` in steps."""
        raise NotImplementedError

    def _is_costly(self, message: memoryview) -> bool:  # noqa: ARG002
        """Whether :meth:`_decoding` may be much work, found quickly."""
        return False

    def _canonical(self, entry: EntryT) -> bytes:
        """One encoding for all encodings that mean the same."""
        raise NotImplementedError

    def _version(self, entry: EntryT) -> int:
        """What the digests know this version of the entry by: the hash of its canonical encoding."""
        return version_of(self._canonical(entry))

    def _key_bytes(self, key: Hashable) -> bytes:
        """The key, as bytes that no other key has."""
        raise NotImplementedError

    def _weight(self, entry: EntryT) -> int:
        """Bytes, at least those of its encoding: some fields take many times as much in memory."""
        return len(entry.encoded)

    def _weights(self, entries: Iterable[EntryT], size: int) -> int:  # noqa: ARG002
        """:meth:`_weight` of plain entries together; ``size``: bytes of their encodings."""
        return sum(map(self._weight, entries))

    def _keys(self, entries: Iterable[EntryT]) -> list[Hashable]:
        """The keys of plain entries."""
        return [entry.key for entry in entries]

    def _digested(
        self, entries: Iterable[EntryT]
    ) -> list[tuple[bytes, int, Nanoseconds, Nanoseconds, Hashable]]:
        """Plain entries as :meth:`DigestTree.put_all` takes them."""
        key_bytes, version = self._key_bytes, self._version
        return [
            (key_bytes(each.key), version(each), each.stamp, each.expires_at, each.key) for each in entries
        ]

    def _all_clamped(self, entries: Iterable[EntryT]) -> Sequence[EntryT]:
        """:meth:`_clamped` for plain entries."""
        return [self._clamped(entry) for entry in entries]

    def _clamped(self, entry: EntryT) -> EntryT:
        """The entry, with an expiry that retention allows."""
        return entry

    def _latest_expiry(self, stamp: Nanoseconds) -> Nanoseconds:  # noqa: ARG002
        """Until when a version may live at most that is not later than ``stamp``."""
        return LATEST

    def _refusal(self, entry: EntryT, previous: EntryT | None) -> str:  # noqa: ARG002
        """Why an entry that would win must not be stored; empty: it may be."""
        return ""

    def _stored(self, entry: EntryT, previous: EntryT | None) -> None:
        """Called after an entry was stored."""

    def _has_room(self, entries: Iterable[EntryT], now: Nanoseconds) -> bool:  # noqa: ARG002
        """Whether bounds of a subclass allow all these plain entries, which replace none."""
        return True

    def _all_stored(self, entries: Iterable[EntryT]) -> None:
        """:meth:`_stored` for plain entries that have replaced none."""
        for entry in entries:
            self._stored(entry, None)

    def _removed(self, entry: EntryT) -> None:
        """Called after an entry was collected."""

    # -- merging

    def _keeps_parsed(self, job: MergeJob[EntryT]) -> bool:
        """Whether this merge may keep what it has parsed: one at a time, until it has taken it or is gone."""
        keeper = self._keeper() if self._keeper is not None else None
        if keeper is None:
            self._keeper, keeper = weakref.ref(job), job
        return keeper is job

    def merge_job(self, data: bytes | memoryview, now: Nanoseconds) -> MergeJob[EntryT]:
        """A merge of a payload that is done in steps, so that a large one does not hold its caller."""
        return MergeJob(self, data, now)

    def merge(self, data: bytes, now: Nanoseconds) -> MergeResult:
        """Merge a payload at once. Raises StateError, with nothing merged, if it does not decode."""
        job = self.merge_job(data, now)
        while not job.step():
            pass
        return job.result

    def load(self, data: bytes, now: Nanoseconds, *, trusted: bool = False) -> MergeResult:
        """Merge a snapshot file: as :meth:`merge`, but expired entries are kept until they are collected.

        ``trusted``: these are our own, as they were stored once, and are not validated again in all detail.
        """
        job = MergeJob(self, data, now, keep_expired=True)
        with trusting() if trusted else nullcontext():
            while not job.step():
                pass
        job.result.rebroadcast.clear()
        job.result.fresh.clear()
        return job.result

    def _offer(self, entry: EntryT, now: Nanoseconds, result: MergeResult, keep_expired: bool) -> bool:
        """Store ``entry`` if it wins; say whether it did."""
        if entry.expires_at < now and not keep_expired:
            result.expired += 1
            return False
        key = entry.key
        previous = self._entries.get(key)
        if not self._wins(entry, previous):
            result.unchanged += 1
            return False
        refusal = self._refusal(entry, previous)
        if refusal:
            result.refuse(refusal)
            return False
        growth = self._weight(entry) - (self._weight(previous) if previous is not None else 0)
        if len(entry.encoded) > self.max_entry_bytes:
            result.refuse(f"an entry of {len(entry.encoded)} bytes, the limit is {self.max_entry_bytes}")
            return False
        if previous is None and len(self._entries) >= self.max_entries:
            result.refuse(f"{len(self._entries)} entries are stored already, which is the limit")
            return False
        if growth > 0 and self.total_weight + growth > self.max_total_bytes:
            result.refuse(f"{self.total_weight} bytes are held already, the limit is {self.max_total_bytes}")
            return False
        self._store(entry, previous)
        result.taken += 1
        return True

    def _wins(self, entry: EntryT, previous: EntryT | None) -> bool:
        key = entry.key
        if previous is None:
            tombstone = self._tombstones.get(key) if self._tombstones else None
            return tombstone is None or entry.stamp > tombstone.stamp
        if entry.stamp > previous.stamp:
            return True
        if entry.encoded == previous.encoded:
            return False
        if entry.stamp == previous.stamp and self._canonical(entry) > self._canonical(previous):
            return True
        if entry.expires_at > self.until_of(key):
            self._longest[key] = entry.expires_at
            self._outlived(key)
        return False

    def _store(self, entry: EntryT, previous: EntryT | None) -> None:
        key = entry.key
        if previous is not None:
            self._known.discard(previous.encoded)
            self.total_bytes -= len(previous.encoded)
            self.total_weight -= self._weight(previous)
            if previous.expires_at > entry.expires_at:
                self._longest[key] = max(previous.expires_at, self._longest.get(key, previous.expires_at))
        else:
            tombstone = self._tombstones.pop(key, None) if self._tombstones else None
            if tombstone is not None:
                self.digests.remove_tombstone(tombstone.identity)
                if tombstone.until > entry.expires_at:
                    self._longest[key] = tombstone.until
        encoded = entry.encoded
        self._entries[key] = entry
        self._known.add(encoded)
        self.total_bytes += len(encoded)
        self.total_weight += self._weight(entry)
        identity = identity_of(self._key_bytes(key))
        self.digests.put(identity, self._version(entry), entry.stamp, entry.expires_at, key)
        self._stored(entry, previous)
        if self.on_stored is not None:
            self.on_stored((entry,))

    def _store_fresh(
        self, entries: Sequence[EntryT], now: Nanoseconds, *, keep_expired: bool
    ) -> list[bytes] | None:
        """Store plain entries of others, if all are new and their times are within bounds; their encoded
        forms. None, with none stored, if one is not or a bound does not allow all of them."""
        entries = self._all_clamped(entries)
        keys = self._keys(entries)
        new = dict(zip(keys, entries, strict=True))
        if (
            len(new) != len(entries)
            or not self._entries.keys().isdisjoint(keys)
            or not self._tombstones.keys().isdisjoint(keys)
            or not (
                keep_expired
                or (
                    min([entry.expires_at for entry in entries]) >= now
                    and not is_too_far_ahead(max([entry.stamp for entry in entries]), None, now)
                )
            )
            or not self._store_all(new, now)
        ):
            return None
        return [entry.encoded for entry in entries]

    def _store_all(self, new: Mapping[Hashable, EntryT], now: Nanoseconds) -> bool:
        """Store plain entries under keys that have neither an entry nor a tombstone; False, with none stored,
        if a bound does not allow all of them."""
        entries = new.values()
        encoded = [entry.encoded for entry in entries]
        size = sum(map(len, encoded))
        weight = self._weights(entries, size)
        if (
            len(self._entries) + len(new) > self.max_entries
            or self.total_weight + weight > self.max_total_bytes
            or not self._has_room(entries, now)
        ):
            return False
        self._entries.update(new)
        self._known.update(encoded)
        self.total_bytes += size
        self.total_weight += weight
        self.digests.put_all(self._digested(entries))
        self._all_stored(entries)
        if self.on_stored is not None:
            self.on_stored(entries)
        return True

    # -- the rest

    def encode_state(self) -> bytes:
        """Every entry, as a push/pull part and a snapshot file hold them; the entries' own bytes, joined."""
        return b"".join([entry.encoded for entry in self._entries.values()])

    def encode_slices(self, slice_bytes: int = SLICE_BYTES) -> EncodedSlices:
        """:meth:`encode_state` in slices, as of this moment.

        For a caller that a large state must not hold up, or that works in another thread.
        """
        return EncodedSlices(list(self._entries.values()), self.total_bytes, slice_bytes)

    def gc(self, now: Nanoseconds) -> int:
        """Collect the entries whose expiry has come, and forget the tombstones that are past."""
        return finish(self.collecting(now))

    def collecting(self, now: Nanoseconds) -> Steps[int]:
        """:meth:`gc` in steps: whoever may make entries can have them all expire at the same moment."""
        collected = 0
        for place, entry in enumerate(list(self._entries.values()), 1):
            if place % CHECKED_IN_STEP == 0:
                yield
            if entry.expires_at > now or self._entries.get(entry.key) is not entry:
                continue
            longest = self._remove(entry)
            if longest > now:
                self._add_tombstone(
                    entry.key, EntryTombstone(entry.stamp, longest, identity_of(self._key_bytes(entry.key)))
                )
            else:
                self._outlived(entry.key)
            collected += 1
            if collected % COLLECTED_IN_STEP == 0:
                yield
        for place, (key, tombstone) in enumerate(list(self._tombstones.items()), 1):
            if tombstone.until <= now and self._tombstones.get(key) is tombstone:
                self._drop_tombstone(key)
            if place % COLLECTED_IN_STEP == 0:
                yield
        yield from self.digests.moving(cutoff_of(now))
        return collected

    def add_tombstone(self, identity: bytes, tombstone: Tombstone, now: Nanoseconds) -> bool:
        """A peer knows of a later version, by now expired, of the entry of that identity: remove ours.

        Without this two nodes would differ for as long as the older version lives. Whether one was removed.
        """
        fingerprint = self.digests.find(identity)
        entry = self._entries.get(fingerprint.key) if fingerprint is not None else None
        if (
            entry is None
            or entry.stamp > tombstone.stamp
            or is_too_far_ahead(tombstone.stamp, entry.stamp, now)
        ):
            return False
        told = min(tombstone.until, self._latest_expiry(tombstone.stamp))
        until = max(self._remove(entry), entry.expires_at, told)
        self._add_tombstone(entry.key, EntryTombstone(tombstone.stamp, until, identity))
        return True

    def until_of(self, key: Hashable) -> Nanoseconds:
        """Until when a version of the key may live somewhere; 0 when none is known."""
        entry = self._entries.get(key)
        if entry is not None:
            return max(entry.expires_at, self._longest.get(key, entry.expires_at))
        tombstone = self._tombstones.get(key)
        return tombstone.until if tombstone is not None else 0

    def buried_at(self, key: Hashable) -> Nanoseconds:
        """The stamp of the collected version of the key, which what is made anew must come after;
        :data:`~tocsin.alerting.timestamp.ZERO`: none is known."""
        tombstone = self._tombstones.get(key)
        return tombstone.stamp if tombstone is not None else ZERO

    def entry_of(self, key: Hashable) -> EntryT | None:
        """The entry of that key."""
        return self._entries.get(key)

    @property
    def tombstones(self) -> Mapping[Hashable, EntryTombstone]:
        """What is remembered of collected entries, by key."""
        return MappingProxyType(self._tombstones)

    def recall(self, key: Hashable, stamp: Nanoseconds, until: Nanoseconds) -> None:
        """From a previous run: that version was collected; an older one may live ``until`` then."""
        entry = self._entries.get(key)
        if entry is not None and entry.stamp > stamp:
            self.outlive(key, until)
            return
        if entry is not None:
            until = max(until, self._remove(entry), entry.expires_at)
        known = self._tombstones.get(key)
        if known is not None:
            stamp, until = max(stamp, known.stamp), max(until, known.until)
        self._add_tombstone(key, EntryTombstone(stamp, until, identity_of(self._key_bytes(key))))

    def outlive(self, key: Hashable, until: Nanoseconds) -> None:
        """From a previous run: an older version of the entry may live until then."""
        if key in self._entries and until > self.until_of(key):
            self._longest[key] = until

    def encoded(self, identity: bytes) -> bytes | None:
        """The entry of that identity, delimited."""
        fingerprint = self.digests.find(identity)
        entry = self._entries.get(fingerprint.key) if fingerprint is not None else None
        return entry.encoded if entry is not None else None

    def _remove(self, entry: EntryT) -> Nanoseconds:
        """Forget an entry; the expiry of the longest-lived version that it replaced."""
        key = entry.key
        del self._entries[key]
        self._known.discard(entry.encoded)
        self.total_bytes -= len(entry.encoded)
        self.total_weight -= self._weight(entry)
        self.digests.drop(identity_of(self._key_bytes(entry.key)))
        self._removed(entry)
        return self._longest.pop(key, 0)

    def _add_tombstone(self, key: Hashable, tombstone: EntryTombstone) -> None:
        self._tombstones[key] = tombstone
        self.digests.add_tombstone(tombstone.identity, Tombstone(tombstone.stamp, tombstone.until))
        self._outlived(key)
        while len(self._tombstones) > self.max_entries:
            self._drop_tombstone(next(iter(self._tombstones)))

    def _drop_tombstone(self, key: Hashable) -> None:
        self.digests.remove_tombstone(self._tombstones.pop(key).identity)
        self._outlived(key)

    def _outlived(self, key: Hashable) -> None:
        if self.on_outlived is not None:
            self.on_outlived(key)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[EntryT]:
        return iter(list(self._entries.values()))
