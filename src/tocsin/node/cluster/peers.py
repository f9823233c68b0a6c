"""Which addresses should be members and are not: who to dial again, and when to forget. Pure policy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.gossip.address import Address


@dataclass(slots=True)
class _Failed:
    name: str
    since: float


class PeerBook:
    """The addresses that are configured or were members, and failed (specification 4.9).

    Unlike upstream, a member that left on purpose is not dialled again by itself: when it was configured, the
    refresh finds it. ``limit`` bounds the book; past it the longest-failed entry is forgotten.
    """

    def __init__(self, *, own: Address, reconnect_timeout: float, limit: int = 4096) -> None:
        self._own = own
        self._reconnect_timeout = reconnect_timeout
        self._limit = limit
        self._failed: dict[Address, _Failed] = {}
        self._live: dict[Address, str] = {}
        self.forgotten = 0

    def configured(self, addresses: Iterable[Address], now: float) -> list[Address]:
        """Note what ``--cluster.peer`` resolves to now; returns those that are not members, to be joined."""
        missing = [a for a in dict.fromkeys(addresses) if a != self._own and a not in self._live]
        for address in missing:
            self._fail(address, "", now)
        return missing

    def joined(self, name: str, address: Address) -> bool:
        """A member is live at ``address``. True when it had been in the failed list (a reconnection)."""
        for old in [a for a, known in self._live.items() if known == name and a != address]:
            del self._live[old]
        self._live[address] = name
        return self._failed.pop(address, None) is not None

    def left(self, name: str, address: Address, now: float, *, on_purpose: bool) -> None:
        """A member is gone; unless it left on purpose it is dialled again until the reconnect timeout."""
        if self._live.get(address) == name:
            del self._live[address]
        if not on_purpose and address != self._own:
            self._fail(address, name, now)

    def to_reconnect(self) -> list[Address]:
        """The failed addresses, each to be joined at every reconnect interval."""
        return list(self._failed)

    def forget(self, now: float) -> list[Address]:
        """Drop what has been failing for longer than the reconnect timeout."""
        gone = [a for a, failed in self._failed.items() if now - failed.since > self._reconnect_timeout]
        for address in gone:
            del self._failed[address]
        self.forgotten += len(gone)
        return gone

    @property
    def failed_count(self) -> int:
        """Addresses in the failed list."""
        return len(self._failed)

    def _fail(self, address: Address, name: str, now: float) -> None:
        if address in self._failed:
            return
        if len(self._failed) >= self._limit:
            del self._failed[min(self._failed, key=lambda a: self._failed[a].since)]
            self.forgotten += 1
        self._failed[address] = _Failed(name, now)
