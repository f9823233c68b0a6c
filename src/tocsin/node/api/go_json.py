"""JSON as Go reads and writes it: errors have the messages of ``encoding/json``.

Requests are decoded by msgspec. Only a body that it refuses comes here, for the error that Go would report,
or because Go accepts it: Go reads the first value of a body only, takes field names in any case, ``null`` for
anything, and bytes that are not UTF-8.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, TypeAlias

import msgspec

MAX_DEPTH: Final = 10_000
"""Go's limit on nesting."""

_encode = msgspec.json.Encoder().encode
_LINES: Final = {"\u2028".encode(): b"\\u2028", "\u2029".encode(): b"\\u2029"}
_SIGNS: Final = {b"<": b"\\u003c", b">": b"\\u003e", b"&": b"\\u0026", **_LINES}
_UNSAFE_LINES = re.compile(b"|".join(_LINES))
_UNSAFE_SIGNS = re.compile(b"|".join(_SIGNS))


def encode(value: Any) -> bytes:
    """``value`` as ``json.Marshal`` writes it: no spaces, and safe to stand within HTML and JavaScript."""
    text = _bytes(value)
    # Outside its texts JSON has none of these characters, so the whole can be escaped at once.
    return _UNSAFE_SIGNS.sub(_escape, text) if _UNSAFE_SIGNS.search(text) else text


def encode_plain(value: Any) -> bytes:
    """``value`` as Go's encoder writes it without escaping of HTML: go-openapi's for whole answers.

    Within an alert or a silence, which encode themselves, it is :func:`encode`.
    """
    text = _bytes(value)
    return _UNSAFE_LINES.sub(_escape, text) if _UNSAFE_LINES.search(text) else text


def _bytes(value: Any) -> bytes:
    try:
        return _encode(value)
    except UnicodeEncodeError:  # a lone surrogate
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _escape(found: re.Match[bytes]) -> bytes:
    return _SIGNS[found[0]]


class GoJSONError(ValueError):
    """The text is what Go's decoder says."""


class Pairs(list[tuple[str, Any]]):
    """An object: its fields in order, also those that come twice."""


class Number:
    """Any number; its value is not kept, as no field that we read is a number."""


_NUMBER: Final = Number()

Value: TypeAlias = Any
"""A decoded value: Pairs, list, str, Number, bool or None."""

_SPACE = re.compile(r"[ \t\r\n]*")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_DIGITS = re.compile(r"[0-9]*")
_LITERALS: Final = {"t": "true", "f": "false", "n": "null"}


def decode_first(body: bytes) -> Value:
    """The first value of ``body``; what follows it is ignored. Raises GoJSONError."""
    text = body.decode("utf-8", "replace")
    end = _Scanner(text).value_end()
    try:
        value: Value = _DECODER.decode(text[:end])
    except RecursionError:
        raise GoJSONError("exceeded max depth") from None
    return value


def without_surrogates(text: str) -> str:
    """``text`` with U+FFFD for each lone surrogate (``"\\ud800"``), as Go decodes them."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def kind_of(value: Value) -> str:
    """Go's name for the kind of a JSON value."""
    if isinstance(value, Pairs):
        return "object"
    if isinstance(value, list):
        return "array"
    if isinstance(value, str):
        return "string"
    return "bool" if isinstance(value, bool) else "number"


def mismatch(value: Value, path: str, go_type: str) -> GoJSONError:
    """The error for a value of the wrong kind; ``path`` as in ``Go struct field Alert.labels``."""
    return GoJSONError(f"json: cannot unmarshal {kind_of(value)} into {path} of type {go_type}")


def _number(_: str) -> Number:
    return _NUMBER


_DECODER = json.JSONDecoder(
    object_pairs_hook=Pairs, parse_int=_number, parse_float=_number, parse_constant=_number
)


class _Scanner:
    """Checks syntax only, without recursion, and finds the first thing that is wrong as Go words it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def value_end(self) -> int:
        """Where the first value ends. Raises GoJSONError."""
        stack: list[str] = []
        while True:
            opened = self._begin_value(stack)
            if opened:
                continue
            # A value has ended: what may follow depends on what it stands in.
            while stack:
                if self._after_value(stack):
                    break
            else:
                return self._position

    def _begin_value(self, stack: list[str]) -> bool:
        """Read a scalar, or the beginning of an array or object: True if a value is to follow within it."""
        character = self._next()
        if character in "[{":
            stack.append(character)
            if len(stack) > MAX_DEPTH:
                raise GoJSONError("exceeded max depth")
            closing = "]" if character == "[" else "}"
            if self._peek() == closing:
                self._position += 1
                stack.pop()
                return False
            if character == "{":
                self._key()
            return True
        if character == '"':
            self._string()
        elif character in _LITERALS:
            self._literal(_LITERALS[character])
        elif character == "-" or (character.isascii() and character.isdigit()):
            self._number(character)
        else:
            raise self._invalid(character, "looking for beginning of value")
        return False

    def _after_value(self, stack: list[str]) -> bool:
        """After a value within ``stack[-1]``: True if another is to follow, False if the container ended."""
        container = stack[-1]
        where = "after array element" if container == "[" else "after object key:value pair"
        character = self._next()
        if character == ",":
            if container == "{":
                self._key()
            return True
        if character != ("]" if container == "[" else "}"):
            raise self._invalid(character, where)
        stack.pop()
        return False

    def _key(self) -> None:
        character = self._next()
        if character != '"':
            raise self._invalid(character, "looking for beginning of object key string")
        self._string()
        character = self._next()
        if character != ":":
            raise self._invalid(character, "after object key")

    def _string(self) -> None:
        text = self._text
        while True:
            self._skip(_PLAIN)
            character = self._take()
            if character == '"':
                return
            if character != "\\":
                raise self._invalid(character, "in string")
            start = self._position - 1
            escape = self._take()
            if escape == "u":
                for _ in range(4):
                    digit = self._take()
                    if digit not in "0123456789abcdefABCDEF":
                        raise self._bad_escape(text[start : start + 6])
            elif escape not in 'bfnrt\\/"':
                raise self._bad_escape(text[start : start + 2])

    def _bad_escape(self, sequence: str) -> GoJSONError:
        return GoJSONError(f"invalid escape sequence `{sequence}` in string")

    def _literal(self, word: str) -> None:
        for expected in word[1:]:
            character = self._take()
            if character != expected:
                raise self._invalid(character, f"in literal {word} (expecting {_quote(expected)})")

    def _number(self, first: str) -> None:
        if first == "-":
            first = self._take()
            if not (first.isascii() and first.isdigit()):
                raise self._invalid(first, "in numeric literal")
        if first != "0":
            self._digits()
        if self._here() == ".":
            self._position += 1
            self._some_digits()
        if self._here() in ("e", "E"):
            self._position += 1
            if self._here() in ("+", "-"):
                self._position += 1
            self._some_digits()

    def _some_digits(self) -> None:
        before = self._position
        self._digits()
        if self._position == before:
            raise self._invalid(self._take(), "in numeric literal")

    def _digits(self) -> None:
        self._skip(_DIGITS)

    def _here(self) -> str:
        return self._text[self._position : self._position + 1]

    def _peek(self) -> str:
        self._skip(_SPACE)
        return self._here()

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._position)
        if found is not None:  # always so: each of the patterns matches the empty text
            self._position = found.end()

    def _next(self) -> str:
        self._peek()
        return self._take()

    def _take(self) -> str:
        if self._position >= len(self._text):
            raise GoJSONError("unexpected EOF")
        self._position += 1
        return self._text[self._position - 1]

    def _invalid(self, character: str, where: str) -> GoJSONError:
        return GoJSONError(f"invalid character {_quote(character)} {where}")


def _quote(character: str) -> str:
    if character == "'":
        return "'\\''"
    if character == '"':
        return "'\"'"
    if character in "\a\b\f\n\r\t\v\\":
        return {"\a": "'\\a'", "\b": "'\\b'", "\f": "'\\f'", "\v": "'\\v'"}.get(
            character, repr(character) if character != "\\" else "'\\\\'"
        )
    if character.isprintable():
        return f"'{character}'"
    number = ord(character)
    return f"'\\x{number:02x}'" if number < 0x80 else f"'\\u{number:04x}'"
