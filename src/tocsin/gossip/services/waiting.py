"""Waiting until the members are as somebody wants them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from tocsin.errors import ClosedError
from tocsin.gossip.core.member import Member

Wanted: TypeAlias = int | Collection[str] | Callable[[Sequence[Member]], bool]
"""At least so many live members, ourselves included; these names among them; or what a function says."""


class MemberWaits:
    """Who waits for members. ``members`` gives the live ones."""

    def __init__(self, members: Callable[[], list[Member]]) -> None:
        self._members = members
        self._changed: asyncio.Future[None] | None = None
        self._closed = False

    async def wait(self, wanted: Wanted, timeout: float | None) -> list[Member]:
        """The live members, once they are as wanted.

        :class:`TimeoutError`, which says who is there, after ``timeout`` seconds;
        :class:`~tocsin.errors.ClosedError` when the member is closed meanwhile.
        """
        try:
            async with asyncio.timeout(timeout):
                while True:
                    if self._closed:
                        raise ClosedError("this member was closed")
                    members = self._members()
                    if _are(members, wanted):
                        return members
                    if self._changed is None:
                        self._changed = asyncio.get_running_loop().create_future()
                    await asyncio.shield(self._changed)
        except TimeoutError:
            there = ", ".join(sorted(member.name for member in self._members()))
            raise TimeoutError(f"not within {timeout:g} s: the members are {there}") from None

    def changed(self) -> None:
        """The members may have changed."""
        changed, self._changed = self._changed, None
        if changed is not None and not changed.done():
            changed.set_result(None)

    def close(self) -> None:
        """Fail what waits."""
        self._closed = True
        self.changed()


def _are(members: Sequence[Member], wanted: Wanted) -> bool:
    if isinstance(wanted, int):
        return len(members) >= wanted
    if callable(wanted):
        return wanted(members)
    return {member.name for member in members}.issuperset(wanted)
