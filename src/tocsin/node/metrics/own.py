"""The meanings of Tocsin's own metrics, from ``own.txt``, which is read at the first scrape."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

PREFIX: Final = "tocsin_"
_NEVER: Final = "-"
_WORD: Final = re.compile(r"[a-z]+(_[a-z]+)+")


class Meaning(NamedTuple):
    """The meaning of one metric."""

    what: str
    """What it shows."""
    worry: str
    """When it shows a problem; empty: never by itself."""
    look: str
    """What to check then; empty: nothing in particular."""

    @property
    def help(self) -> str:
        """The HELP text: one sentence for each, with metrics under their full names."""
        look = _WORD.sub(lambda word: PREFIX * (PREFIX + word[0] in meanings()) + word[0], self.look)
        parts = [self.what, self.worry and f"worry when {self.worry}", look and f"hint: {look}"]
        return " ".join(f"{part[0].upper()}{part[1:]}." for part in parts if part)


@cache
def meanings() -> dict[str, Meaning]:
    """By the metric's full name."""
    found: dict[str, Meaning] = {}
    for line in files(__package__).joinpath("own.txt").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            name, *parts = line.split(" | ")
            found[PREFIX + name] = Meaning(*("" if part == _NEVER else part for part in parts))
    return found


def help_of(name: str) -> str:
    """The HELP text of one of Tocsin's own metrics; its name where a text is missing."""
    found = meanings().get(name)
    return found.help if found is not None else name
