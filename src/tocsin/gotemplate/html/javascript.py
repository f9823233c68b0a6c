"""JavaScript: how text moves through it."""

from __future__ import annotations

import re
from typing import Final

from tocsin.gotemplate.casing import to_lower
from tocsin.gotemplate.html.context import Context, Slash, State, failure
from tocsin.gotemplate.literals import quote

_MARK: Final = re.compile(r"""["`'/{}<\-#]""")
_BREAKS: Final = re.compile("[\n\r\u2028\u2029]")
_TEMPLATE_MARK: Final = re.compile(r"[`\\$]")
_ENDS: Final = {
    State.JS_DOUBLE: re.compile(r'[\\"]'),
    State.JS_SINGLE: re.compile(r"[\\']"),
    State.JS_REGEXP: re.compile(r"[\\/\[\]]"),
}
_STRINGS: Final = {'"': State.JS_DOUBLE, "'": State.JS_SINGLE, "`": State.JS_TEMPLATE}
_BEFORE_REGEXP: Final = re.compile(
    r"(?<![$0-9A-Za-z_])"
    r"(?:break|case|continue|delete|do|else|finally|in|instanceof|return|throw|try|typeof|void)\Z"
)
_TYPE: Final = re.compile(
    r"|module|text/(?:javascript(?:1\.[0-5])?|ecmascript|jscript|livescript|x-(?:ecma|java)script)"
    r"|application/(?:json|ld\+json|(?:x-)?(?:ecma|java)script)"
)


def is_script_type(mime_type: str) -> bool:
    """Whether a script element of that type holds JavaScript (or JSON, which is handled alike)."""
    return _TYPE.fullmatch(to_lower(mime_type).partition(";")[0].strip()) is not None


def next_slash(text: str, before: Slash) -> Slash:
    """What a slash behind these tokens begins. The text has no strings, comments or slashes."""
    text = text.rstrip("\t\n\f\r \u2028\u2029")
    if not text:
        return before
    last = text[-1]
    if last in "+-":
        # x++ is a value; a + alone (or behind ++) awaits one.
        return Slash.REGEXP if (len(text) - len(text.rstrip(last))) % 2 else Slash.DIVISION
    if last == ".":
        return Slash.DIVISION if len(text) > 1 and text[-2] in "0123456789" else Slash.REGEXP
    if last in ",<>=*%&|^?!~([:;{}":
        return Slash.REGEXP
    return Slash.REGEXP if _BEFORE_REGEXP.search(text[-12:]) else Slash.DIVISION


def in_script(context: Context, text: str, start: int, end: int) -> tuple[Context, int]:
    """Through code, up to the next string, regular expression, comment or brace."""
    match = _MARK.search(text, start, end)
    if match is None:
        return context._replace(slash=next_slash(text[start:end], context.slash)), end
    at = match.start()
    context = context._replace(slash=next_slash(text[start:at], context.slash))
    mark = text[at]
    if mark in _STRINGS:
        return context._replace(state=_STRINGS[mark], slash=Slash.REGEXP), at + 1
    if mark == "/":
        return _slash(context, text, at, end)
    if mark in "{}":
        return _brace(context, mark), at + 1
    for opening, state in (
        ("<!--", State.JS_OPEN_COMMENT),
        ("-->", State.JS_CLOSE_COMMENT),
        ("#!", State.JS_LINE_COMMENT),
    ):
        if text.startswith(opening, at, end):
            return context._replace(state=state), at + len(opening)
    return context, at + 1


def _slash(context: Context, text: str, at: int, end: int) -> tuple[Context, int]:
    if text.startswith("//", at, end):
        return context._replace(state=State.JS_LINE_COMMENT), at + 2
    if text.startswith("/*", at, end):
        return context._replace(state=State.JS_BLOCK_COMMENT), at + 2
    if context.slash is Slash.REGEXP:
        return context._replace(state=State.JS_REGEXP), at + 1
    if context.slash is Slash.DIVISION:
        return context._replace(slash=Slash.REGEXP), at + 1
    said = quote(text[at : min(end, at + 32)])
    return failure("ErrSlashAmbig", f"'/' could start a division or regexp: {said}"), end


def _brace(context: Context, mark: str) -> Context:
    """Braces count only within ``${…}`` of a template literal: the one too many ends it."""
    if context.braces:
        *outer, depth = context.braces
        depth += 1 if mark == "{" else -1
        if depth < 0:
            return context._replace(braces=tuple(outer), state=State.JS_TEMPLATE)
        context = context._replace(braces=(*outer, depth))
    return context._replace(slash=Slash.REGEXP)


def in_template_literal(context: Context, text: str, start: int, end: int) -> tuple[Context, int]:
    """Through a template literal between backquotes."""
    at = start
    while True:
        match = _TEMPLATE_MARK.search(text, at, end)
        if match is None:
            return context, end
        at = match.start()
        if text[at] == "`":
            return context._replace(state=State.JS), at + 1
        if text[at] == "\\":
            at += 1
            if at == end:
                return _unfinished(text[start:end]), end
        elif text.startswith("${", at, end):
            return context._replace(state=State.JS, braces=(*context.braces, 0)), at + 2
        at += 1


def _unfinished(text: str) -> Context:
    return failure("ErrPartialEscape", f"unfinished escape sequence in JS string: {quote(text)}")


def in_delimited(context: Context, text: str, start: int, end: int) -> tuple[Context, int]:
    """Through a string or regular expression."""
    ends = _ENDS[context.state]
    at = start
    in_charset = False
    while True:
        match = ends.search(text, at, end)
        if match is None:
            break
        at = match.start()
        mark = text[at]
        if mark == "\\":
            at += 1
            if at == end:
                return _unfinished(text[start:end]), end
        elif mark == "[":
            in_charset = True
        elif mark == "]":
            in_charset = False
        elif mark == "/" and at > start and at + 7 <= end and text[at - 1 : at + 7].lower() == "</script":
            # It will be written as \x3C/script, which is no end of the expression.
            at += 1
        elif not in_charset:
            return context._replace(state=State.JS, slash=Slash.DIVISION), at + 1
        at += 1
    if in_charset:
        said = quote(text[start:end])
        return failure("ErrPartialCharset", f"unfinished JS regexp charset: {said}"), end
    return context, end


def in_script_block_comment(context: Context, text: str, start: int, end: int) -> tuple[Context, int]:
    """Through ``/* … */``."""
    at = text.find("*/", start, end)
    return (context, end) if at < 0 else (context._replace(state=State.JS), at + 2)


def in_script_line_comment(context: Context, text: str, start: int, end: int) -> tuple[Context, int]:
    """Through ``// …``, and what else makes the rest of a line a comment."""
    match = _BREAKS.search(text, start, end)
    return (context, end) if match is None else (context._replace(state=State.JS), match.start())
