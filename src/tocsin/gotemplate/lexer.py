"""Cuts a template's text into tokens."""

from __future__ import annotations

import re
import unicodedata
from enum import IntEnum
from typing import Final

from tocsin.gotemplate.errors import ParseError


class Token(IntEnum):
    """What a token is."""

    TEXT = 1
    LEFT = 2
    RIGHT = 3
    FIELD = 4
    VARIABLE = 5
    IDENTIFIER = 6
    DOT = 7
    STRING = 8
    RAW_STRING = 9
    CHARACTER = 10
    NUMBER = 11
    COMPLEX = 12
    BOOL = 13
    NIL = 14
    OPEN = 15
    CLOSE = 16
    PIPE = 17
    DECLARE = 18
    ASSIGN = 19
    CHAR = 20
    END_OF_TEXT = 21
    BLOCK = 22
    BREAK = 23
    CONTINUE = 24
    DEFINE = 25
    ELSE = 26
    END = 27
    IF = 28
    RANGE = 29
    TEMPLATE = 30
    WITH = 31


_WORDS: Final = {
    "block": Token.BLOCK,
    "break": Token.BREAK,
    "continue": Token.CONTINUE,
    "define": Token.DEFINE,
    "else": Token.ELSE,
    "end": Token.END,
    "false": Token.BOOL,
    "if": Token.IF,
    "nil": Token.NIL,
    "range": Token.RANGE,
    "template": Token.TEMPLATE,
    "true": Token.BOOL,
    "with": Token.WITH,
}
MAX_TOKENS: Final = 100_000
"""Tokens of one text: bounds the time and the memory to parse it."""

_SPACES: Final = " \t\r\n"

_LEFT: Final = re.compile(r"\{\{(-[ \t\r\n])?(/\*)?")
_COMMENT_END: Final = re.compile(r"\*/(?:\}\}|([ \t\r\n]-\}\}))")

_NUMBER: Final = (
    r"[+-]?(?:"
    r"0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?"
    r"|0[oO][0-7_]*(?:\.[0-7_]*)?"
    r"|0[bB][01_]*(?:\.[01_]*)?"
    r"|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?"
    r")i?"
)
_TOKEN: Final = re.compile(
    r"(?P<space>[ \t\r\n]*)"
    r"(?:"
    r"(?P<FIELD>\.(?![0-9])\w+)"
    r"|(?P<RIGHT>\}\})"
    r"|(?P<IDENTIFIER>[^\W\d]\w*)"
    r"|(?P<VARIABLE>\$\w*)"
    r'|(?P<STRING>"(?:[^"\\\n]|\\[^\n])*")'
    r"|(?P<OPEN>\()|(?P<CLOSE>\))|(?P<PIPE>\|)|(?P<DECLARE>:=)|(?P<ASSIGN>=)"
    r"|(?P<NUMBER>(?=[+\-0-9]|\.[0-9])" + _NUMBER + r")"
    r"|(?P<DOT>\.)"
    r"|(?P<RAW_STRING>`[^`]*`)"
    r"|(?P<CHARACTER>'(?:[^'\\\n]|\\[^\n])*')"
    r"|(?P<CHAR>[!-~])"
    r")"
)
_SIGNED: Final = re.compile(_NUMBER)
_WORD: Final = re.compile(r"\w")
_KINDS: Final = {number: Token[name] for name, number in _TOKEN.groupindex.items() if name != "space"}
_PLAIN: Final = frozenset(
    {
        Token.OPEN,
        Token.CLOSE,
        Token.PIPE,
        Token.DECLARE,
        Token.ASSIGN,
        Token.STRING,
        Token.RAW_STRING,
        Token.CHARACTER,
    }
)
_UNFINISHED: Final = {
    '"': "unterminated quoted string",
    "`": "unterminated raw quoted string",
    "'": "unterminated character constant",
    ":": "expected :=",
}


class Tokens:
    """The tokens of a text: kinds, where they begin, what they are, and whether a blank is before each."""

    __slots__ = ("kinds", "positions", "spaced", "values")

    def __init__(self) -> None:
        self.kinds: list[Token] = []
        self.positions: list[int] = []
        self.values: list[str] = []
        self.spaced: list[bool] = []

    def add(self, kind: Token, position: int, value: str, spaced: bool) -> None:
        """Add one at the end."""
        self.kinds.append(kind)
        self.positions.append(position)
        self.values.append(value)
        self.spaced.append(spaced)


def _fail(name: str, text: str, position: int, message: str) -> ParseError:
    return ParseError(message, template=name, line=text.count("\n", 0, position) + 1)


def tokenize(name: str, text: str) -> Tokens:
    """All tokens of the text, the last one END_OF_TEXT. Raises `ParseError`."""
    tokens = Tokens()
    position = 0
    trim = False
    while True:
        left = text.find("{{", position)
        end = len(text) if left < 0 else left
        piece = text[position:end]
        match = _LEFT.match(text, left) if left >= 0 else None
        if piece:
            begin = position
            if trim:
                stripped = piece.lstrip(_SPACES)
                begin += len(piece) - len(stripped)
                piece = stripped
            if match is not None and match.group(1):
                piece = piece.rstrip(_SPACES)
            if piece:
                tokens.add(Token.TEXT, begin, piece, False)
        if match is None:
            tokens.add(Token.END_OF_TEXT, len(text), "", False)
            return tokens
        if match.group(2):
            position, trim = _comment(name, text, match.end())
        else:
            tokens.add(Token.LEFT, left, "{{", False)
            position, trim = _action(name, text, left, match.end(), tokens)


def _comment(name: str, text: str, position: int) -> tuple[int, bool]:
    end = text.find("*/", position)
    if end < 0:
        raise _fail(name, text, position, "unclosed comment")
    match = _COMMENT_END.match(text, end)
    if match is None:
        raise _fail(name, text, end, "comment ends before closing delimiter")
    return match.end(), match.group(1) is not None


def _action(name: str, text: str, left: int, position: int, tokens: Tokens) -> tuple[int, bool]:
    parentheses = 0
    kinds, positions, values, spaces = tokens.kinds, tokens.positions, tokens.values, tokens.spaced
    while True:
        match = _TOKEN.match(text, position)
        if match is None:
            rest = text[position:].lstrip(_SPACES)
            if not rest:
                raise _fail(name, text, left, "unclosed action")
            place = len(text) - len(rest)
            fault = _UNFINISHED.get(rest[0]) or f"unrecognized character in action: {describe(rest[0])}"
            raise _fail(name, text, place, fault)
        group = match.lastindex or 0
        kind = _KINDS[group]
        start, end = match.span(group)
        spaced = start > position
        value = text[start:end]
        if kind is Token.RIGHT or (kind is Token.NUMBER and spaced and text.startswith("-}}", start)):
            if parentheses:
                raise _fail(name, text, start, "unclosed left paren")
            tokens.add(Token.RIGHT, start, "}}", spaced)
            if kind is Token.RIGHT:
                return end, False
            return start + 3, True
        if kind not in _PLAIN:
            if kind is Token.NUMBER:
                kind, end = _number(name, text, start, end)
                value = text[start:end]
            elif kind is Token.CHAR:
                message = _UNFINISHED.get(value)
                if message is not None:
                    raise _fail(name, text, start, message)
            else:
                end = _word(name, text, start, end, value, kind)
                value = text[start:end]
                if kind is Token.IDENTIFIER:
                    kind = _WORDS.get(value, kind)
        elif kind is Token.OPEN:
            parentheses += 1
        elif kind is Token.CLOSE:
            parentheses -= 1
            if parentheses < 0:
                raise _fail(name, text, start, "unexpected right paren")
        kinds.append(kind)
        positions.append(start)
        values.append(value)
        spaces.append(spaced)
        if len(kinds) > MAX_TOKENS:
            raise _fail(name, text, start, f"more than {MAX_TOKENS} words: divide the template")
        position = end


def _word(name: str, text: str, start: int, end: int, value: str, kind: Token) -> int:
    """Where the word ends. Raises `ParseError` if something stands there that may not follow a word."""
    if not value.isascii():
        for offset, char in enumerate(value):
            if not (char in "_.$" or char.isalpha() or char.isdecimal()):
                if offset == 0 or kind is not Token.IDENTIFIER:
                    end = start + offset
                raise _fail(name, text, end, f"bad character {describe(char)}")
    following = text[end : end + 1]
    if following and following not in " \t\r\n.,|:)(" and not text.startswith("}}", end):
        raise _fail(name, text, end, f"bad character {describe(following)}")
    return end


def _number(name: str, text: str, start: int, end: int) -> tuple[Token, int]:
    kind = Token.NUMBER
    if _WORD.match(text, end):
        raise _fail(name, text, start, f'bad number syntax: "{text[start : end + 1]}"')
    if text[end : end + 1] in ("+", "-"):
        match = _SIGNED.match(text, end)
        after = end if match is None else match.end()
        if _WORD.match(text, after) or text[after - 1] != "i":
            raise _fail(name, text, start, f'bad number syntax: "{text[start:after]}"')
        return Token.COMPLEX, after
    return kind, end


def describe(char: str) -> str:
    """A character as errors show it: U+002D '-'."""
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return "U+FFFD"
    shown = f" '{char}'" if unicodedata.category(char)[0] in "LMNPS" else ""
    return f"U+{code:04X}{shown}"
