"""Which addresses should be members and are not: who to dial again, and when to forget. Pure policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from tocsin.bounded import Memo
from tocsin.dataclass import dataclass
from tocsin.gossip.address import Address

ALIAS_LIFETIME: Final = 600.0
"""Seconds for which an address that leads to a member of another address is not dialled again."""


@dataclass(slots=True)
class _Failed:
    name: str
    since: float


class PeerBook:
    """The addresses that are configured or were members, and failed (wire 4.9).

    Unlike upstream, a member that left on purpose is not dialled again by itself: when it was configured, the
    refresh finds it. ``limit`` bounds the book; past it the longest-failed entry is forgotten.
    """

    def __init__(self, *, own: Address, reconnect_timeout: float, limit: int = 4096) -> None:
        self._own = own
        self._reconnect_timeout = reconnect_timeout
        self._limit = limit
        self._failed: dict[Address, _Failed] = {}
        self._live: dict[Address, str] = {}
        self._addresses: dict[str, Address] = {}
        """Of the live members by name."""
        self._aliases: dict[Address, float] = {}
        self._unlisted: Memo[Address, None] = Memo(limit)
        self._dismissed: Memo[Address, None] = Memo(limit)
        self.forgotten = 0

    def configured(self, addresses: Iterable[Address], now: float) -> list[Address]:
        """Update the addresses that ``--cluster.peer`` resolves to; returns those that are not members, to be
        joined."""
        missing = []
        for address in dict.fromkeys(addresses):
            self._unlisted.pop(address)
            if address == self._own or address in self._live or self._aliases.get(address, now) > now:
                continue
            if address in self._dismissed:
                continue
            missing.append(address)
            self._fail(address, "", now)
        return missing

    def reached(self, address: Address, now: float) -> None:
        """A join of ``address`` succeeded. If no member has that address, it leads to a member with another
        address (IPv4 and IPv6 of one name), or to this node."""
        if address not in self._live:
            self._failed.pop(address, None)
            self._aliases = {each: until for each, until in self._aliases.items() if until > now}
            if len(self._aliases) < self._limit:
                self._aliases[address] = now + ALIAS_LIFETIME

    def joined(self, name: str, address: Address) -> bool:
        """A member is live at ``address``. True when it had been in the failed list (a reconnection)."""
        old = self._addresses.get(name)
        if old is not None and old != address and self._live.get(old) == name:
            del self._live[old]
        self._live[address] = name
        self._addresses[name] = address
        self._aliases.pop(address, None)
        self._dismissed.pop(address)
        return self._failed.pop(address, None) is not None

    def left(self, name: str, address: Address, now: float, *, on_purpose: bool) -> None:
        """A member is gone; unless it left on purpose it is dialled again until the reconnect timeout.

        Nor is one that discovery had listed and then no more.
        """
        if self._addresses.get(name) == address:
            del self._addresses[name]
        if self._live.get(address) == name:
            del self._live[address]
            self._aliases.clear()  # Other addresses may have led to it.
        if not on_purpose and address != self._own and address not in self._unlisted:
            self._fail(address, name, now)

    def unlisted(self, address: Address) -> bool:
        """Discovery no longer lists the address: it is not dialled again. Returns whether it was lost."""
        self._aliases.pop(address, None)
        self._dismissed.pop(address)
        self._unlisted.put(address, None)
        if self._failed.pop(address, None) is None:
            return False
        self.forgotten += 1
        return True

    def dismiss(self, peer: str) -> list[Address]:
        """Forget the lost peer of that name or address, also while it is configured; which addresses it had.

        It is not dialled again before it has come by itself, or has been listed anew.
        """
        gone = [address for address, failed in self._failed.items() if peer in (failed.name, str(address))]
        for address in gone:
            del self._failed[address]
            self._dismissed.put(address, None)
        self.forgotten += len(gone)
        return gone

    @property
    def dismissed(self) -> list[Address]:
        """The addresses of those that were dismissed, and have not come back."""
        return list(self._dismissed)

    def to_reconnect(self) -> list[Address]:
        """The failed addresses, each to be joined at every reconnect interval."""
        return list(self._failed)

    def forget(
        self, now: float, *, grace: float = 0.0, listed: Callable[[Address], bool] | None = None
    ) -> list[Address]:
        """Drop what has been failing for longer than the reconnect timeout.

        With ``listed``, also what that does not list and has been failing for longer than ``grace`` seconds.
        """
        gone = [
            address
            for address, failed in self._failed.items()
            if now - failed.since > self._reconnect_timeout
            or (listed is not None and now - failed.since > grace and not listed(address))
        ]
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
