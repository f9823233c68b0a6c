"""A mail as Alertmanager writes it: headers in Q words (RFC 2047), parts in quoted-printable (RFC 2045), to
the byte as Go's library writes them, so that a mail of this node equals one of Alertmanager's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_PLAIN_HEADER: Final = re.compile(r"[\t\x20-\x7e]*", re.ASCII)
_PLAIN_IN_WORD: Final = frozenset(range(0x21, 0x7F)) - frozenset(b"=?_")
_WORD: Final = ("=?utf-8?q?", "?=")
_LONGEST_WORD: Final = 75 - len("".join(_WORD))
"""Characters of one encoded word (RFC 2047, section 2)."""

_LONGEST_LINE: Final = 75
"""Characters of a line of quoted-printable, without the = that continues it."""
_ESCAPED: Final = re.compile(rb"[^\t\x20-\x3c\x3e-\x7e]")
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_DOT: Final = re.compile(rb"(?m)^\.")


def to_bytes(text: str) -> bytes:
    """A rendered text as bytes; bytes that are not UTF-8 come back as they were (``surrogateescape``)."""
    return text.encode("utf-8", "surrogateescape")


def header_value(text: str) -> str:
    """A header's value: as it is, or in encoded words when it holds more than printable ASCII. Line breaks
    are encoded. Words are separated by spaces, not by folding, as in Go.
    """
    if _PLAIN_HEADER.fullmatch(text):
        return text
    words: list[str] = []
    word: list[str] = []
    length = 0
    for character in text:
        written = _in_word(character)
        if length + len(written) > _LONGEST_WORD:
            words.append("".join(word))
            word, length = [], 0
        word.append(written)
        length += len(written)
    words.append("".join(word))
    return " ".join(f"{_WORD[0]}{each}{_WORD[1]}" for each in words)


def _in_word(character: str) -> str:
    if character == " ":
        return "_"
    if ord(character) in _PLAIN_IN_WORD:
        return character
    return "".join(f"={byte:02X}" for byte in to_bytes(character))


def quoted_printable(data: bytes) -> bytes:
    """Text in quoted-printable: line ends become CRLF, lines have at most 76 characters."""
    return b"\r\n".join([_quoted_line(line) for line in _LINE_END.split(data)])


def _quoted_line(line: bytes) -> bytes:
    quoted = _ESCAPED.sub(lambda found: b"=%02X" % found[0][0], line)
    if quoted[-1:] in (b" ", b"\t"):
        quoted = quoted[:-1] + b"=%02X" % quoted[-1]
    if len(quoted) <= _LONGEST_LINE:
        return quoted
    pieces: list[bytes] = []
    at = 0
    while len(quoted) - at > _LONGEST_LINE:
        end = at + _LONGEST_LINE
        # An escape is not divided between lines.
        end -= 1 if quoted[end - 1] == _EQUALS else 2 if quoted[end - 2] == _EQUALS else 0
        pieces.append(quoted[at:end])
        at = end
    pieces.append(quoted[at:])
    return b"=\r\n".join(pieces)


_EQUALS: Final = ord("=")


def multipart(parts: Iterable[tuple[str, str]], boundary: str) -> bytes:
    """The body of a ``multipart/alternative``: each part its content type and its text."""
    body = bytearray()
    for content_type, text in parts:
        body += (
            f"--{boundary}\r\nContent-Transfer-Encoding: quoted-printable\r\n"
            f"Content-Type: {content_type}\r\n\r\n"
        ).encode()
        body += quoted_printable(to_bytes(text)) + b"\r\n"
    # With no part, the empty line that would end it stands alone.
    return bytes(body or b"\r\n") + f"--{boundary}--\r\n".encode()


def message(headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """A mail, headers already encoded."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return to_bytes(head) + b"\r\n" + body


def as_data(mail: bytes) -> bytes:
    """A mail as SMTP's DATA transmits it (RFC 5321, section 4.5.2): dots at the beginning of lines are
    doubled, and the final dot is added. Its lines must end with CRLF."""
    return _DOT.sub(b"..", mail) + b".\r\n"
