"""Pages of lists that are in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

import msgspec

from tocsin.models.base import Page, Paging
from tocsin.node.api.tocsin_v1.resource import RefusedError

MAX_PAGE_BYTES: Final = 4 << 20
"""Bytes of an encoded page; at this size it ends early."""

M = TypeVar("M")
T = TypeVar("T")


def paged(items: Sequence[M], query: Paging, *, max_bytes: int = MAX_PAGE_BYTES) -> Page[M]:
    """The page that ``query`` asks for. ``after`` is a position: what comes or goes meanwhile moves it."""
    return shown_page(items, query, lambda item: item, max_bytes=max_bytes)


def shown_page(
    items: Sequence[T], query: Paging, show: Callable[[T], M], *, max_bytes: int = MAX_PAGE_BYTES
) -> Page[M]:
    """As :func:`paged`; ``show`` is called for the items of the page only."""
    start = position(query.after)
    fitting = Fitting[M](max_bytes)
    for item in items[start : start + query.limit]:
        if not fitting.add(show(item)):
            break
    end = start + len(fitting.items)
    return Page(items=tuple(fitting.items), next=str(end) if end < len(items) else "", total=len(items))


class Fitting(Generic[M]):
    """Items of a page, as many of the first as fit, but at least one."""

    def __init__(self, max_bytes: int = MAX_PAGE_BYTES) -> None:
        self.items: list[M] = []
        self._left = max_bytes

    def add(self, item: M) -> bool:
        """Whether it fitted."""
        self._left -= len(msgspec.json.encode(item))
        if self._left < 0 and self.items:
            return False
        self.items.append(item)
        return True


def position(after: str) -> int:
    """Raises RefusedError."""
    if not after:
        return 0
    if not (after.isascii() and after.isdigit() and len(after) < 19):
        raise RefusedError(400, "this is no `next` of a page", "query after")
    return int(after)
