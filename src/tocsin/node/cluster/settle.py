"""When a starting node may begin to notify: Alertmanager's rule."""

from __future__ import annotations


class Settle:
    """Counts polls of the cluster's size (specification 4.8, ``Peer.Settle`` upstream).

    The first poll compares with zero members. After three polls in a row that found no change the next one
    settles, so that five polls are the least. ``deadline`` (seconds, any clock) settles regardless.
    """

    POLLS_WITHOUT_CHANGE = 3

    def __init__(self, *, interval: float, deadline: float, now: float) -> None:
        self._interval = interval
        self._deadline = deadline
        self._next = now + interval
        self._members = 0
        self._unchanged = 0
        self.settled = False
        self.timed_out = False

    def next_timeout(self) -> float | None:
        """When to call :meth:`handle_timeout`; None once settled."""
        return None if self.settled else min(self._next, self._deadline)

    def handle_timeout(self, members: int, now: float) -> bool:
        """Poll with the present number of members. True when this call settles."""
        if self.settled:
            return False
        if now >= self._deadline:
            self.settled = self.timed_out = True
            return True
        if now < self._next:
            return False
        self._next = now + self._interval
        if self._unchanged >= self.POLLS_WITHOUT_CHANGE:
            self.settled = True
            return True
        self._unchanged = self._unchanged + 1 if members == self._members else 0
        self._members = members
        return False
