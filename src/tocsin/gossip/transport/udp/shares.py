"""Which datagrams are worked on at once and which wait: members' before those of others, and each has a share
of a processor.

Nothing here reads a clock or a socket. An address is what a datagram says: whoever forges a member's is taken
for it, and has that member's share.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from itertools import islice
from typing import Final, NamedTuple

from tocsin.bounded import Allowance, Quota
from tocsin.dataclass import dataclass
from tocsin.gossip.address import Address

LEAST: Final = 512
"""Bytes that a waiting datagram counts as at least, so that the bounds in bytes bound their number too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareSettings:
    """Shares are of one processor, bursts seconds of work after a rest, sizes bytes."""

    member: float = 0.5
    """Of each source at which a live member is."""
    member_burst: float = 1.0
    others: float = 0.1
    """Of all sources together at which no member is: nodes that join, members behind NAT, and anybody."""
    others_burst: float = 0.2
    member_bytes: int = 8 * 1024 * 1024
    """That wait, of one source."""
    all_member_bytes: int = 16 * 1024 * 1024
    other_bytes: int = 256 * 1024
    all_other_bytes: int = 1024 * 1024


class HeldDatagram(NamedTuple):
    """A datagram, and to whom its work is charged."""

    data: bytes
    address: Address
    source: str
    member: bool


class Shares:
    """Datagrams that wait, round robin over sources (see :func:`~tocsin.sources.source_of`)."""

    def __init__(self, settings: ShareSettings) -> None:
        self._members = _Share(
            settings.member, settings.member_burst, settings.member_bytes, settings.all_member_bytes
        )
        self._others = _Share(
            settings.others,
            settings.others_burst,
            settings.other_bytes,
            settings.all_other_bytes,
            together=True,
        )

    def at_once(self, source: str, member: bool, now: float) -> bool:
        """Whether a datagram need not wait: it is a member's, and none of that source waits."""
        return member and self._members.may_go_on(source, now)

    def hold(self, datagram: HeldDatagram) -> bool:
        """Let it wait; false when a bound is reached, and it is lost."""
        return self._of(datagram.member).hold(datagram)

    def next(self, now: float) -> HeldDatagram | None:
        """Take out the datagram to work on now, or None. :meth:`charge` for it."""
        return self._members.next(now) or self._others.next(now)

    def charge(self, source: str, member: bool, seconds: float, now: float) -> None:
        """A datagram of that source took so much of a processor."""
        self._of(member).charge(source, seconds, now)

    def wait_of(self, source: str, member: bool, now: float) -> float:
        """Seconds until the next datagram of that source may be worked on."""
        return self._of(member).wait_of(source, now)

    def wait(self, now: float) -> float | None:
        """Seconds until :meth:`next` has one; None when nothing waits."""
        waits = [wait for share in (self._members, self._others) if (wait := share.wait(now)) is not None]
        return min(waits, default=None)

    def _of(self, member: bool) -> _Share:
        return self._members if member else self._others


class _Share:
    """Of one kind of source; ``together``: all of them share one allowance."""

    def __init__(
        self, rate: float, burst: float, of_source: int, in_all: int, *, together: bool = False
    ) -> None:
        self._allowance = Allowance(rate, burst)
        self._together = together
        self._bytes: Quota[str] = Quota(of_source, in_all)
        self._queues: OrderedDict[str, deque[HeldDatagram]] = OrderedDict()

    def may_go_on(self, source: str, now: float) -> bool:
        return source not in self._queues and not self.wait_of(source, now)

    def hold(self, datagram: HeldDatagram) -> bool:
        if not self._bytes.acquire(datagram.source, _size(datagram)):
            return False
        self._queues.setdefault(datagram.source, deque()).append(datagram)
        return True

    def next(self, now: float) -> HeldDatagram | None:
        if self._together:  # Not walked: anybody can forge thousands of sources.
            source = None if self.wait_of("", now) else next(iter(self._queues), None)
        else:
            source = next((each for each in self._queues if not self.wait_of(each, now)), None)
        if source is None:
            return None
        queue = self._queues.pop(source)
        datagram = queue.popleft()
        self._bytes.release(source, _size(datagram))
        if queue:  # Behind the others.
            self._queues[source] = queue
        return datagram

    def charge(self, source: str, seconds: float, now: float) -> None:
        self._allowance.charge(self._account(source), seconds, now)

    def wait_of(self, source: str, now: float) -> float:
        return self._allowance.wait(self._account(source), now)

    def wait(self, now: float) -> float | None:
        sources = islice(self._queues, 1) if self._together else self._queues
        return min((self.wait_of(source, now) for source in sources), default=None)

    def _account(self, source: str) -> str:
        return "" if self._together else source


def _size(datagram: HeldDatagram) -> int:
    return max(len(datagram.data), LEAST)
