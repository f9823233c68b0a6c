"""Which of the two matcher notations applies: the rules of Alertmanager since 0.27.

By default a text is read in both. If only one notation can read it, that one counts; if both can and
disagree, the classic one does, with a warning; if neither can, the classic one's error is the one shown.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, TypeVar

from tocsin.alerting.labels import valid_classic_name, valid_name
from tocsin.alerting.matcher.classic import parse_classic_matcher, parse_classic_matchers
from tocsin.alerting.matcher.matcher import Matcher
from tocsin.alerting.matcher.utf8 import parse_utf8_matcher, parse_utf8_matchers
from tocsin.dataclass import dataclass

_Parsed = TypeVar("_Parsed", Matcher, tuple[Matcher, ...])


class ParserMode(Enum):
    """``--enable-feature``: nothing, ``classic-mode`` or ``utf8-strict-mode``."""

    FALLBACK = "fallback"
    CLASSIC = "classic-mode"
    UTF8_STRICT = "utf8-strict-mode"

    def valid_name(self, name: str) -> bool:
        """Whether a label may have the name; the classic mode takes it of fewer characters."""
        return valid_classic_name(name) if self is ParserMode.CLASSIC else valid_name(name)


@dataclass(frozen=True, slots=True)
class ParseWarning:
    """A text that was read, but should be written otherwise.

    ``error`` is what the UTF-8 notation says against it and ``suggestion`` the same matchers in a form both
    notations read; both are empty when the notations merely disagree on the meaning.
    """

    message: str
    input: str
    origin: str
    error: str = ""
    suggestion: str = ""


_INCOMPATIBLE = (
    "this matcher can be read by the classic parser only: put regular expressions and values in double quotes"
    " and escape backslashes"
)
_DISAGREEMENT = "Matchers input has disagreement"

MAX_COMMAS: Final = 4096
"""In what is to be one matcher: each may begin another, which takes some microseconds to find out."""

WarningHook = Callable[[ParseWarning], None]


def parse_matcher(
    text: str,
    *,
    origin: str = "",
    warn: WarningHook | None = None,
    mode: ParserMode = ParserMode.FALLBACK,
) -> Matcher:
    """One matcher, without braces. ``origin`` ("config", "api", ...) is handed on to ``warn``.

    Raises ValueError with Alertmanager's message.
    """
    if text.count(",") > MAX_COMMAS:
        raise ValueError(f"more than {MAX_COMMAS} commas in a matcher")
    if mode is not ParserMode.CLASSIC and (text.startswith("{") or text.endswith("}")):
        raise ValueError(f"unexpected open or close brace: {text}")
    return _parse(text, parse_utf8_matcher, parse_classic_matcher, str, origin, warn, mode)


def parse_matchers(
    text: str,
    *,
    origin: str = "",
    warn: WarningHook | None = None,
    mode: ParserMode = ParserMode.FALLBACK,
) -> tuple[Matcher, ...]:
    """Zero or more matchers separated by commas, optionally within braces; else as :func:`parse_matcher`."""

    def suggest(matchers: tuple[Matcher, ...]) -> str:
        return ",".join(map(str, matchers))

    return _parse(text, parse_utf8_matchers, parse_classic_matchers, suggest, origin, warn, mode)


def _parse(
    text: str,
    utf8: Callable[[str], _Parsed],
    classic: Callable[[str], _Parsed],
    suggest: Callable[[_Parsed], str],
    origin: str,
    warn: WarningHook | None,
    mode: ParserMode,
) -> _Parsed:
    if mode is ParserMode.CLASSIC:
        return classic(text)
    if mode is ParserMode.UTF8_STRICT:
        return utf8(text)
    try:
        by_utf8 = utf8(text)
    except ValueError as error:
        by_classic = classic(text)
        if warn is not None:
            warn(ParseWarning(_INCOMPATIBLE, text, origin, str(error), suggest(by_classic)))
        return by_classic
    try:
        by_classic = classic(text)
    except ValueError:
        return by_utf8
    if by_utf8 != by_classic or by_utf8 == ():  # Go's two parsers return different kinds of nothing.
        if warn is not None:
            warn(ParseWarning(_DISAGREEMENT, text, origin))
        return by_classic
    return by_utf8
