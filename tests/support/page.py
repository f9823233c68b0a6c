"""Tables that commands put into the documents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """As Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def put(page: Path, text: str, *, mark: str = "table") -> None:
    """Put ``text`` between the page's ``<!-- MARK: begin -->`` and ``<!-- MARK: end -->``."""
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    before, found, rest = page.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{page} has no {begin} with its end")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")
