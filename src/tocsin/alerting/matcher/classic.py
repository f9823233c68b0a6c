"""The matcher notation of before Alertmanager 0.27, tolerant of missing quotes and stray backslashes."""

from __future__ import annotations

import re

from tocsin.alerting.labels import valid_text
from tocsin.alerting.matcher.matcher import SPACES, Matcher, MatchType

_SHAPE = re.compile(
    r"[\t\n\f\r ]*+([a-zA-Z_:][a-zA-Z0-9_:]*+)[\t\n\f\r ]*+(=~|=|!=|!~)",
)
_SPACE = "\t\n\f\r "
TYPES = {
    "=": MatchType.EQUAL,
    "!=": MatchType.NOT_EQUAL,
    "=~": MatchType.REGEXP,
    "!~": MatchType.NOT_REGEXP,
}
_VALUE_PART = re.compile(r'\\(?P<escaped>[n"\\])|(?P<quote>")|(?P<plain>\\|[^\\"]+)', re.DOTALL)


def parse_classic_matcher(text: str) -> Matcher:
    """One ``name operator value``. Raises ValueError with Alertmanager's message."""
    shape = _SHAPE.match(text)
    if shape is None:
        raise ValueError(f"bad matcher format: {text}")
    name, operator = shape.groups()
    value = raw = text[shape.end() :].strip(_SPACE)
    quoted = value.startswith('"')
    if quoted:
        value = value[1:]
    if not valid_text(value):
        raise ValueError(f"matcher value not valid UTF-8: {raw}")
    parts: list[str] = []
    closed = not quoted
    for part in _VALUE_PART.finditer(value):
        if part["quote"]:
            if not quoted or part.end() < len(value):
                raise ValueError(f"matcher value contains unescaped double quote: {raw}")
            closed = True
        elif part["escaped"]:
            parts.append("\n" if part["escaped"] == "n" else part["escaped"])
        else:
            parts.append(part["plain"])
    if not closed:
        raise ValueError(f"matcher value contains unescaped double quote: {raw}")
    return Matcher(TYPES[operator], name, "".join(parts))


def parse_classic_matchers(text: str) -> tuple[Matcher, ...]:
    """A list separated by commas outside quotes, the braces around it optional."""
    return tuple(parse_classic_matcher(part) for part in _split(text.removeprefix("{").removesuffix("}")))


def _split(text: str) -> list[str]:
    parts: list[str] = []
    start = 0
    inside_quotes = False
    escaped = False
    for position, character in enumerate(text):
        if character == "\\":
            escaped = not escaped
        elif character == '"':
            if not escaped:
                inside_quotes = not inside_quotes
            escaped = False
        elif character != ",":
            escaped = False
        elif not inside_quotes:
            # The backslash state is left alone by a comma, as in the original notation.
            parts.append(text[start:position])
            start = position + 1
    last = text[start:].strip(SPACES)
    if last:
        parts.append(last)
    return parts
