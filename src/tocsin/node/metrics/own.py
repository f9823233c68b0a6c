"""The meanings of Tocsin's own metrics, from ``own.txt``, which is read at the first scrape."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

PREFIX: Final = "tocsin_"
_NEVER: Final = "-"


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
        """The HELP text: one sentence for each."""
        parts = [self.what, self.worry and f"worry when {self.worry}", self.look and f"look at {self.look}"]
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
