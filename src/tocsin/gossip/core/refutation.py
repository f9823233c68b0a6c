"""Our answer to those who accuse us: alive, under a higher incarnation than theirs.

An answer is stored and relayed by every member. A peer that accused us again and again, at higher and higher
incarnations, would make the whole cluster talk of nothing else. So the first accusation is answered at once,
and all that come within a gossip interval of an answer by one more, at its end: a suspicion lasts far longer.
(memberlist answers each.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tocsin.bounded import Timers
from tocsin.gossip.core.awareness import Awareness
from tocsin.gossip.core.statistics import Statistics

MAX_INCARNATION: Final = 2**32 - 1
UNREFUTABLE: Final = MAX_INCARNATION - 1
"""Of accusations of others: the answer would be at the last incarnation, which counts as the member's own
word only, and so would not get round."""
REFUTATION: Final = "refutation"


class Refutation:
    """Answers accusations. ``interval``: seconds between two answers; ``answer``: broadcasts that we are
    alive, past the incarnation that it is given; ``incarnation``: ours."""

    __slots__ = (
        "_answer", "_awareness", "_incarnation", "_interval", "_not_before", "_statistics", "_timers",
        "_unanswered",
    )  # fmt: skip

    def __init__(
        self,
        interval: float,
        *,
        timers: Timers[tuple[str, str | int], float],
        awareness: Awareness,
        statistics: Statistics,
        incarnation: Callable[[], int],
        answer: Callable[[int], None],
    ) -> None:
        self._interval = interval
        self._timers = timers
        self._awareness = awareness
        self._statistics = statistics
        self._incarnation = incarnation
        self._answer = answer
        self._not_before = float("-inf")
        self._unanswered = 0

    def accused(self, incarnation: int, now: float) -> None:
        """Somebody takes us for suspect or dead at this incarnation, or says of us what we never said."""
        if incarnation >= MAX_INCARNATION:
            self._statistics.unrefutable += 1
            return
        if now < self._not_before:
            self._unanswered = max(self._unanswered, incarnation)
            self._timers.set((REFUTATION, 0), self._not_before)
            return
        self._not_before = now + self._interval
        self._statistics.refutations += 1
        self._awareness.apply(1)  # others do not hear us well
        self._answer(incarnation)

    def timed_out(self, now: float) -> None:
        """Answer the accusations that came too soon after others, if no answer has gone past them yet."""
        incarnation, self._unanswered = self._unanswered, 0
        if incarnation >= self._incarnation():
            self.accused(incarnation, now)
