"""A summary of a replicated state: a root over 64 groups over 4,096 leaves, kept up to date with each change.

An entry belongs to the leaf that the first 12 bits of its *identity* (a 128-bit hash of its key) name. A
leaf's digest is the exclusive-or of the *versions* (128-bit hashes of the canonical encoding, which holds the
key) of its entries; a group's that of its 64 leaves, the root's that of all. So a change costs the same
whatever the size of the state, and the order of changes does not count. Versions are BLAKE2b: equal digests
of different states do not happen by accident. They can be made on purpose (exclusive-or is linear), but only
by a peer that may write entries at will, and can do more harm with less.

Time is left out of the digests, for clocks differ and each node collects garbage when it likes: a digest is
*as of a cutoff*, a whole minute. Entries that expire in that minute or before count as absent, whether they
are still stored or not. Two nodes compare at the later of their cutoffs.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from hashlib import blake2b
from typing import Final, NamedTuple

from tocsin.alerting.steps import Steps, finish
from tocsin.alerting.timestamp import SECOND, Nanoseconds

GROUPS: Final = 64
LEAVES_IN_GROUP: Final = 64
LEAVES: Final = GROUPS * LEAVES_IN_GROUP
HASH_BYTES: Final = 16

_MINUTE: Final = 60 * SECOND
_SHIFT: Final = 8 * 2 - 12
_IN_STEP: Final = 256


class Fingerprint(NamedTuple):
    """One entry as the digests know it. ``minute`` is the one in which it expires."""

    version: int
    stamp: Nanoseconds
    minute: int
    key: Hashable


class Tombstone(NamedTuple):
    """Versions up to ``stamp`` were superseded by one that has expired; remembered until ``until``."""

    stamp: Nanoseconds
    until: Nanoseconds


def cutoff_of(now: Nanoseconds) -> int:
    """The earliest cutoff a node may use at ``now``."""
    return now // _MINUTE


def identity_of(key: bytes) -> bytes:
    """What identifies an entry between nodes."""
    return blake2b(key, digest_size=HASH_BYTES).digest()


def version_of(canonical: bytes) -> int:
    """What identifies a version of an entry between nodes."""
    return int.from_bytes(blake2b(canonical, digest_size=HASH_BYTES).digest(), "big")


def leaf_of(identity: bytes) -> int:
    """The leaf of an identity: its first 12 bits."""
    return (identity[0] << 8 | identity[1]) >> _SHIFT


class DigestView(NamedTuple):
    """The digests as of one cutoff."""

    cutoff: int
    size: int
    root: int
    groups: list[int]
    leaves: list[int]


class DigestTree:
    """The digests of one state, and which entries and tombstones are in each leaf."""

    def __init__(self) -> None:
        self.horizon = cutoff_of(-(1 << 94))
        """The cutoff of our own clock: that of the digests which are kept up to date."""
        self._count = 0
        self._root = 0
        self._groups = [0] * GROUPS
        self._leaves = [0] * LEAVES
        self._members: list[dict[bytes, Fingerprint]] = [{} for _ in range(LEAVES)]
        self._tombstones: dict[int, dict[bytes, Tombstone]] = {}
        self._minutes: dict[int, dict[bytes, int]] = {}

    def __len__(self) -> int:
        return self._count

    # -- the state's side

    def put(
        self, identity: bytes, version: int, stamp: Nanoseconds, expires_at: Nanoseconds, key: Hashable
    ) -> None:
        """An entry was stored, whether or not it replaced another of that identity."""
        leaf = (identity[0] << 8 | identity[1]) >> _SHIFT
        members = self._members[leaf]
        if identity in members:
            self.drop(identity)
        minute = expires_at // _MINUTE
        members[identity] = Fingerprint(version, stamp, minute, key)
        of_minute = self._minutes.get(minute)
        if of_minute is None:
            of_minute = self._minutes[minute] = {}
        of_minute[identity] = version
        if minute > self.horizon:
            self._toggle(leaf, version, 1)

    def put_all(self, entries: Iterable[tuple[bytes, int, Nanoseconds, Nanoseconds, Hashable]]) -> None:
        """Entries were stored under keys that had none: :meth:`put` of each, with the bytes of its key in
        place of the identity."""
        members, minutes, leaves, groups = self._members, self._minutes, self._leaves, self._groups
        horizon, root, count = self.horizon, self._root, 0
        new, kind = tuple.__new__, Fingerprint  # In half the time of a call of the class.
        for key_bytes, version, stamp, expires_at, key in entries:
            identity = blake2b(key_bytes, digest_size=HASH_BYTES).digest()
            leaf = (identity[0] << 8 | identity[1]) >> _SHIFT
            minute = expires_at // _MINUTE
            members[leaf][identity] = new(kind, (version, stamp, minute, key))
            of_minute = minutes.get(minute)
            if of_minute is None:
                of_minute = minutes[minute] = {}
            of_minute[identity] = version
            if minute > horizon:
                leaves[leaf] ^= version
                groups[leaf // LEAVES_IN_GROUP] ^= version
                root ^= version
                count += 1
        self._root = root
        self._count += count

    def drop(self, identity: bytes) -> None:
        """An entry was removed. Nothing happens if there is none of that identity."""
        leaf = leaf_of(identity)
        fingerprint = self._members[leaf].pop(identity, None)
        if fingerprint is None:
            return
        of_minute = self._minutes[fingerprint.minute]
        del of_minute[identity]
        if not of_minute:
            del self._minutes[fingerprint.minute]
        if fingerprint.minute > self.horizon:
            self._toggle(leaf, fingerprint.version, -1)

    def add_tombstone(self, identity: bytes, tombstone: Tombstone) -> None:
        """A tombstone was set."""
        self._tombstones.setdefault(leaf_of(identity), {})[identity] = tombstone

    def remove_tombstone(self, identity: bytes) -> None:
        """A tombstone was taken away."""
        of_leaf = self._tombstones.get(leaf_of(identity))
        if of_leaf is not None and of_leaf.pop(identity, None) is not None and not of_leaf:
            del self._tombstones[leaf_of(identity)]

    def _toggle(self, leaf: int, version: int, count: int) -> None:
        self._count += count
        self._leaves[leaf] ^= version
        self._groups[leaf // LEAVES_IN_GROUP] ^= version
        self._root ^= version

    # -- the exchange's side

    def move(self, cutoff: int) -> None:
        """Make ``cutoff`` the horizon; back too, when the clock was set back.

        The cost is that of the entries that expire in between: each is taken out once as time goes on.
        """
        horizon, self.horizon = self.horizon, cutoff
        count = -1 if cutoff > horizon else 1
        for minute in self._between(min(horizon, cutoff), max(horizon, cutoff)):
            for identity, version in self._minutes[minute].items():
                self._toggle(leaf_of(identity), version, count)

    def view(self, cutoff: int) -> DigestView:
        """:meth:`viewing` at once."""
        return finish(self.viewing(cutoff))

    def viewing(self, cutoff: int) -> Steps[DigestView]:
        """The digests as of ``cutoff`` (not before the horizon): for a peer whose clock is ahead of ours.

        In steps, for the cost is that of the entries that expire until then, up to all of them. They are the
        digests as of the first step: what changes meanwhile is found by the next comparison.
        """
        horizon = self.horizon
        cutoff = max(cutoff, horizon)
        if cutoff == horizon or not self._minutes:
            return DigestView(cutoff, self._count, self._root, self._groups, self._leaves)
        count, root, groups, leaves = self._count, self._root, self._groups[:], self._leaves[:]
        # All of it now: what changes between two steps would be taken out of digests that never had it.
        expiring = [self._minutes[minute].copy() for minute in self._between(horizon, cutoff)]
        worked = 0
        for of_minute in expiring:
            for identity, version in of_minute.items():
                leaf = leaf_of(identity)
                leaves[leaf] ^= version
                groups[leaf // LEAVES_IN_GROUP] ^= version
                root ^= version
                worked += 1
                if not worked % _IN_STEP:
                    yield
            count -= len(of_minute)
        return DigestView(cutoff, count, root, groups, leaves)

    def members(self, leaf: int, cutoff: int) -> Iterator[tuple[bytes, Fingerprint]]:
        """The entries of a leaf as of ``cutoff``."""
        for identity, fingerprint in self._members[leaf].items():
            if fingerprint.minute > cutoff:
                yield identity, fingerprint

    def find(self, identity: bytes) -> Fingerprint | None:
        """The entry of that identity."""
        return self._members[leaf_of(identity)].get(identity)

    def blocking(self, leaf: int, cutoff: int) -> dict[bytes, Tombstone]:
        """What keeps older versions out of a leaf without being part of it as of ``cutoff``.

        These are the tombstones, and the entries that have expired and are not yet collected.
        """
        found = dict(self._tombstones.get(leaf, ()))
        for identity, known in self._members[leaf].items():
            if known.minute <= cutoff:
                found[identity] = Tombstone(known.stamp, (known.minute + 1) * _MINUTE)
        return found

    def _between(self, after: int, last: int) -> Iterator[int]:
        if last - after > len(self._minutes):
            yield from sorted(minute for minute in self._minutes if after < minute <= last)
        else:
            yield from (minute for minute in range(after + 1, last + 1) if minute in self._minutes)
