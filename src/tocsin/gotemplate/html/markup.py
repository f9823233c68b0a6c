"""HTML: how text moves through it. A `Walk` goes through a template's text."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Final

from tocsin.gotemplate.casing import to_lower
from tocsin.gotemplate.html import css, javascript
from tocsin.gotemplate.html.attributes import Holds, attribute_holds
from tocsin.gotemplate.html.context import (
    COMMENTS,
    SCRIPT_LITERALS,
    TEXT,
    VALUE_STATES,
    Attr,
    Context,
    Delim,
    Element,
    State,
    failure,
)
from tocsin.gotemplate.literals import quote

Transition = Callable[[Context, str, int, int], tuple[Context, int]]
"""From a context through ``text[start:end]``, as far as one step goes: the context there, and where it is."""

_SPACE: Final = re.compile(r"[ \t\n\f\r]*")
_MARKUP: Final = re.compile(r"<(?:(!--)|(/?)([A-Za-z][A-Za-z0-9]*(?:[:-][A-Za-z0-9]+)*))")
_NAME_END: Final = re.compile(r"""[ \t\n\f\r=>'"<]""")
_META_URL: Final = re.compile(r"url[ \t\n\f\r]*=", re.IGNORECASE | re.ASCII)
_UNQUOTED_END: Final = re.compile(r"[ \t\n\f\r>]")
_UNQUOTED_BAD: Final = re.compile(r"""["'<=`]""")
_ELEMENTS: Final = {
    "script": Element.SCRIPT,
    "style": Element.STYLE,
    "textarea": Element.TEXTAREA,
    "title": Element.TITLE,
    "meta": Element.META,
}
_CONTENT: Final = {
    Element.SCRIPT: State.JS,
    Element.STYLE: State.CSS,
    Element.TEXTAREA: State.RCDATA,
    Element.TITLE: State.RCDATA,
}
_END_TAGS: Final = {
    element: re.compile(rf"</{name}(?=[> \t\n\f/])", re.IGNORECASE | re.ASCII)
    for name, element in _ELEMENTS.items()
    if element is not Element.META
} | {Element.META: re.compile(r"</(?=[> \t\n\f/])")}
_ATTRS: Final = {
    Holds.URL: Attr.URL,
    Holds.CSS: Attr.STYLE,
    Holds.JS: Attr.SCRIPT,
    Holds.SRCSET: Attr.SRCSET,
}
_QUOTES: Final = {'"': Delim.DOUBLE, "'": Delim.SINGLE}
QUOTE_OF: Final = {Delim.DOUBLE: '"', Delim.SINGLE: "'"}


class Walk:
    """A walk through one text, from a context to the next. It remembers where the end tags are."""

    __slots__ = ("_closes", "end", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.end = len(text)
        self._closes: dict[Element, int] = {}

    def advance(self, context: Context, start: int) -> tuple[Context, int]:
        """One step from there: the context behind it, and where that is."""
        if context.delim is not Delim.NONE:
            return _in_value(context, self.text, start, self.end)
        end = self.end
        if context.element is not Element.NONE:
            close = self._find_close(context, start)
            if close == start:
                return TEXT, start
            end = min(end, close)
        return TRANSITIONS[context.state](context, self.text, start, end)

    def _find_close(self, context: Context, start: int) -> int:
        element = context.element
        if _ignores_end_tags(context):
            return self.end + 1
        close = self._closes.get(element, -1)
        if close < start:
            found = _find_end_tag(element, self.text, start, self.end)
            # One behind the text: there is none.
            close = self._closes[element] = self.end + 1 if found < 0 else found
        return close


def _ignores_end_tags(context: Context) -> bool:
    """In a script's strings and comments there are no end tags: they are escaped or dropped."""
    return context.element is Element.SCRIPT and (
        context.state in SCRIPT_LITERALS or context.state in COMMENTS
    )


def _find_end_tag(element: Element, text: str, start: int, end: int) -> int:
    match = _END_TAGS[element].search(text, start, end)
    return -1 if match is None else match.start()


def value_end(delim: Delim, text: str, start: int, end: int) -> int:
    """Where the attribute's value ends, or ``end``."""
    if delim is Delim.SPACE:
        match = _UNQUOTED_END.search(text, start, end)
        return end if match is None else match.start()
    found = text.find(QUOTE_OF[delim], start, end)
    return end if found < 0 else found


def _in_value(context: Context, text: str, start: int, end: int) -> tuple[Context, int]:
    stop = value_end(context.delim, text, start, end)
    if context.delim is Delim.SPACE:
        bad = _UNQUOTED_BAD.search(text, start, stop)
        if bad is not None:
            said = f"{quote(bad[0])} in unquoted attr: {quote(text[start:stop])}"
            return failure("ErrBadHTML", said), end
    if stop == end:
        # The value goes on behind an action: its language sees what the entities stand for.
        value = html.unescape(text[start:end])
        at = 0
        while at < len(value):
            context, at = TRANSITIONS[context.state](context, value, at, len(value))
        return context, end
    element = context.element
    if (
        context.state is State.ATTR
        and element is Element.SCRIPT
        and context.attr is Attr.SCRIPT_TYPE
        and not javascript.is_script_type(text[start:stop])
    ):
        element = Element.NONE
    return Context(State.TAG, element=element), stop + (context.delim is not Delim.SPACE)


def _skip_space(text: str, start: int, end: int) -> int:
    match = _SPACE.match(text, start, end)
    return match.end() if match else start


def _in_text(context: Context, text: str, start: int, end: int) -> tuple[Context, int]:
    match = _MARKUP.search(text, start, end)
    if match is None:
        return context, end
    comment, slash, name = match.groups()
    if comment:
        return Context(State.HTML_COMMENT), match.end()
    element = Element.NONE if slash else _ELEMENTS.get(name.lower(), Element.NONE)
    return Context(State.TAG, element=element), match.end()


def _in_tag(context: Context, text: str, start: int, end: int) -> tuple[Context, int]:
    start = _skip_space(text, start, end)
    if start == end:
        return context, end
    if text[start] == ">":
        state = _CONTENT.get(context.element)
        return (TEXT if state is None else Context(state, element=context.element)), start + 1
    stop = _name_end(text, start, end)
    if isinstance(stop, Context):
        return stop, end
    if stop == start:
        said = f"expected space, attr name, or end of tag, but got {quote(text[start:end])}"
        return failure("ErrBadHTML", said), end
    name = to_lower(text[start:stop])
    if context.element is Element.SCRIPT and name == "type":
        attr = Attr.SCRIPT_TYPE
    elif context.element is Element.META and name == "content":
        attr = Attr.META_CONTENT
    else:
        attr = _ATTRS.get(attribute_holds(name), Attr.NONE)
    state = State.ATTR_NAME if stop == end else State.AFTER_NAME
    return Context(state, element=context.element, attr=attr), stop


def _name_end(text: str, start: int, end: int) -> int | Context:
    match = _NAME_END.search(text, start, end)
    if match is None:
        return end
    if match[0] in "'\"<":
        said = f"{quote(match[0])} in attribute name: {quote(text[start : min(end, start + 32)])}"
        return failure("ErrBadHTML", said)
    return match.start()


def _in_attr_name(context: Context, text: str, start: int, end: int) -> tuple[Context, int]:
    stop = _name_end(text, start, end)
    if isinstance(stop, Context):
        return stop, end
    return (context if stop == end else context._replace(state=State.AFTER_NAME)), stop


def _after_name(context: Context, text: str, start: int, end: int) -> tuple[Context, int]:
    start = _skip_space(text, start, end)
    if start == end:
        return context, end
    if text[start] != "=":
        return context._replace(state=State.TAG), start
    return context._replace(state=State.BEFORE_VALUE), start + 1


def _before_value(context: Context, text: str, start: int, end: int) -> tuple[Context, int]:
    start = _skip_space(text, start, end)
    if start == end:
        return context, end
    delim = _QUOTES.get(text[start], Delim.SPACE)
    context = context._replace(state=VALUE_STATES[context.attr], delim=delim)
    return context, start + (delim is not Delim.SPACE)


def _in_html_comment(context: Context, text: str, start: int, end: int) -> tuple[Context, int]:
    found = text.find("-->", start, end)
    return (context, end) if found < 0 else (TEXT, found + 3)


def _in_rcdata(context: Context, text: str, start: int, end: int) -> tuple[Context, int]:
    if context.element is not Element.NONE and not _ignores_end_tags(context):
        close = _find_end_tag(context.element, text, start, end)
        if close >= 0:
            return TEXT, close
    return context, end


def _to_the_end(context: Context, _text: str, _start: int, end: int) -> tuple[Context, int]:
    return context, end


def _in_url(context: Context, text: str, start: int, end: int) -> tuple[Context, int]:
    return css.move_url(context, text[start:end]), end


def _in_meta_content(context: Context, text: str, start: int, end: int) -> tuple[Context, int]:
    match = _META_URL.search(text, start, end)
    return (context, end) if match is None else (context._replace(state=State.META_CONTENT_URL), match.end())


def _in_meta_url(context: Context, text: str, start: int, end: int) -> tuple[Context, int]:
    found = text.find(";", start, end)
    return (context, end) if found < 0 else (context._replace(state=State.META_CONTENT), found + 1)


TRANSITIONS: Final[dict[State, Transition]] = {
    State.TEXT: _in_text,
    State.TAG: _in_tag,
    State.ATTR_NAME: _in_attr_name,
    State.AFTER_NAME: _after_name,
    State.BEFORE_VALUE: _before_value,
    State.HTML_COMMENT: _in_html_comment,
    State.RCDATA: _in_rcdata,
    State.ATTR: _to_the_end,
    State.URL: _in_url,
    State.SRCSET: _in_url,
    State.META_CONTENT: _in_meta_content,
    State.META_CONTENT_URL: _in_meta_url,
    State.JS: javascript.in_script,
    State.JS_DOUBLE: javascript.in_delimited,
    State.JS_SINGLE: javascript.in_delimited,
    State.JS_REGEXP: javascript.in_delimited,
    State.JS_TEMPLATE: javascript.in_template_literal,
    State.JS_BLOCK_COMMENT: javascript.in_script_block_comment,
    State.JS_LINE_COMMENT: javascript.in_script_line_comment,
    State.JS_OPEN_COMMENT: javascript.in_script_line_comment,
    State.JS_CLOSE_COMMENT: javascript.in_script_line_comment,
    State.CSS: css.in_css,
    State.CSS_DOUBLE: css.in_css_string,
    State.CSS_SINGLE: css.in_css_string,
    State.CSS_DOUBLE_URL: css.in_css_string,
    State.CSS_SINGLE_URL: css.in_css_string,
    State.CSS_URL: css.in_css_string,
    State.CSS_BLOCK_COMMENT: css.in_css_block_comment,
    State.CSS_LINE_COMMENT: css.in_css_line_comment,
    State.ERROR: _to_the_end,
}
