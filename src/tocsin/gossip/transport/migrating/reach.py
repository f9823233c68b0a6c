"""Which peers take TLS: found out by trying, forgotten when it fails, tried again after a while. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tocsin.bounded import Memo
from tocsin.dataclass import dataclass
from tocsin.gossip.address import Address

if TYPE_CHECKING:
    from random import Random

TRY_AGAIN: Final = 30.0
"""Seconds until a peer that did not take TLS is asked again; half of it at the least: peers shall spread."""
ASK_SOONER: Final = 1.0
"""Instead, once it has sent something over TLS itself, or was not asked because too many were."""
FORGOTTEN: Final = 120.0
"""Seconds without anything sent after which a peer does not count any more."""
MAX_PEERS: Final = 4096


@dataclass(slots=True)
class _Peer:
    used_at: float
    try_at: float
    takes_tls: bool = False
    trying: bool = False
    refused: bool = False
    refused_at: float = 0.0


class Reach:
    """What is known of each destination; of the least recently used ones nothing, past ``max_peers``."""

    def __init__(self, random: Random, max_peers: int = MAX_PEERS) -> None:
        self._random = random
        self._peers: Memo[Address, _Peer] = Memo(max_peers)

    def __len__(self) -> int:
        return len(self._peers)

    def in_clear(self, now: float) -> int:
        """Destinations in use that are not known to take TLS: while there are any, nobody may go strict."""
        return sum(not peer.takes_tls and now - peer.used_at < FORGOTTEN for peer in self._peers.values())

    def takes_tls(self, destination: Address) -> bool:
        """Whether it does, as far as is known."""
        peer = self._peers.get(destination)
        return peer is not None and peer.takes_tls

    def undecided(self, destination: Address) -> bool:
        """TLS is being tried for the first time, or after it had worked: what is sent had better wait."""
        peer = self._peers.get(destination)
        return peer is not None and peer.trying and not peer.refused

    def should_try(self, destination: Address, now: float) -> bool:
        """Something is sent there. True when TLS is to be tried: once, until it succeeded or failed."""
        peer = self._peers.get(destination)
        if peer is None:
            peer = _Peer(now, now)
            self._peers.put(destination, peer)
        else:
            peer.used_at = now
            self._peers.touch(destination)
        if peer.takes_tls or peer.trying or now < peer.try_at:
            return False
        peer.trying = True
        return True

    def succeeded(self, destination: Address, now: float) -> None:
        """A TLS handshake with it was completed."""
        if (peer := self._peers.get(destination)) is not None:
            peer.takes_tls, peer.trying, peer.refused = True, False, False
            peer.used_at = now

    def failed(self, destination: Address, now: float) -> bool:
        """TLS was tried in vain. Whether this is the first time."""
        peer = self._peers.get(destination)
        if peer is None:
            return False
        fresh = not peer.refused
        peer.takes_tls, peer.trying, peer.refused = False, False, True
        peer.refused_at = now
        peer.try_at = now + TRY_AGAIN * self._random.uniform(0.5, 1.0)
        return fresh

    def postponed(self, destination: Address, now: float) -> None:
        """TLS was to be tried, and is not: nothing waits for that."""
        peer = self._peers.get(destination)
        if peer is not None and peer.trying:
            peer.trying = False
            peer.try_at = now + ASK_SOONER

    def heard(self, destination: Address) -> None:
        """It has sent something over TLS. So it may well take TLS by now."""
        peer = self._peers.get(destination)
        if peer is not None and peer.refused:
            peer.try_at = min(peer.try_at, peer.refused_at + ASK_SOONER)

    def lost(self, destination: Address, now: float) -> None:
        """A packet over TLS did not arrive: the peer is gone, or back with clear text."""
        peer = self._peers.get(destination)
        if peer is not None and peer.takes_tls:
            peer.takes_tls = False
            peer.try_at = now
