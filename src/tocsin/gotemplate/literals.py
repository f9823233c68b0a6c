"""Go's constants as they are written in a template: strings, characters, numbers."""

from __future__ import annotations

import re
from typing import Final

from tocsin.gotemplate.values import from_bytes

_SIMPLE: Final = {
    "a": 7,
    "b": 8,
    "f": 12,
    "n": 10,
    "r": 13,
    "t": 9,
    "v": 11,
    "\\": 92,
}
_SHORT: Final = {7: "\\a", 8: "\\b", 12: "\\f", 10: "\\n", 13: "\\r", 9: "\\t", 11: "\\v", 92: "\\\\"}


def printable(char: str) -> bool:
    return char == " " or (char.isprintable() and not char.isspace())


def quote(text: str, mark: str = '"', *, ascii_only: bool = False) -> str:
    """The string as Go's strconv.Quote writes it (``mark`` ``'`` for a character)."""
    if text.isascii() and text.isprintable() and "\\" not in text and mark not in text:
        return mark + text + mark
    out = [mark]
    for char in text:
        code = ord(char)
        if char == mark:
            out.append("\\" + mark)
        elif code in _SHORT:
            out.append(_SHORT[code])
        elif 0xDC80 <= code <= 0xDCFF:
            out.append(f"\\x{code - 0xDC00:02x}")
        elif code < 0x20 or code == 0x7F:
            out.append(f"\\x{code:02x}")
        elif code < 0x7F or (not ascii_only and printable(char)):
            out.append(char)
        elif code < 0x10000:
            out.append(f"\\u{code:04x}")
        else:
            out.append(f"\\U{code:08x}")
    out.append(mark)
    return "".join(out)


_ESCAPE: Final = re.compile(
    r"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))|\\|[^\\]+",
    re.DOTALL,
)


def unquote(text: str) -> str:
    """The value of a string constant with its quotation marks. Raises ValueError for an invalid one."""
    mark = text[:1]
    if len(text) < 2 or text[-1] != mark or mark not in '"`':
        raise ValueError("invalid syntax")
    body = text[1:-1]
    if mark == "`":
        if "`" in body:
            raise ValueError("invalid syntax")
        return body.replace("\r", "")
    if "\\" not in body:
        if '"' in body or "\n" in body:
            raise ValueError("invalid syntax")
        return body
    return from_bytes(b"".join(_pieces(body, '"')))


def unquote_char(text: str) -> int:
    """The value of a character constant with its quotation marks. Raises ValueError for an invalid one."""
    if len(text) < 3 or text[0] != "'" or text[-1] != "'":
        raise ValueError("invalid syntax")
    body = text[1:-1]
    if len(body) == 1:
        if body in "'\n\\":
            raise ValueError("invalid syntax")
        return 0xFFFD if "\udc80" <= body <= "\udcff" else ord(body)
    match = _ESCAPE.fullmatch(body)
    if match is None or body[0] != "\\" or len(body) == 1 or body[1] == '"':
        raise ValueError("invalid syntax")
    simple, byte, short, long, octal = match.groups()
    if simple is not None:
        return _SIMPLE.get(simple, ord(simple))
    code = int(octal, 8) if octal is not None else int(byte or short or long, 16)
    if (octal is not None and code > 255) or (not byte and not octal and not _is_rune(code)):
        raise ValueError("invalid syntax")
    return code


def _is_rune(code: int) -> bool:
    return code < 0xD800 or 0xE000 <= code <= 0x10FFFF


def _pieces(body: str, mark: str) -> list[bytes]:
    pieces: list[bytes] = []
    for match in _ESCAPE.finditer(body):
        simple, byte, short, long, octal = match.groups()
        if simple is not None:
            if simple == "'":
                raise ValueError("invalid syntax")
            pieces.append(bytes([_SIMPLE.get(simple, ord(simple))]))
        elif byte is not None:
            pieces.append(bytes([int(byte, 16)]))
        elif octal is not None:
            if int(octal, 8) > 255:
                raise ValueError("invalid syntax")
            pieces.append(bytes([int(octal, 8)]))
        elif short is not None or long is not None:
            code = int(short or long, 16)
            if not _is_rune(code):
                raise ValueError("invalid syntax")
            pieces.append(chr(code).encode())
        else:
            plain = match.group()
            if plain == "\\" or mark in plain or "\n" in plain:
                raise ValueError("invalid syntax")
            pieces.append(plain.encode("utf-8", "surrogateescape"))
    return pieces
