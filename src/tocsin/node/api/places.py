"""The places of GETs: how many are answered at once, of whom, and who makes room for a newcomer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

from tocsin.bounded import Memo

OVERFLOW: Final = 2
"""GETs in all, as a multiple of ``concurrency``, when addresses with less than their share add theirs."""
NEWCOMERS: Final = 64
"""GETs past that, one of each address that has none. One more takes the place of a slow one."""
SLOW: Final = 0.1
"""Seconds of answering, after which a GET loses its place to one of an address that has none."""
MAX_WAITING: Final = 64
"""GETs, one of each address that has none, that wait until another one is over or slow."""
LONGEST_WAIT: Final = 5.0
"""Seconds that such a GET waits."""
REMEMBERED: Final = 1024
"""Addresses of which it is known when they had a place first, and last."""


class Place:
    """That of one GET."""

    __slots__ = ("_limit", "began", "number", "source")

    def __init__(self, source: str, number: int, began: float) -> None:
        self.source = source
        self.number = number
        self.began = began
        self._limit: asyncio.Timeout | None = None

    def may_end(self, limit: asyncio.Timeout) -> None:
        """From now on the place may be taken back: ``limit`` expires then."""
        self._limit = limit

    @property
    def can_be_taken(self) -> bool:
        """Whether nothing of the answer has been sent."""
        return self._limit is not None

    def answered(self) -> None:
        """The answer begins: it is no longer cut."""
        limit, self._limit = self._limit, None
        if limit is not None and not limit.expired():
            limit.reschedule(None)

    def end(self) -> None:
        """Stop answering."""
        if self._limit is not None:
            self._limit.reschedule(0.0)  # long ago: at once


class Places:
    """Who answers GETs. Neither one address whose slow GETs take all places must keep probes and scrapes of
    others out, nor many addresses."""

    def __init__(self, concurrency: int, changed: Callable[[int], None], clock: Callable[[], float]) -> None:
        """``changed`` is called with the number of places that are taken; ``clock``: seconds."""
        self._concurrency = concurrency
        self._changed = changed
        self._clock = clock
        self._taken: dict[Place, None] = {}
        self._of: Counter[str] = Counter()
        """How many are taken, by address."""
        self._waiting: dict[str, tuple[tuple[bool, int], asyncio.Future[Place]]] = {}
        """By address, with its rank, the lowest first: one that is known by when it had a place last, counted
        in GETs; then others by when they came, as who has very many addresses uses each once."""
        self._had: Memo[str, tuple[int, int]] = Memo(REMEMBERED)
        """By address, the GETs with which it had its first place and its last one."""
        self._begun = 0

    async def take(self, source: str) -> Place | None:
        """A place, which :meth:`give_back` frees; None if there is none."""
        if self._has_room(source):
            return self._give(source)
        if self._of[source] or source in self._waiting or len(self._waiting) >= MAX_WAITING:
            return None
        turn: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        had = self._had.get(source)
        self._waiting[source] = (had is None, self._begun if had is None else had[1]), turn
        end = self._clock() + LONGEST_WAIT
        try:
            if self._take_back():
                self._let_in()  # Who waits already is first.
            while not turn.done() and self._clock() < end:
                await asyncio.wait((turn,), timeout=SLOW)
                if not turn.done() and self._take_back():
                    self._let_in()
        except asyncio.CancelledError:
            if turn.done():
                self.give_back(turn.result())
            raise
        finally:
            if not turn.done():
                del self._waiting[source]
        return turn.result() if turn.done() else None

    def has_some(self, source: str) -> bool:
        """Whether GETs of ``source`` have places."""
        return self._of[source] > 0

    def give_back(self, place: Place) -> None:
        """Free a place; it may have been taken back."""
        if place in self._taken:
            self._free(place)
            self._let_in()

    def _has_room(self, source: str) -> bool:
        count, concurrency = len(self._taken), self._concurrency
        if count < concurrency:
            return True
        if not self._of[source]:
            return count < self._most
        share = max(concurrency // len(self._of), 1)
        return count < OVERFLOW * concurrency and self._of[source] < share

    @property
    def _most(self) -> int:
        return OVERFLOW * self._concurrency + NEWCOMERS

    def _take_back(self) -> bool:
        """Free the place of a slow GET: of the address that has most, that came last, the newest one. So who
        has been there for long goes on, however many come."""
        now = self._clock()
        slow = [place for place in self._taken if place.can_be_taken and now - place.began >= SLOW]
        if not slow:
            return False
        last = max(slow, key=lambda place: (self._of[place.source], self._first(place), place.number))
        self._free(last)
        last.end()
        return True

    def _first(self, place: Place) -> int:
        had = self._had.get(place.source)
        return place.number if had is None else had[0]

    def _give(self, source: str) -> Place:
        self._begun += 1
        had = self._had.get(source)
        self._had.put(source, (self._begun if had is None else had[0], self._begun))
        place = Place(source, self._begun, self._clock())
        self._taken[place] = None
        self._of[source] += 1
        self._changed(len(self._taken))
        return place

    def _free(self, place: Place) -> None:
        del self._taken[place]
        self._of[place.source] -= 1
        if not self._of[place.source]:
            del self._of[place.source]
        self._changed(len(self._taken))

    def _let_in(self) -> None:
        while self._waiting and len(self._taken) < self._most:
            first = min(self._waiting, key=lambda each: self._waiting[each][0])
            _, turn = self._waiting.pop(first)
            turn.set_result(self._give(first))
