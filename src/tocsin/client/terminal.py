"""Tables and colours: colours on a terminal only, one row a line, nothing cut off."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from tocsin.text import plain

_CODES: Final = {"good": "32", "bad": "31", "doubtful": "33", "faint": "2", "strong": "1"}


class Terminal:
    """Writes to standard output. ``NO_COLOR`` and ``TERM=dumb`` disable colours, ``FORCE_COLOR`` enables
    them."""

    def __init__(self) -> None:
        environment = os.environ
        self._coloured = not environment.get("NO_COLOR") and (
            bool(environment.get("FORCE_COLOR"))
            or (sys.stdout.isatty() and environment.get("TERM", "dumb") != "dumb")
        )

    def mark(self, text: str, how: str) -> str:
        """``text`` in a colour: good, bad, doubtful, faint or strong."""
        return f"\x1b[{_CODES[how]}m{text}\x1b[0m" if self._coloured and text else text

    def line(self, text: str = "") -> None:
        """Print a line."""
        print(text)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], *, colours: bool = True) -> None:
        """Print columns with two spaces between them. The last column is not padded.

        The texts ``ok``, ``failed``, ``no`` and the like in cells get their colour, if ``colours``.
        """
        cells = [[plain(cell, 4096).replace("\\\\", "\\") for cell in row] for row in [header, *rows]]
        widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
        for number, row in enumerate(cells):
            padded = [text.ljust(width) for text, width in zip(row[:-1], widths, strict=False)] + row[-1:]
            if number == 0:
                print(self.mark("  ".join(padded).rstrip(), "strong"))
                continue
            if colours:
                padded = [
                    text.replace(text.strip(), self.mark(text.strip(), _WORDS[text.strip()]))
                    if text.strip() in _WORDS
                    else text
                    for text in padded
                ]
            print("  ".join(padded).rstrip())


_WORDS: Final = {
    "yes": "good",
    "ok": "good",
    "ready": "good",
    "alive": "good",
    "no": "bad",
    "failed": "bad",
    "error": "bad",
    "warning": "doubtful",
    "settling": "doubtful",
    "suspect": "doubtful",
}
