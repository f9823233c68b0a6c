"""Quoting as Go's ``strconv.Quote`` and ``strconv.Unquote`` do it, for double-quoted text only.

Group keys, matcher text and many error messages hold text in this form, and peers compare group keys byte for
byte.
"""

from __future__ import annotations

import re

_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}
_UNESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 0x5C, '"': 0x22}

_SHORT = 256
_FEW = 16
"""Characters that are escaped in a long text, up to which each is replaced at once: a text of 256 KiB, as a
label may have, then takes a millisecond and not twenty."""
_PLAIN = re.compile(r"[ !#-\[\]-~]*\Z")
_ESCAPE = re.compile(
    r'\\(?:([abfnrtv\\"])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|([^\\"\n]+)'
)


def go_quote(text: str) -> str:
    """``text`` in double quotes, with everything that is not printable escaped, as ``strconv.Quote``."""
    if _PLAIN.match(text):
        return f'"{text}"'
    if len(text) > _SHORT:
        escaped = [each for each in set(text) if each in _ESCAPES or not each.isprintable()]
        if len(escaped) <= _FEW:
            for character in sorted(escaped, key="\\".__ne__):  # The backslash first: the others bring some.
                text = text.replace(character, _quoted_character(character))
            return f'"{text}"'
    return '"' + "".join(map(_quoted_character, text)) + '"'


def _quoted_character(character: str) -> str:
    escape = _ESCAPES.get(character)
    if escape is not None:
        return escape
    if character.isprintable():
        return character
    number = ord(character)
    if number < 0x20 or number == 0x7F:
        return f"\\x{number:02x}"
    if 0xD800 <= number <= 0xDFFF:
        return "\\ufffd"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def go_unquote(quoted: str) -> str:
    """The text within ``quoted``, which includes its double quotes, as ``strconv.Unquote``.

    Raises ValueError on an unknown escape, a raw line feed, or bytes that are not UTF-8 together.
    """
    if len(quoted) < 2 or quoted[0] != '"' or quoted[-1] != '"':
        raise ValueError("invalid syntax")
    body = quoted[1:-1]
    if "\\" not in body and '"' not in body and "\n" not in body:
        return body
    result = bytearray()
    position = 0
    while position < len(body):
        found = _ESCAPE.match(body, position)
        if found is None:
            raise ValueError("invalid syntax")
        position = found.end()
        simple, octal, byte, short, long, plain = found.groups()
        if plain is not None:
            result += plain.encode("utf-8", "surrogatepass")
        elif simple is not None:
            result.append(_UNESCAPES[simple])
        elif octal is not None:
            if int(octal, 8) > 255:
                raise ValueError("invalid syntax")
            result.append(int(octal, 8))
        elif byte is not None:
            result.append(int(byte, 16))
        else:
            number = int(short or long, 16)
            if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
                raise ValueError("invalid syntax")
            result += chr(number).encode()
    try:
        return result.decode()
    except UnicodeDecodeError:
        raise ValueError("quoted string contains invalid UTF-8 code points") from None
