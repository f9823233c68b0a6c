"""CSS: how text moves through it, and the decoding of its escapes."""

from __future__ import annotations

import re
from typing import Final

from tocsin.gotemplate.html.context import Context, State, UrlPart, failure
from tocsin.gotemplate.literals import quote

_SPACE: Final = "\t\n\f\r "
_MARK: Final = re.compile(r"""[("'/]""")
_ESCAPE: Final = re.compile(r"\\(?:([0-9a-fA-F]{1,6})(\r\n|[\t\n\f\r ])?|(.)|\Z)", re.DOTALL)
_NAME_CHAR: Final = re.compile("[0-9A-Za-z_\x80-\U0010ffff-]")
_BREAKS: Final = re.compile(r"[\n\f\r]")
_ENDS: Final = {
    State.CSS_DOUBLE: re.compile(r'[\\"]'),
    State.CSS_DOUBLE_URL: re.compile(r'[\\"]'),
    State.CSS_SINGLE: re.compile(r"[\\']"),
    State.CSS_SINGLE_URL: re.compile(r"[\\']"),
    State.CSS_URL: re.compile(r"[\\\t\n\f\r )]"),
}


def decode_css(text: str) -> str:
    """The text with CSS's escapes replaced by what they stand for."""
    return _ESCAPE.sub(_decoded, text) if "\\" in text else text


def _decoded(match: re.Match[str]) -> str:
    digits, space, char = match.groups()
    if digits is None:
        return char or ""
    code, rest = int(digits, 16), space or ""
    if code <= 0x10FFFF:
        return chr(code) if not 0xD800 <= code <= 0xDFFF else "\ufffd"
    # Six digits that are too much: the last of them stands for itself.
    return chr(code // 16) + digits[-1] + rest


def move_url(context: Context, text: str) -> Context:
    """The context behind that part of a URL."""
    if "#" in text or "?" in text:
        return context._replace(url=UrlPart.QUERY)
    if context.url is UrlPart.NONE and text.strip(" \t\n\f\r"):
        return context._replace(url=UrlPart.PRE_QUERY)
    return context


def in_css(context: Context, text: str, start: int, end: int) -> tuple[Context, int]:
    """Through a style sheet, up to the next string, URL or comment."""
    at = start
    while True:
        match = _MARK.search(text, at, end)
        if match is None:
            return context, end
        at = match.start()
        mark = text[at]
        if mark == "(" and _ends_with_url(text, start, at):
            return _url(context, text, at + 1, end)
        if mark == '"':
            return context._replace(state=State.CSS_DOUBLE), at + 1
        if mark == "'":
            return context._replace(state=State.CSS_SINGLE), at + 1
        if mark == "/" and at + 1 < end:
            if text[at + 1] == "/":
                return context._replace(state=State.CSS_LINE_COMMENT), at + 2
            if text[at + 1] == "*":
                return context._replace(state=State.CSS_BLOCK_COMMENT), at + 2
        at += 1


def _url(context: Context, text: str, at: int, end: int) -> tuple[Context, int]:
    while at < end and text[at] in _SPACE:
        at += 1
    if at < end and text[at] == '"':
        return context._replace(state=State.CSS_DOUBLE_URL), at + 1
    if at < end and text[at] == "'":
        return context._replace(state=State.CSS_SINGLE_URL), at + 1
    return context._replace(state=State.CSS_URL), at


def _ends_with_url(text: str, start: int, end: int) -> bool:
    """Whether ``text[start:end]`` ends with the identifier ``url``, and not with a longer one, blanks
    aside."""
    while end > start and text[end - 1] in _SPACE:
        end -= 1
    word = end - 3
    if word < start or text[word:end].lower() != "url":
        return False
    return word == start or not _NAME_CHAR.match(text, word - 1)


def in_css_string(context: Context, text: str, start: int, end: int) -> tuple[Context, int]:
    """Through a string or URL. A string may be a URL too, so its parts are counted in both."""
    ends = _ENDS[context.state]
    at = read = start
    while True:
        match = ends.search(text, at, end)
        if match is None:
            return move_url(context, decode_css(text[at:end])), end
        stop = match.start()
        if text[stop] != "\\":
            return context._replace(state=State.CSS), stop + 1
        stop += 1
        if stop == end:
            said = quote(text[start:end])
            return failure("ErrPartialEscape", f"unfinished escape sequence in CSS string: {said}"), end
        # What was read of the last escape may have been a part of it: it is read again.
        context = move_url(context, decode_css(text[read : stop + 1]))
        read, at = stop - 1, stop + 1


def in_css_block_comment(context: Context, text: str, start: int, end: int) -> tuple[Context, int]:
    """Through ``/* … */``."""
    at = text.find("*/", start, end)
    return (context, end) if at < 0 else (context._replace(state=State.CSS), at + 2)


def in_css_line_comment(context: Context, text: str, start: int, end: int) -> tuple[Context, int]:
    """Through ``// …``."""
    match = _BREAKS.search(text, start, end)
    return (context, end) if match is None else (context._replace(state=State.CSS), match.start())
