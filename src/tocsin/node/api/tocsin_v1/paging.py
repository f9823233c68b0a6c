"""Pages of what is known as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec

from tocsin.models.base import Page, Paging
from tocsin.node.api.tocsin_v1.resource import RefusedError

MAX_PAGE_BYTES: Final = 4 << 20
"""Of a page, as it is encoded; it ends early then."""

M = TypeVar("M")
T = TypeVar("T")


def paged(items: Sequence[M], query: Paging, *, max_bytes: int = MAX_PAGE_BYTES) -> Page[M]:
    """The page that ``query`` asks for. ``after`` is a position: what comes or goes meanwhile moves it."""
    return shown_page(items, query, lambda item: item, max_bytes=max_bytes)


def shown_page(
    items: Sequence[T], query: Paging, show: Callable[[T], M], *, max_bytes: int = MAX_PAGE_BYTES
) -> Page[M]:
    """The same of things that are yet to be shown: those of the page are."""
    start = position(query.after)
    kept = fitting([show(item) for item in items[start : start + query.limit]], max_bytes)
    end = start + len(kept)
    return Page(items=tuple(kept), next=str(end) if end < len(items) else "", total=len(items))


def fitting(items: Sequence[M], max_bytes: int = MAX_PAGE_BYTES) -> Sequence[M]:
    """So many of the first as fit, but at least one."""
    size = 0
    for count, item in enumerate(items):
        size += len(msgspec.json.encode(item))
        if size > max_bytes and count:
            return items[:count]
    return items


def position(after: str) -> int:
    """Raises RefusedError."""
    if not after:
        return 0
    if not (after.isascii() and after.isdigit() and len(after) < 19):
        raise RefusedError(400, "this is no `next` of a page", "query after")
    return int(after)
