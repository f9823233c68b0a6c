"""How matchers and label names are to be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tocsin.alerting.matcher import ParserMode, ParseWarning
from tocsin.dataclass import dataclass

WarningHook: TypeAlias = Callable[[ParseWarning], None]


@dataclass(frozen=True, slots=True)
class MatcherSyntax:
    """How matchers and label names are to be read (``--enable-feature``), and what is called with a warning
    about doubtful ones."""

    mode: ParserMode = ParserMode.FALLBACK
    warn: WarningHook | None = None

    def valid_name(self, name: str) -> bool:
        """Whether a label may have the name."""
        return self.mode.valid_name(name)
