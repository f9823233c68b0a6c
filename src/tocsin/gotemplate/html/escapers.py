"""The functions that make a value safe in its context: a value of Go in, the text to be written out.

Each one is quick for a plain string that needs nothing. ``ZgotmplZ`` replaces values that cannot be made
safe.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from typing import Final

from tocsin.gotemplate.bounds import Budget
from tocsin.gotemplate.casing import to_lower
from tocsin.gotemplate.fmt import sprint
from tocsin.gotemplate.gojson import marshal
from tocsin.gotemplate.html.attributes import Holds, attribute_holds
from tocsin.gotemplate.html.content import CSS, HTML, JS, SAFE_TYPES, URL, HTMLAttr, JSStr, Srcset
from tocsin.gotemplate.html.css import decode_css
from tocsin.gotemplate.html.strip import strip_tags
from tocsin.gotemplate.values import ANY, STRING, Function, GoError, Pointer, Value, to_bytes, type_of

FAILSAFE: Final = "ZgotmplZ"
_SAFE: Final = frozenset(SAFE_TYPES)
_LARGE: Final = 1 << 16

_HTML_NORM: Final = {0: "\ufffd", 34: "&#34;", 39: "&#39;", 43: "&#43;", 60: "&lt;", 62: "&gt;"}
_HTML: Final = {**_HTML_NORM, 38: "&amp;"}
_HTML_SPECIAL: Final = re.compile("[\0\"&'+<>]")
_NOSPACE_NORM: Final = {
    **_HTML_NORM,
    **{code: f"&#{code};" for code in (*range(9, 14), 32, 61, 96)},
    **{code: f"&#x{code:x};" for code in (*range(0xFDD0, 0xFDF0), *range(0xFFF0, 0x10000))},
    **dict.fromkeys(range(0xDC80, 0xDD00), "&#xfffd;"),
    0: "&#xfffd;",
}
_NOSPACE: Final = {**_NOSPACE_NORM, 38: "&amp;"}

_JS_CONTROLS: Final = {
    **{code: f"\\u{code:04x}" for code in (*range(32), 0x2028, 0x2029)},
    9: "\\t",
    10: "\\n",
    12: "\\f",
    13: "\\r",
}
_JS_NORM: Final = {
    **_JS_CONTROLS,
    **{ord(char): f"\\u{ord(char):04x}" for char in "\"&'`+<>"},
    ord("/"): "\\/",
}
_JS_STRING: Final = {**_JS_NORM, ord("\\"): "\\\\"}
_JS_TEMPLATE: Final = {**_JS_STRING, **{ord(char): f"\\u{ord(char):04x}" for char in "${}"}}
_JS_REGEXP: Final = {
    **_JS_CONTROLS,
    **{ord(char): f"\\u{ord(char):04x}" for char in "\"&'+<>"},
    **{ord(char): f"\\{char}" for char in "$()*-./?[\\]^{|}"},
}

_CSS_SPECIAL: Final = "\0\t\n\f\r\"&'()+/:;<>\\{}"
_CSS_ESCAPED: Final = re.compile(f"[{re.escape(_CSS_SPECIAL)}]")
_CSS_UNSAFE: Final = re.compile("[\0\"'()/;@\\[\\\\\\]`{}<>]|--")
_CSS_NO_NAME: Final = re.compile(r"[^0-9A-Za-z_]")
_BARE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NAME: Final = re.compile(r"[0-9a-z]+")
_SRCSET_METADATA: Final = re.compile(r"[ \t\n\f\r0-9A-Za-z]*")
_HTML_SPACE: Final = " \t\n\f\r"
_SCRIPT_TAG: Final = re.compile(r"<(/?)script", re.IGNORECASE | re.ASCII)
_IDENTIFIER: Final = frozenset("$_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

Escaper = Callable[[Budget, Value], str]


def _indirect(value: Value) -> Value:
    """What the pointer points to, unless the pointer itself knows how to be printed."""
    while isinstance(value, Pointer) and value.target is not None:
        if value.go_type.find_method("String") or value.go_type.find_method("Error"):
            break
        value = value.target
    return value


def _plain(budget: Budget, value: Value) -> tuple[str, type[str]]:
    """The value as text, and which safe string it was (``str`` if none)."""
    if type(value) is str:
        return value, str
    while isinstance(value, Pointer) and isinstance(value.target, str):
        value = value.target
    kind = type(value)
    if kind is str or kind in _SAFE:
        return str(value), kind
    return ("" if value is None else sprint(budget, [_indirect(value)])), str


def _escape(budget: Budget, text: str, table: Mapping[int, str]) -> str:
    budget.claim(len(text))
    if len(text) <= _LARGE:
        return text.translate(table)
    # Check the budget while a large text grows.
    size = 0
    parts: list[str] = []
    for at in range(0, len(text), _LARGE):
        parts.append(text[at : at + _LARGE].translate(table))
        size += len(parts[-1])
        if size > budget.bounds.value_bytes:
            budget.claim(size)
    budget.claim(size)
    return "".join(parts)


def escape_html(budget: Budget, value: Value) -> str:
    """For the text of an element."""
    text, kind = _plain(budget, value)
    if kind is HTML or _HTML_SPECIAL.search(text) is None:
        return text
    return _escape(budget, text, _HTML)


def escape_attribute(budget: Budget, value: Value) -> str:
    """For the value of an attribute between quotation marks."""
    text, kind = _plain(budget, value)
    if kind is HTML:
        return _escape(budget, strip_tags(text), _HTML_NORM)
    return text if _HTML_SPECIAL.search(text) is None else _escape(budget, text, _HTML)


def escape_rcdata(budget: Budget, value: Value) -> str:
    """For the text of a title or textarea."""
    text, kind = _plain(budget, value)
    return _escape(budget, text, _HTML_NORM if kind is HTML else _HTML)


def escape_nospace(budget: Budget, value: Value) -> str:
    """For the value of an attribute without quotation marks."""
    text, kind = _plain(budget, value)
    if not text:
        return FAILSAFE
    if kind is HTML:
        return _escape(budget, strip_tags(text), _NOSPACE_NORM)
    return _escape(budget, text, _NOSPACE)


def filter_name(budget: Budget, value: Value) -> str:
    """For the name of an attribute: only such names pass that hold no URL, script or style."""
    text, kind = _plain(budget, value)
    if kind is HTMLAttr:
        return text
    name = to_lower(text)
    if attribute_holds(name) is not Holds.PLAIN or _NAME.fullmatch(name) is None:
        return FAILSAFE
    return name


def drop(_budget: Budget, _value: Value) -> str:
    """For comments: nothing."""
    return ""


def _is_safe_url(url: str) -> bool:
    scheme, colon, _ = url.partition(":")
    return not colon or "/" in scheme or scheme.casefold() in {"http", "https", "mailto"}


def filter_url(budget: Budget, value: Value) -> str:
    """For the beginning of a URL: one with another scheme than http, https and mailto does not pass."""
    text, kind = _plain(budget, value)
    return text if kind is URL or _is_safe_url(text) else f"#{FAILSAFE}"


class _Percent(dict[int, str]):
    """A table that encodes all but the characters that it is made with; it grows with what is asked for."""

    def __init__(self, kept: str) -> None:
        super().__init__((ord(char), char) for char in kept)

    def __missing__(self, code: int) -> str:
        encoded = "".join(f"%{octet:02x}" for octet in to_bytes(chr(code)))
        if len(self) < 4096:
            self[code] = encoded
        return encoded


_UNRESERVED: Final = string.ascii_letters + string.digits + "-._~"
_URL_ESCAPED: Final = _Percent(_UNRESERVED)
_URL_NORMALIZED: Final = _Percent(_UNRESERVED + "!#$&*+,/:;=?@[]%")


def _normalize(budget: Budget, text: str) -> str:
    """The URL with what may stand in none encoded; what is encoded already stays."""
    if "%" in text:
        budget.claim(len(text) + 2 * text.count("%"))
        text = _BARE_PERCENT.sub("%25", text)
    return _escape(budget, text, _URL_NORMALIZED)


def normalize_url(budget: Budget, value: Value) -> str:
    """For a URL up to the query: what may stand in no URL is encoded."""
    return _normalize(budget, _plain(budget, value)[0])


def escape_url(budget: Budget, value: Value) -> str:
    """For a part of a query or fragment: all is encoded that has a meaning in a URL."""
    text, kind = _plain(budget, value)
    return _normalize(budget, text) if kind is URL else _escape(budget, text, _URL_ESCAPED)


def filter_srcset(budget: Budget, value: Value) -> str:
    """For a srcset: each of its URLs is filtered, what stands behind it must be plain."""
    text, kind = _plain(budget, value)
    if kind is Srcset:
        return text
    if kind is URL:
        return _normalize(budget, text).replace(",", "%2c")
    return ",".join([_srcset_element(budget, element) for element in text.split(",")])


def _srcset_element(budget: Budget, element: str) -> str:
    rest = element.lstrip(_HTML_SPACE)
    space = element[: len(element) - len(rest)]
    stop = next((at for at, char in enumerate(rest) if char in _HTML_SPACE), len(rest))
    url, metadata = rest[:stop], rest[stop:]
    if _is_safe_url(url) and _SRCSET_METADATA.fullmatch(metadata):
        return space + _normalize(budget, url) + metadata
    return f"#{FAILSAFE}"


def escape_css(budget: Budget, value: Value) -> str:
    """For a string in CSS."""
    text = _plain(budget, value)[0]
    if len(text) > _LARGE:
        budget.claim(len(text) + 3 * sum(map(text.count, _CSS_SPECIAL)))
        budget.spend(len(text) >> 1)
    return _CSS_ESCAPED.sub(_css_escape, text)


def _css_escape(match: re.Match[str]) -> str:
    char = match[0]
    if char == "\\":
        return "\\\\"
    following = match.string[match.end() : match.end() + 1]
    # A blank ends the escape where a digit would belong to it, or a blank be swallowed by it.
    blank = " " if not following or following in "0123456789abcdefABCDEF\t\n\f\r " else ""
    return f"\\{ord(char):x}{blank}"


def filter_css_value(budget: Budget, value: Value) -> str:
    """For a value in CSS: words, numbers, colours pass; what could end the value or run a script does not."""
    text, kind = _plain(budget, value)
    if kind is CSS:
        return text
    budget.claim(len(text))
    text = decode_css(text)
    if _CSS_UNSAFE.search(text):
        return FAILSAFE
    letters = to_lower(_CSS_NO_NAME.sub("", text))
    return FAILSAFE if "expression" in letters or "mozbinding" in letters else text


def escape_js_string(budget: Budget, value: Value) -> str:
    """For a string in JavaScript."""
    text, kind = _plain(budget, value)
    return _escape(budget, text, _JS_NORM if kind is JSStr else _JS_STRING)


def escape_js_template(budget: Budget, value: Value) -> str:
    """For a template literal in JavaScript, outside of its ``${…}``."""
    return _escape(budget, _plain(budget, value)[0], _JS_TEMPLATE)


def escape_js_regexp(budget: Budget, value: Value) -> str:
    """For a regular expression in JavaScript; never empty, as ``//`` would be a comment."""
    return _escape(budget, _plain(budget, value)[0], _JS_REGEXP) or "(?:)"


def escape_js_value(budget: Budget, value: Value) -> str:
    """For a value in JavaScript: its JSON, with blanks around what would run together with its neighbours."""
    while isinstance(value, Pointer) and value.target is not None:
        if value.go_type.find_method("MarshalJSON") is not None:
            break
        value = value.target
    kind = type(value)
    if kind is JS:
        return str(value)
    if kind is JSStr:
        return f'"{value}"'
    try:
        text = marshal(budget, _said(budget, value))
    except GoError as error:
        said = _SCRIPT_TAG.sub(r"\\x3C\1script", str(error)).replace("*/", "* /").replace("<!--", "\\x3C!--")
        return f" /* {said} */null "
    if text[0] in _IDENTIFIER or text[-1] in _IDENTIFIER:
        return f" {text} "
    return text


def _said(budget: Budget, value: Value) -> Value:
    """What stands for the value in JavaScript: its String, unless it has a JSON of its own."""
    if value is None or type(value) is str:
        return value
    go_type = type_of(value)
    if go_type.find_method("MarshalJSON") is None and go_type.find_method("String") is not None:
        return sprint(budget, [value])
    return value


def evaluate(budget: Budget, *values: Value) -> str:
    """The arguments of ``html`` and ``urlquery`` as one text, before it is escaped."""
    if len(values) == 1 and type(values[0]) is str:
        return values[0]
    return sprint(budget, [_indirect(value) for value in values])


PREFIX: Final = "_html_template_"
EVALUATE: Final = "_eval_args_"
ESCAPERS: Final[dict[str, Escaper]] = {
    f"{PREFIX}attrescaper": escape_attribute,
    f"{PREFIX}commentescaper": drop,
    f"{PREFIX}cssescaper": escape_css,
    f"{PREFIX}cssvaluefilter": filter_css_value,
    f"{PREFIX}htmlnamefilter": filter_name,
    f"{PREFIX}htmlescaper": escape_html,
    f"{PREFIX}jsregexpescaper": escape_js_regexp,
    f"{PREFIX}jsstrescaper": escape_js_string,
    f"{PREFIX}jstmpllitescaper": escape_js_template,
    f"{PREFIX}jsvalescaper": escape_js_value,
    f"{PREFIX}nospaceescaper": escape_nospace,
    f"{PREFIX}rcdataescaper": escape_rcdata,
    f"{PREFIX}srcsetescaper": filter_srcset,
    f"{PREFIX}urlescaper": escape_url,
    f"{PREFIX}urlfilter": filter_url,
    f"{PREFIX}urlnormalizer": normalize_url,
}
FUNCTIONS: Final[dict[str, Function]] = {
    **{name: Function(name, (ANY,), STRING, escaper, budgeted=True) for name, escaper in ESCAPERS.items()},
    EVALUATE: Function(EVALUATE, (ANY,), STRING, evaluate, variadic=True, budgeted=True),
}
"""The same as functions of templates; only rewritten templates call them."""
