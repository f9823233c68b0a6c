"""What may be spent on patterns: a purse for each silence or request, the room that all leave, and trust."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tocsin.alerting.regex_cost import (
    MAX_PARTS_TOGETHER,
    MAX_TOGETHER,
    MAX_TOKENS,
    MAX_WORK,
    PART,
    Cost,
    PatternCostError,
    cost_of,
)
from tocsin.alerting.regex_engine import Spent, too_large


class Purse:
    """What patterns may cost together: of one silence, or of one request."""

    def __init__(
        self, size: int = MAX_TOGETHER, work: int = 2 * MAX_WORK, parts: int = MAX_PARTS_TOGETHER
    ) -> None:
        self._size = size
        self._work = work
        self.parts = parts
        """That are left."""
        self._paid: set[str] = set()

    def pay(self, pattern: str, cost: Cost) -> None:
        """Raises PatternCostError if it is too much. The same pattern costs once."""
        if pattern in self._paid:
            return
        if cost.size > self._size or cost.work > self._work or cost.parts > self.parts:
            raise PatternCostError("the regular expressions are too large together")
        self._paid.add(pattern)
        self._size -= cost.size
        self._work -= cost.work
        self.parts -= cost.parts


_room: ContextVar[Cost | None] = ContextVar("_room", default=None)


@contextmanager
def room_for(room: Cost | None) -> Iterator[None]:
    """Of patterns that nobody holds yet none is read within that may cost more; None: any."""
    token = _room.set(room)
    try:
        yield
    finally:
        _room.reset(token)


_trusting: ContextVar[bool] = ContextVar("_trusting", default=False)


@contextmanager
def trusting() -> Iterator[None]:
    """Patterns within were good when they were kept: they are weighed, and read when they are needed."""
    token = _trusting.set(True)
    try:
        yield
    finally:
        _trusting.reset(token)


def trusted() -> bool:
    """Whether :func:`trusting` holds here."""
    return _trusting.get()


_purse: ContextVar[Purse | None] = ContextVar("_purse", default=None)


@contextmanager
def spending(purse: Purse | None = None) -> Iterator[Purse]:
    """All patterns that are compiled within are paid from one purse, each before it is compiled."""
    given = purse or Purse()
    token = _purse.set(given)
    try:
        yield given
    finally:
        _purse.reset(token)


def weigh(pattern: str) -> Cost:
    """What a pattern costs, paid from the purse. Raises TooLargeError if it is too much."""
    room, purse = _room.get(), _purse.get()
    parts = min(
        room.parts if room is not None else MAX_TOKENS, purse.parts if purse is not None else MAX_TOKENS
    )
    try:
        cost = cost_of(pattern, parts)
        if room is not None and (
            cost.size > room.size or cost.work > room.work or cost.parts > room.parts or cost.slow > room.slow
        ):
            raise PatternCostError("all regular expressions together would be too large")
        if purse is not None:
            purse.pay(pattern, cost)
    except PatternCostError as error:
        Spent.size += PART * min(len(pattern), max(parts, 0))
        raise too_large(pattern, str(error)) from None
    return cost


def pay(pattern: str, cost: Cost) -> None:
    """Pay for one that somebody holds already. Raises TooLargeError if it is too much."""
    purse = _purse.get()
    if purse is None:
        return
    try:
        purse.pay(pattern, cost)
    except PatternCostError as error:
        raise too_large(pattern, str(error)) from None
