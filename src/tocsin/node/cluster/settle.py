"""When a starting node may begin to notify: once it knows what its peers know. Pure; seconds of any clock."""

from __future__ import annotations

from typing import Final, TypeAlias

from tocsin.bounded import Timers
from tocsin.dataclass import dataclass
from tocsin.gossip.address import Address
from tocsin.gossip.discovery.sources import Source

PATIENCE: Final = 5.0
"""A peer that has given no sign of life for so long is not waited for: it is down, or a black hole.

On a busy machine a handshake takes seconds. Alertmanager waits for three polls of two seconds at least."""

FAILURES: Final = 2
"""A peer with which so many exchanges failed is not waited for."""


Awaited: TypeAlias = Source | Address | str
"""A source that is to answer, an address that is to be joined, a member whose state and ours are to agree.

The types keep apart what may read alike: a peer that is given as an address is a source too."""


@dataclass(slots=True)
class _Peer:
    since: float
    heard: bool = False
    failures: int = 0
    not_joined: int = 0


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing is left to wait for, or (``timed_out``) the deadline has come."""

    timed_out: bool


class Settle:
    """Waits for every peer that answers, and for no other.

    A peer is anything to be waited for: a configured address until it is joined, a source until it has
    answered, a live member until its state and ours agree (of an Alertmanager: until one push/pull with it is
    done).
    Nothing is settled before :meth:`start`. ``deadline`` settles regardless.
    """

    def __init__(self, *, deadline: float) -> None:
        self._deadline = deadline
        self._peers: dict[Awaited, _Peer] = {}
        self._done: set[Awaited] = set()
        # There may be thousands of members, and after each one it is checked whether any is still waited for.
        self._waited_for: set[Awaited] = set()
        self._patience: Timers[Awaited, float] = Timers()  # including those that gave no sign of life
        self._started = False
        self._settled: Settled | None = None
        self._reported = False

    @property
    def settled(self) -> bool:
        """Whether it has."""
        return self._settled is not None

    def start(self) -> None:
        """All peers that are known at the start were added."""
        self._started = True

    def wait_for(self, peer: Awaited, now: float) -> None:
        """There is a peer. Idempotent."""
        if not self.settled and peer not in self._done and peer not in self._peers:
            self._peers[peer] = _Peer(now)
            self._follow(peer)

    def heard(self, peer: Awaited) -> None:
        """The peer gave a sign of life: from now on it is waited for until it is done, fails or leaves."""
        found = self._peers.get(peer)
        if found is not None and not found.heard:
            found.heard = True
            self._follow(peer)

    def not_joined(self, peer: Awaited) -> None:
        """It could not be joined. After ``FAILURES`` times its signs of life count no more: it may answer for
        ever, and be of another cluster."""
        found = self._peers.get(peer)
        if found is not None:
            found.not_joined += 1
            found.heard = found.heard and found.not_joined < FAILURES
            self._follow(peer)

    def done(self, peer: Awaited) -> None:
        """What we waited for has come."""
        if not self.settled:
            self._done.add(peer)
        self._forget(peer)

    def failed(self, peer: Awaited) -> None:
        """An exchange with it failed."""
        found = self._peers.get(peer)
        if found is not None:
            found.failures += 1
            self._follow(peer)

    def gone(self, peer: Awaited) -> None:
        """It left or died; if it comes back it is waited for again."""
        self._done.discard(peer)
        self._forget(peer)

    def waiting(self, now: float) -> list[Awaited]:
        """Whom we wait for."""
        return [name for name in self._peers if self.waits_for(name, now)]

    def waits_for(self, peer: Awaited, now: float) -> bool:
        """Whether that is one of them."""
        found = self._peers.get(peer)
        if found is None or found.failures >= FAILURES:
            return False
        return found.heard or now < found.since + PATIENCE

    def _follow(self, name: Awaited) -> None:
        """Something happened to one that is not done."""
        peer = self._peers[name]
        self._patience.cancel(name)
        if peer.failures >= FAILURES:
            self._waited_for.discard(name)
            return
        self._waited_for.add(name)
        if not peer.heard:
            self._patience.set(name, peer.since + PATIENCE)

    def _forget(self, name: Awaited) -> None:
        self._peers.pop(name, None)
        self._waited_for.discard(name)
        self._patience.cancel(name)

    def next_timeout(self) -> float | None:
        """When to call :meth:`handle_timeout` at the latest; None once settled."""
        if self.settled:
            return None
        patience = self._patience.next_timeout()
        return self._deadline if patience is None else min(self._deadline, patience)

    def handle_timeout(self, now: float) -> None:
        """Call after every change and at the timeout."""
        if self.settled:
            return
        while (silent := self._patience.pop_due(now)) is not None:
            self._waited_for.discard(silent)
        if now >= self._deadline:
            self._settled = Settled(timed_out=True)
        elif self._started and not self._waited_for:
            self._settled = Settled(timed_out=False)
        if self.settled:  # Forget the peers: they are not asked about again.
            self._done.clear()

    def drain(self) -> list[Settled]:
        """``Settled``, once, when it has settled."""
        if self._settled is None or self._reported:
            return []
        self._reported = True
        return [self._settled]
