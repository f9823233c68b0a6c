"""Flags, width and precision of one directive, and the padding that follows from them."""

from __future__ import annotations

from tocsin.dataclass import dataclass
from tocsin.gotemplate.bounds import Budget


@dataclass(slots=True)
class Flags:
    """What stands between ``%`` and the verb. ``width`` and ``precision`` are None where none is given.

    ``plus_v`` and ``sharp_v`` stand for ``%+v`` and ``%#v``, in which ``plus`` and ``sharp`` are off.
    """

    minus: bool = False
    plus: bool = False
    sharp: bool = False
    space: bool = False
    zero: bool = False
    plus_v: bool = False
    sharp_v: bool = False
    width: int | None = None
    precision: int | None = None


class Output:
    """The text that is being built. No part is made before the budget has room for it."""

    __slots__ = ("_budget", "_limit", "_pieces", "_size")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._limit = budget.bounds.value_bytes
        self._pieces: list[str] = []
        self._size = 0

    def write(self, text: str) -> None:
        """Appends text."""
        self.reserve(len(text))
        self._size += len(text)
        self._pieces.append(text)

    def reserve(self, count: int) -> None:
        """Raises `BoundError` if that many more characters would be too many."""
        if self._size + count > self._limit:
            self._budget.claim(self._size + count)

    def pad(self, text: str, flags: Flags) -> None:
        """Appends text, padded to the width: with blanks, or zeros to the left. Widths count runes."""
        missing = (flags.width or 0) - len(text)
        if missing <= 0:
            self.write(text)
            return
        self.reserve(missing + len(text))
        fill = ("0" if flags.zero and not flags.minus else " ") * missing
        self.write(text + fill if flags.minus else fill + text)

    def pad_with_blanks(self, text: str, flags: Flags) -> None:
        """Appends text, padded to the width with blanks even if zeros were asked for."""
        zero, flags.zero = flags.zero, False
        self.pad(text, flags)
        flags.zero = zero

    def finish(self) -> str:
        """All that was written, counted against the budget."""
        self._budget.claim(self._size)
        return "".join(self._pieces)
