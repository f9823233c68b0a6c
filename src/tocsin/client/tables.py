"""Tables of text, by Go's text/tabwriter as amtool uses it: columns as wide as they must be.

A tab ends a cell. Cells that stand below each other in consecutive lines have one width, two spaces more than
the longest; what follows the last tab of a line is not a cell. Source: documentation of Go's text/tabwriter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

PADDING: Final = 2


def align(text: str) -> str:
    """``text``, with its tabs replaced by spaces."""
    lines = [line.replace("\v", "\t").split("\t") for line in text.replace("\f", "\n").split("\n")]
    widths: list[list[int]] = [[0] * (len(line) - 1) for line in lines]
    for column in range(max(map(len, widths))):
        for start, end in _runs(widths, column):
            width = max(len(lines[row][column]) for row in range(start, end)) + PADDING
            for row in range(start, end):
                widths[row][column] = width
    return "\n".join(
        "".join(cell.ljust(width) for cell, width in zip(line, columns, strict=False)) + line[-1]
        for line, columns in zip(lines, widths, strict=True)
    )


def _runs(widths: Sequence[Sequence[int]], column: int) -> list[tuple[int, int]]:
    """Consecutive lines that have the column."""
    found: list[tuple[int, int]] = []
    start: int | None = None
    for row, columns in enumerate([*widths, ()]):
        if len(columns) > column:
            start = row if start is None else start
        elif start is not None:
            found.append((start, row))
            start = None
    return found


def rows(header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table with a line of headings; every cell ends with a tab, as in amtool's."""
    return align("".join("".join(f"{cell}\t" for cell in row) + "\n" for row in [header, *body]))
