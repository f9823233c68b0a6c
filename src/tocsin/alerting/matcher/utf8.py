"""The matcher notation since Alertmanager 0.27: any UTF-8 in names and values, quotes where they are needed.

::

    matchers = [ "{" ] [ matcher { "," matcher } [ "," ] ] [ "}" ]     either both braces or none
    matcher  = text operator text
    operator = "=" | "!=" | "=~" | "!~"
    text     = a Go string in double quotes | characters that are neither white space nor one of {}!=~,\\"'`

Errors name columns (counted in characters from 0) as Alertmanager's do.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tocsin.alerting.matcher.classic import TYPES
from tocsin.alerting.matcher.matcher import RESERVED, SPACES, Matcher
from tocsin.alerting.quote import go_unquote

_END: Final = "end"
_QUOTED: Final = "quoted"
_UNQUOTED: Final = "unquoted"
_OPERATOR: Final = "operator"

_RESERVED_CLASS = "".join(re.escape(character) for character in sorted(RESERVED))
_TOKEN = re.compile(
    rf"(?P<space>[{re.escape(SPACES)}]+)"
    r"|(?P<punctuation>[{},])"
    r"|(?P<operator>=~|=|!=|!~)"
    r'|(?P<quoted>"(?:[^"\\]|\\.)*")'
    rf"|(?P<unquoted>[^{_RESERVED_CLASS}]+)",
    re.DOTALL,
)


class _Token(NamedTuple):
    kind: str  # "{", "}", ",", or one of the names above
    text: str
    start: int
    end: int

    @property
    def place(self) -> str:
        return f"{self.start}:{self.end}: {self.text}"


class _Reader:
    """Gives the tokens of a text, one ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self.consumed = 0  # the column after the last token taken
        self._ahead: _Token | None = None

    def peek(self) -> _Token:
        if self._ahead is None:
            self._ahead = self._scan()
        return self._ahead

    def take(self) -> _Token:
        token = self.peek()
        self._ahead = None
        self.consumed = token.end
        return token

    def expect(self, what: str, *kinds: str) -> _Token:
        """Take the next token if it is of one of ``kinds``; ``what`` ends the error message otherwise."""
        self.check(what, *kinds)
        return self.take()

    def check(self, what: str, *kinds: str) -> _Token:
        try:
            token = self.peek()
        except ValueError as error:
            raise ValueError(f"{error}: {what}") from None
        if token.kind in kinds:
            return token
        if token.kind == _END:
            raise ValueError(f"end of input: {what}")
        raise ValueError(f"{token.start}:{token.end}: unexpected {token.text}: {what}")

    def _scan(self) -> _Token:
        text = self._text
        while self._position < len(text):
            start = self._position
            found = _TOKEN.match(text, start)
            if found is None:
                raise self._lexical_error(start)
            self._position = found.end()
            kind = found.lastgroup
            if kind == "space":
                continue
            value = found[0]
            return _Token(value if kind == "punctuation" else str(kind), value, start, found.end())
        return _Token(_END, "", len(text), len(text))

    def _lexical_error(self, start: int) -> ValueError:
        text = self._text
        character = text[start]
        if character == "!":
            if start + 1 >= len(text):
                return ValueError(f"{start}:{start + 1}: unexpected end of input, expected one of '=~'")
            return ValueError(f"{start}:{start + 1}: !: expected one of '=~'")
        if character == '"':
            return ValueError(f'{start}:{len(text)}: {text[start:]}: missing end "')
        return ValueError(f"{start}:{start + 1}: {character}: invalid input")


def _unquote(token: _Token) -> str:
    if token.kind == _UNQUOTED:
        return token.text
    try:
        return go_unquote(token.text)
    except ValueError:
        raise ValueError(f"{token.place}: invalid input") from None


_LABEL_NAME = "expected label name"
_LABEL_VALUE = "expected label value"
_AN_OPERATOR = "expected an operator such as '=', '!=', '=~' or '!~'"
_COMMA_OR_BRACE = "expected a comma or close brace"
_MATCHER_OR_BRACE = "expected a matcher or close brace after comma"


def _parse_matcher(reader: _Reader) -> Matcher:
    name = _unquote(reader.expect(_LABEL_NAME, _QUOTED, _UNQUOTED))
    match_type = TYPES[reader.expect(_AN_OPERATOR, _OPERATOR).text]
    value = _unquote(reader.expect(_LABEL_VALUE, _UNQUOTED, _QUOTED))
    try:
        return Matcher(match_type, name, value)
    except ValueError as error:
        raise ValueError(f"failed to create matcher: {error}") from None


def parse_utf8_matchers(text: str) -> tuple[Matcher, ...]:
    """Zero or more matchers. Raises ValueError with Alertmanager's message."""
    reader = _Reader(text)
    if reader.peek().kind == _END:
        return ()
    has_open_brace = reader.peek().kind == "{"
    if has_open_brace:
        reader.take()
    matchers: list[Matcher] = []
    if reader.peek().kind not in (_END, "}"):
        while True:
            matchers.append(_parse_matcher(reader))
            try:
                following = reader.peek()
            except ValueError as error:
                raise ValueError(f"{error}: {_COMMA_OR_BRACE}") from None
            if following.kind == _END or reader.check(_COMMA_OR_BRACE, ",", "}").kind == "}":
                break
            reader.take()
            try:
                following = reader.peek()
            except ValueError as error:
                raise ValueError(f"{error}: {_MATCHER_OR_BRACE}") from None
            if following.kind == _END or reader.check(_MATCHER_OR_BRACE, "}", _QUOTED, _UNQUOTED).kind == "}":
                break
    _parse_end(reader, has_open_brace)
    return tuple(matchers)


def _parse_end(reader: _Reader, has_open_brace: bool) -> None:
    token = reader.peek()
    if has_open_brace:
        if token.kind != "}":
            reason = (
                "end of input"
                if token.kind == _END
                else f"{token.start}:{token.end}: unexpected {token.text}"
            )
            raise ValueError(f"0:{reader.consumed}: {reason}: expected close brace")
        reader.take()
    elif token.kind == "}":
        reader.take()
        raise ValueError(f"0:{reader.consumed}: }}: expected opening brace")
    try:
        token = reader.peek()
    except ValueError as error:
        raise ValueError(f"{error}: expected end of input") from None
    if token.kind != _END:
        raise ValueError(f"{token.place}: expected end of input")


def parse_utf8_matcher(text: str) -> Matcher:
    """Exactly one matcher."""
    matchers = parse_utf8_matchers(text)
    if not matchers:
        raise ValueError("no matchers")
    if len(matchers) > 1:
        raise ValueError(f"expected 1 matcher, found {len(matchers)}")
    return matchers[0]
