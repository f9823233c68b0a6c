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

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

from tocsin.alerting.steps import Steps, finish
from tocsin.alerting.timestamp import SECOND, Nanoseconds

GROUPS: Final = 64
LEAVES_IN_GROUP: Final = 64
LEAVES: Final = GROUPS * LEAVES_IN_GROUP
HASH_BYTES: Final = 16

LEAF_AT_ONCE: Final = 2_048
"""Entries and tombstones of a leaf that are compared in one exchange. A full state has some two hundred in
each, but whoever tries keys until their hash fits can have all of them in one."""

_MINUTE: Final = 60 * SECOND
_SHIFT: Final = 8 * 2 - 12
_IN_STEP: Final = 256
_ORDERED_IN_STEP: Final = 1_024
_ORDERS: Final = 1 << 8 * HASH_BYTES


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


def order_of(identity: bytes, salt: int) -> int:
    """The place of an identity in an order that nobody knows before ``salt`` (64 bits, random) is said."""
    return int.from_bytes(identity, "big") * (salt << 64 | salt | 1) % _ORDERS


class Part(NamedTuple):
    """What is compared of a leaf, as of one cutoff."""

    members: list[tuple[bytes, Fingerprint]]
    blocking: list[tuple[bytes, Tombstone]]
    """What keeps older versions out without being part of the leaf: tombstones, and entries that have expired
    and are not yet collected."""
    whole: bool
    """Whether that is all of it."""


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
        # Versions by the minute in which they expire: those that are in the digests, and those that are not.
        self._counted: dict[int, dict[bytes, int]] = {}
        self._expired: dict[int, dict[bytes, int]] = {}
        self._unsettled: set[int] = set()
        """Minutes that the horizon has passed, whose entries may be among the wrong ones of these two."""

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
        counts = minute > self.horizon
        minutes = self._counted if counts else self._expired
        of_minute = minutes.get(minute)
        if of_minute is None:
            of_minute = minutes[minute] = {}
        of_minute[identity] = version
        if counts:
            self._toggle(leaf, version, 1)

    def put_all(self, entries: Iterable[tuple[bytes, int, Nanoseconds, Nanoseconds, Hashable]]) -> None:
        """Entries were stored under keys that had none: :meth:`put` of each, with the bytes of its key in
        place of the identity."""
        members, leaves, groups = self._members, self._leaves, self._groups
        horizon, root, count = self.horizon, self._root, 0
        new, kind = tuple.__new__, Fingerprint  # In half the time of a call of the class.
        for key_bytes, version, stamp, expires_at, key in entries:
            identity = blake2b(key_bytes, digest_size=HASH_BYTES).digest()
            leaf = (identity[0] << 8 | identity[1]) >> _SHIFT
            minute = expires_at // _MINUTE
            members[leaf][identity] = new(kind, (version, stamp, minute, key))
            minutes = self._counted if minute > horizon else self._expired
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
        minute = fingerprint.minute
        minutes = self._counted if identity in self._counted.get(minute, ()) else self._expired
        of_minute = minutes[minute]
        del of_minute[identity]
        if not of_minute:
            del minutes[minute]
        if minutes is self._counted:
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
        """:meth:`moving` at once."""
        finish(self.moving(cutoff))

    def moving(self, cutoff: int) -> Steps[None]:
        """Make ``cutoff`` the horizon; back too, when the clock was set back.

        In steps, for the cost is that of the entries that expire in between, up to all of them: each is taken
        out once as time goes on. The digests are as of the horizon once any that move it have come to their
        end, who do each other's work.
        """
        before, self.horizon = self.horizon, cutoff
        passed = self._counted if cutoff > before else self._expired
        self._unsettled.update(self._between(passed, min(before, cutoff), max(before, cutoff)))
        worked = 0
        while self._unsettled:
            worked += self._settle(self._unsettled.pop(), _IN_STEP)
            if worked >= _IN_STEP:
                worked = 0
                yield

    def _settle(self, minute: int, most: int) -> int:
        """Count the entries of a minute, or no longer, as the horizon is now; how much work that was."""
        counts = minute > self.horizon
        wrong, right = (self._expired, self._counted) if counts else (self._counted, self._expired)
        of_minute = wrong.get(minute)
        if of_minute is None:
            return 1
        settled = right.setdefault(minute, {})
        moved = min(most, len(of_minute))
        for _ in range(moved):
            identity, version = of_minute.popitem()
            settled[identity] = version
            self._toggle(leaf_of(identity), version, 1 if counts else -1)
        if of_minute:
            self._unsettled.add(minute)
        else:
            del wrong[minute]
        return moved + 1

    def view(self, cutoff: int) -> DigestView:
        """:meth:`viewing` at once."""
        return finish(self.viewing(cutoff))

    def viewing(self, cutoff: int) -> Steps[DigestView]:
        """The digests as of ``cutoff`` (not before the horizon): for a peer whose clock is ahead of ours.

        In steps, for the cost is that of the entries that expire until then, up to all of them. They are the
        digests as of the first step: what changes meanwhile is found by the next comparison.
        """
        yield from self.moving(self.horizon)  # Another who moved it may not have come to the end.
        horizon = self.horizon
        cutoff = max(cutoff, horizon)
        if cutoff == horizon or not self._counted:
            return DigestView(cutoff, self._count, self._root, self._groups, self._leaves)
        count, root, groups, leaves = self._count, self._root, self._groups[:], self._leaves[:]
        # All of it now: what changes between two steps would be taken out of digests that never had it.
        expiring = [self._counted[minute].copy() for minute in self._between(self._counted, horizon, cutoff)]
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

    def looking(self, leaf: int, cutoff: int, salt: int, last: int = _ORDERS) -> Steps[Part]:
        """What is compared of a leaf as of ``cutoff``: all of it; if that is more than LEAF_AT_ONCE, those
        that come first by :func:`order_of` with ``salt``. ``last``: and none that come after this place."""
        members, tombstones = self._members[leaf], self._tombstones.get(leaf, {})
        found = [*members, *tombstones]
        whole = len(found) <= LEAF_AT_ONCE
        if not whole or last < _ORDERS:
            found = yield from _first(found, salt, last)
        part = Part([], [], whole)
        for identity in found:
            known = members.get(identity)
            if known is not None and known.minute > cutoff:
                part.members.append((identity, known))
            elif (blocking := self.blocking(identity, cutoff)) is not None:
                part.blocking.append((identity, blocking))
        return part

    def find(self, identity: bytes) -> Fingerprint | None:
        """The entry of that identity."""
        return self._members[leaf_of(identity)].get(identity)

    def blocking(self, identity: bytes, cutoff: int) -> Tombstone | None:
        """What keeps older versions of an entry out that is not part of its leaf as of ``cutoff``: a
        tombstone, or the entry itself, if it has expired and is not yet collected."""
        leaf = leaf_of(identity)
        known = self._members[leaf].get(identity)
        if known is not None and known.minute <= cutoff:
            return Tombstone(known.stamp, (known.minute + 1) * _MINUTE)
        return self._tombstones.get(leaf, {}).get(identity)

    @staticmethod
    def _between(minutes: Mapping[int, object], after: int, last: int) -> Iterator[int]:
        if last - after > len(minutes):
            yield from (minute for minute in minutes if after < minute <= last)
        else:
            yield from (minute for minute in range(after + 1, last + 1) if minute in minutes)


def _first(identities: Sequence[bytes], salt: int, last: int) -> Steps[list[bytes]]:
    """The first LEAF_AT_ONCE by :func:`order_of`, up to the place ``last``; in steps."""
    found: list[tuple[int, bytes]] = []
    for start in range(0, len(identities), _ORDERED_IN_STEP):
        found += [
            (place, identity)
            for identity in identities[start : start + _ORDERED_IN_STEP]
            if (place := order_of(identity, salt)) <= last
        ]
        found.sort()
        if len(found) >= LEAF_AT_ONCE:
            del found[LEAF_AT_ONCE:]
            last = found[-1][0]
        yield
    return [identity for _, identity in found]
