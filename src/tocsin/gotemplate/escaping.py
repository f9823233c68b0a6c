"""``html``, ``js`` and ``urlquery``: the escaping functions for templates."""

from __future__ import annotations

import re
import urllib.parse
from typing import Final

from tocsin.gotemplate.bounds import Budget
from tocsin.gotemplate.literals import printable
from tocsin.gotemplate.values import byte_length

_HTML: Final = {
    ord('"'): "&#34;",
    ord("'"): "&#39;",
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    0: "\ufffd",
}
_JS: Final = {
    "\\": "\\\\",
    "'": "\\'",
    '"': '\\"',
    "<": "\\u003C",
    ">": "\\u003E",
    "&": "\\u0026",
    "=": "\\u003D",
}
_JS_SPECIAL: Final = re.compile(r"[\\'\"<>&=\x00-\x1f\x7f-\U0010ffff]")


def escape_html(budget: Budget, text: str) -> str:
    """The text with characters that are special in HTML as references."""
    if len(text) > 256:
        budget.claim(byte_length(text) * 2)
    return text.translate(_HTML)


def _js_char(match: re.Match[str]) -> str:
    char = match.group()
    known = _JS.get(char)
    if known is not None:
        return known
    code = ord(char)
    if code < 0x20:
        return f"\\u{code:04X}"
    if 0xDC80 <= code <= 0xDCFF:
        return char
    return char if code == 0x7F or printable(char) else f"\\u{code:04X}"


def escape_js(budget: Budget, text: str) -> str:
    """The text as it may stand within a string of JavaScript."""
    if len(text) > 256:
        budget.claim(byte_length(text) * 2)
    return _JS_SPECIAL.sub(_js_char, text)


def escape_query(budget: Budget, text: str) -> str:
    """The text as it may stand in the query of a URL."""
    if len(text) > 256:
        budget.claim(byte_length(text) * 3)
    return urllib.parse.quote_plus(text, safe="", errors="surrogateescape")
