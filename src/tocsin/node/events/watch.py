"""Finds changes of the node, for event streams."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

from tocsin.bounded import Touched

if TYPE_CHECKING:
    from tocsin.models.events import Kind


class Watch:
    """Implements :class:`tocsin.node.events.hub.Watched`. ``touched`` gives each kind's keys and how they are
    written; it is asked each time, as a reload may bring others. ``states`` are compared as a whole."""

    def __init__(
        self,
        touched: Callable[[], Sequence[tuple[Kind, Touched[str] | Touched[int]]]],
        states: Sequence[tuple[Kind, Callable[[], Hashable]]],
    ) -> None:
        self._touched = touched
        self._states = states
        self._known: dict[Kind, Hashable] = {}

    def watch_for(self, on: bool) -> None:
        """Whether to remember changes from now on."""
        for _, each in self._touched():
            each.on = on
            each.take()
        self._known = {kind: state() for kind, state in self._states} if on else {}

    def changes(self) -> Sequence[tuple[Kind, Sequence[str], int]]:
        """What has changed since the last call."""
        found: list[tuple[Kind, Sequence[str], int]] = []
        for kind, touched in self._touched():
            keys, more = touched.take()
            if keys:
                found.append((kind, [_text(key) for key in keys], more))
        for kind, state in self._states:
            now = state()
            if now != self._known.get(kind):
                self._known[kind] = now
                found.append((kind, (), 0))
        return found


def _text(key: Hashable) -> str:
    return f"{key:016x}" if isinstance(key, int) else str(key)
