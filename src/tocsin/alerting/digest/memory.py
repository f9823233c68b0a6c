"""What an exchange remembers for the next ones with the same peer."""

from __future__ import annotations

from typing import Final, TypeAlias

from tocsin.alerting.timestamp import SECOND, Nanoseconds

DECLINED_FOR: Final = 600 * SECOND
MAX_DECLINED: Final = 65_536

Mark: TypeAlias = tuple[str, bytes, int, bool]
"""State key, identity and shortened version of an entry, and whether it is ours (else the peer's)."""


class Memory:
    """What a peer would not take of us, or we not of it: not tried again for a while. Bounded."""

    def __init__(self) -> None:
        self._declined: dict[Mark, Nanoseconds] = {}

    def __len__(self) -> int:
        return len(self._declined)

    def decline(self, mark: Mark, now: Nanoseconds) -> None:
        """The entry was passed over and the other side still has not got it."""
        self._declined.setdefault(mark, now + DECLINED_FOR)
        while len(self._declined) > MAX_DECLINED:
            del self._declined[next(iter(self._declined))]

    def declined(self, mark: Mark, now: Nanoseconds) -> bool:
        """Whether it is no use to pass the entry over now."""
        until = self._declined.get(mark)
        if until is None:
            return False
        if not now < until <= now + DECLINED_FOR:  # over, or the clock was set back
            del self._declined[mark]
            return False
        return True
