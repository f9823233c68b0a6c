"""The intents of this node and those it has heard of.

Who may send, and when, is in ``docs/duplicates.md``. In short: of each group and integration one node at a
time makes an attempt. The node that is first and has been for a while announces and sends in one go;
everybody else claims, listens for ``GUARD``, and only then sends. Nobody waits for ever: an intent that is
not renewed expires, one that is renewed for too long is void, and so is that of a member that is dead.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import field
from heapq import heappop, heappush
from itertools import count
from typing import Final

from tocsin.alerting.intent.codec import Kind, Record, decode, encode
from tocsin.alerting.timestamp import MILLISECOND, SECOND, Nanoseconds
from tocsin.bounded import Memo
from tocsin.dataclass import dataclass

GUARD: Final = 500 * MILLISECOND
"""How long a claim listens before it sends. It is safe while an announcement takes at most half of it."""
STABLE: Final = 10 * SECOND
"""A node that has become first sends without a claim only after so long: until then others may not know."""
TIME_TO_LIVE: Final = 3500 * MILLISECOND
"""An intent that is not renewed for so long is void."""
RESULT_TIME: Final = 10 * SECOND
"""How long the log entry of a done intent is waited for."""
HOLD: Final = 30 * SECOND
"""An intent, however often renewed, is waited for no longer: a receiver that hangs for its sender may well
answer us."""
HOLD_OTHER: Final = 10 * SECOND
"""The same for an intent whose content is not what we would send: ours may be new."""
CHECK_INTERVAL: Final = 100 * MILLISECOND
"""How often to check for what no event reports."""
RENEWED_WITHIN: Final = 1250 * MILLISECOND
"""Of a member that is taken for dead, but lives, an intent is heard again within so long."""
MAX_HEARD: Final = 20_000
MAX_OWN: Final = 8_192
"""Intents of others, and of ours. Past the bound one is ignored, or ours not announced: a duplicate is
better than a loss."""
MAX_HOLDERS: Final = 128
"""Of one group at one integration, the intents of others that are kept, and those of live members past it:
each evaluation looks at all of them, and whoever sends intents may write any name into them."""
MAX_DONE: Final = 8_192
"""Groups at integrations of which it is remembered who notified them last."""
MAX_TTL: Final = 30 * SECOND
"""What a peer may ask for at most."""

_REPEATS: Final = (100 * MILLISECOND, 200 * MILLISECOND, 400 * MILLISECOND)
_RENEWAL: Final = SECOND
_ENDED_REPEATS: Final = 2
_ENDED: Final = (Kind.DONE, Kind.RELEASED)


@dataclass(eq=False, slots=True)
class Lease:
    """An intent of ours. ``until``: when we stop renewing it whatever happens."""

    key: bytes
    number: int
    kind: Kind
    position: int
    value: int
    until: Nanoseconds
    repeated: int = 0
    renew_at: Nanoseconds = 0


@dataclass(frozen=True, slots=True)
class Obstacle:
    """An intent that goes before ours. ``peer``: whose; our own name for one of the configuration before."""

    until: Nanoseconds
    """When to check again, if nothing is received before."""
    peer: str
    kind: Kind


@dataclass(eq=False, slots=True)
class _Heard:
    kind: Kind
    position: int
    number: int
    value: int
    first: Nanoseconds
    last: Nanoseconds
    ttl: Nanoseconds


@dataclass(slots=True)
class IntentStatistics:
    """Counted since the node started."""

    announced: Counter[str] = field(default_factory=Counter)
    """By kind, repeats left out; so is :attr:`heard`."""
    heard: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    yielded: int = 0
    """Times a delivery let another node's intent go first."""
    collisions: int = 0
    """Times another was heard to be sending while we were: a likely duplicate."""
    not_announced: int = 0
    """Intents of ours past ``MAX_OWN``."""
    not_heard: int = 0
    """Intents of others past ``MAX_HEARD`` or ``MAX_HOLDERS``."""
    held_too_long: int = 0
    """Times an intent was passed over because it had been held for longer than we wait."""


class Intents:
    """One for each node, whatever is reloaded. Times are the node's own, only ever compared to each other."""

    def __init__(self, name: str = "", *, now: Nanoseconds = 0) -> None:
        self.name = name
        self.statistics = IntentStatistics()
        self.position = 0
        self.peers: frozenset[str] = frozenset()
        """The live peers that know intents; see :meth:`members`."""
        self._position_since = now
        self._alone_since: Nanoseconds | None = None
        # From the clock, so that a restarted node goes on where it was.
        self._numbers = count(max(now, 1))
        self._own: dict[bytes, Lease] = {}
        self._ended: dict[bytes, Lease] = {}
        self._renewals: list[tuple[Nanoseconds, int, Lease]] = []
        self._sequence = count()
        self._pending: dict[bytes, Lease] = {}
        self._heard: dict[bytes, dict[str, _Heard]] = {}
        self._heard_count = 0
        self._done_by: Memo[bytes, tuple[Nanoseconds, str]] = Memo(MAX_DONE)
        self._sweep_at: Nanoseconds = 0

    # -- who there is

    def members(self, position: int, peers: frozenset[str], now: Nanoseconds) -> list[bytes]:
        """Our position, and the names of the live peers that know intents. Returns keys to evaluate again."""
        if position != self.position or bool(peers) != bool(self.peers):
            self._position_since = now
        gone = self.peers - peers
        if gone and not peers:
            self._alone_since = now
        self.position, self.peers = position, peers
        if not gone:
            return []
        changed: list[bytes] = []
        for key, holders in self._heard.items():
            for name in gone.intersection(holders):
                heard = holders[name]
                # Void, unless it goes on to renew it: then it is not dead.
                heard.ttl = min(heard.ttl, max(now - heard.last, 0) + RENEWED_WITHIN)
                changed.append(key)
        return changed

    def alone(self, now: Nanoseconds) -> bool:
        """Nobody would listen, and not since a moment ago: a node that takes all others for dead may be
        wrong."""
        if self.peers:
            return False
        return self._alone_since is None or not 0 <= now - self._alone_since < STABLE

    def immediate(self, now: Nanoseconds) -> bool:
        """Whether we may send without a claim: our position is first, and has been for a while."""
        if self.alone(now):
            return True
        return self.position == 0 and not 0 <= now - self._position_since < STABLE

    # -- what others do

    def receive(self, payload: bytes, now: Nanoseconds) -> list[bytes]:
        """Store what a peer announces. Returns keys to evaluate again. Raises StateError."""
        name, records = decode(payload)
        if name == self.name:
            return []
        for record in records:
            if record.kind is Kind.DONE:
                self._done_by.put(record.key, (record.value, name))
        return [record.key for record in records if self._hear(name, record, now)]

    @property
    def knows_any(self) -> bool:
        """Whether any peer has said that it notified something."""
        return len(self._done_by) > 0

    def notified_by(self, key: bytes, stamp: Nanoseconds) -> str:
        """Whose notification the log's entry of that timestamp records; empty if nobody has said so."""
        done = self._done_by.get(key)
        return done[1] if done is not None and done[0] == stamp else ""

    def _hear(self, name: str, record: Record, now: Nanoseconds) -> bool:
        holders = self._heard.get(record.key)
        known = holders.get(name) if holders is not None else None
        if known is not None and (record.number, record.kind) < (known.number, known.kind):
            return False
        if known is None and (
            self._heard_count >= MAX_HEARD
            or (holders is not None and len(holders) >= MAX_HOLDERS and name not in self.peers)
        ):
            self.statistics.not_heard += 1
            return False
        again = known is not None and known.number == record.number
        if not again or (known is not None and known.kind is not record.kind):
            self.statistics.heard[record.kind.name.lower()] += 1
            own = self._own.get(record.key)
            if record.kind is Kind.SENDING and own is not None and own.kind is Kind.SENDING:
                self.statistics.collisions += 1
        if known is None:
            self._heard_count += 1
        self._heard.setdefault(record.key, {})[name] = _Heard(
            record.kind,
            record.position,
            record.number,
            record.value,
            first=known.first if known is not None and again and known.kind is record.kind else now,
            last=now,
            ttl=min(record.ttl * MILLISECOND, MAX_TTL),
        )
        return record.kind in _ENDED and not (known is not None and again and known.kind is record.kind)

    def blocked(
        self, key: bytes, content: int, stamp: Nanoseconds, now: Nanoseconds, lease: Lease | None = None
    ) -> Obstacle | None:
        """None if we may go on; else the intent that is over first of those that go before ours.

        ``content`` is what we would send; ``stamp`` that of our log's entry (0: none); ``lease`` our intent.
        """
        found: list[Obstacle] = []
        own = self._own.get(key)
        if (
            own is not None and own is not lease
        ):  # The attempt of a configuration that was replaced meanwhile.
            found.append(Obstacle(now + CHECK_INTERVAL, self.name, own.kind))
        for name, heard in self._heard.get(key, {}).items():
            until = self._void_at(heard, content, stamp, now)
            if until <= now:
                continue
            both_claim = own is not None and own is lease and own.kind is heard.kind is Kind.CLAIM
            if both_claim and own is not None and (own.position, self.name) < (heard.position, name):
                continue  # Neither could hear the other before it claimed: both decide it alike.
            found.append(Obstacle(until, name, heard.kind))
        return min(found, key=lambda obstacle: obstacle.until, default=None)

    def _void_at(self, heard: _Heard, content: int, stamp: Nanoseconds, now: Nanoseconds) -> Nanoseconds:
        if heard.kind is Kind.RELEASED or not heard.first <= heard.last <= now:
            return 0  # Given up, or the clock was set back: it says nothing about how old this is.
        until = heard.last + heard.ttl
        if heard.kind is Kind.DONE:
            return 0 if stamp >= heard.value or until <= now else min(until, now + CHECK_INTERVAL)
        held = heard.first + (HOLD if heard.value == content else HOLD_OTHER)
        if held <= now < until:
            self.statistics.held_too_long += 1
        return min(until, held)

    def _forget(self, key: bytes, name: str) -> None:
        holders = self._heard[key]
        del holders[name]
        self._heard_count -= 1
        if not holders:
            del self._heard[key]

    # -- what we do

    def claim(self, key: bytes, content: int, until: Nanoseconds, now: Nanoseconds) -> Lease | None:
        """Announce that we are about to send. None: not announced, as nobody would listen or there are too
        many."""
        return self._begin(Kind.CLAIM, key, content, until, now)

    def sending(
        self, lease: Lease | None, key: bytes, content: int, until: Nanoseconds, now: Nanoseconds
    ) -> Lease | None:
        """Announce that an attempt begins, under the claim ``lease`` or without one."""
        if lease is None or self._own.get(key) is not lease:
            return self._begin(Kind.SENDING, key, content, until, now)
        lease.kind, lease.value, lease.until, lease.repeated = Kind.SENDING, content, until, 0
        self._announce(lease, now)
        return lease

    def done(self, lease: Lease | None, stamp: Nanoseconds, now: Nanoseconds) -> None:
        """The attempt succeeded; the log's entry has this timestamp."""
        self._end(lease, Kind.DONE, stamp, now)

    def release(self, lease: Lease | None, now: Nanoseconds) -> None:
        """The attempt failed, or is not made."""
        self._end(lease, Kind.RELEASED, 0, now)

    def _begin(
        self, kind: Kind, key: bytes, content: int, until: Nanoseconds, now: Nanoseconds
    ) -> Lease | None:
        if self.alone(now):
            return None
        if len(self._own) + len(self._ended) >= MAX_OWN or key in self._own:
            self.statistics.not_announced += 1
            return None
        self._ended.pop(key, None)
        lease = Lease(key, next(self._numbers), kind, self.position, content, until)
        self._own[key] = lease
        self._announce(lease, now)
        return lease

    def _end(self, lease: Lease | None, kind: Kind, value: int, now: Nanoseconds) -> None:
        if lease is None or self._own.get(lease.key) is not lease:
            return
        del self._own[lease.key]
        lease.kind, lease.value, lease.repeated = kind, value, 0
        self._ended[lease.key] = lease
        self._announce(lease, now)

    def _announce(self, lease: Lease, now: Nanoseconds) -> None:
        self.statistics.announced[lease.kind.name.lower()] += 1
        self._pending[lease.key] = lease
        self._arm(lease, now)

    def _arm(self, lease: Lease, now: Nanoseconds) -> None:
        wait = _REPEATS[lease.repeated] if lease.repeated < len(_REPEATS) else _RENEWAL
        lease.renew_at = now + wait
        heappush(self._renewals, (lease.renew_at, next(self._sequence), lease))

    # -- time

    def next_timeout(self) -> Nanoseconds | None:
        """When ``handle_timeout`` is to be called next."""
        times = [self._renewals[0][0]] if self._renewals else []
        if self._heard:
            times.append(self._sweep_at)
        return min(times, default=None)

    def handle_timeout(self, now: Nanoseconds) -> None:
        """Renew what of ours goes on, and forget what others no longer say."""
        while self._renewals and self._renewals[0][0] <= now:
            when, _, lease = heappop(self._renewals)
            if when == lease.renew_at and self._renew(lease, now):
                self._arm(lease, now)
        if self._heard and now >= self._sweep_at:
            self._sweep(now)
            self._sweep_at = now + TIME_TO_LIVE

    def _renew(self, lease: Lease, now: Nanoseconds) -> bool:
        ended = lease.kind in _ENDED
        if (self._ended if ended else self._own).get(lease.key) is not lease:
            return False
        if ended and lease.repeated >= _ENDED_REPEATS:
            del self._ended[lease.key]
            return False
        if not ended and now >= lease.until:
            self.release(lease, now)
            return False
        lease.repeated += 1
        self.statistics.repeated += 1
        self._pending[lease.key] = lease
        return True

    def _sweep(self, now: Nanoseconds) -> None:
        old = [
            (key, name)
            for key, holders in self._heard.items()
            for name, heard in holders.items()
            if not heard.last <= now < heard.last + max(heard.ttl, TIME_TO_LIVE)
        ]
        for key, name in old:
            self._forget(key, name)

    # -- to be sent

    @property
    def pending(self) -> bool:
        """Whether there is something to drain."""
        return bool(self._pending)

    def drain(self) -> list[bytes]:
        """Payloads for every live peer that knows intents; of each intent only its latest message."""
        pending, self._pending = self._pending, {}
        return list(encode(self.name, map(_record, pending.values())))

    def __len__(self) -> int:
        """How many intents are known, others' and ours."""
        return self._heard_count + len(self._own)


def _record(lease: Lease) -> Record:
    ttl = RESULT_TIME if lease.kind is Kind.DONE else TIME_TO_LIVE
    return Record(lease.kind, lease.position, ttl // MILLISECOND, lease.number, lease.value, lease.key)
