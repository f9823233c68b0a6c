"""Where in HTML, CSS or JavaScript a piece of a template's output stands.

The names in quotes are html/template's: errors show them, and derived templates are named by them.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from tocsin.gotemplate.errors import EscapeError


class _Name(Enum):
    """A part of a context. There is one object for each value, so its identity can be its hash."""

    __hash__ = object.__hash__


class State(_Name):
    """The surrounding element."""

    TEXT = "stateText"
    TAG = "stateTag"
    ATTR_NAME = "stateAttrName"
    AFTER_NAME = "stateAfterName"
    BEFORE_VALUE = "stateBeforeValue"
    HTML_COMMENT = "stateHTMLCmt"
    RCDATA = "stateRCDATA"
    ATTR = "stateAttr"
    URL = "stateURL"
    SRCSET = "stateSrcset"
    JS = "stateJS"
    JS_DOUBLE = "stateJSDqStr"
    JS_SINGLE = "stateJSSqStr"
    JS_TEMPLATE = "stateJSTmplLit"
    JS_REGEXP = "stateJSRegexp"
    JS_BLOCK_COMMENT = "stateJSBlockCmt"
    JS_LINE_COMMENT = "stateJSLineCmt"
    JS_OPEN_COMMENT = "stateJSHTMLOpenCmt"
    JS_CLOSE_COMMENT = "stateJSHTMLCloseCmt"
    CSS = "stateCSS"
    CSS_DOUBLE = "stateCSSDqStr"
    CSS_SINGLE = "stateCSSSqStr"
    CSS_DOUBLE_URL = "stateCSSDqURL"
    CSS_SINGLE_URL = "stateCSSSqURL"
    CSS_URL = "stateCSSURL"
    CSS_BLOCK_COMMENT = "stateCSSBlockCmt"
    CSS_LINE_COMMENT = "stateCSSLineCmt"
    META_CONTENT = "stateMetaContent"
    META_CONTENT_URL = "stateMetaContentURL"
    ERROR = "stateError"
    DEAD = "stateDead"


class Delim(_Name):
    """What ends the attribute's value."""

    NONE = "delimNone"
    DOUBLE = "delimDoubleQuote"
    SINGLE = "delimSingleQuote"
    SPACE = "delimSpaceOrTagEnd"


class UrlPart(_Name):
    """How far in a URL."""

    NONE = "urlPartNone"
    PRE_QUERY = "urlPartPreQuery"
    QUERY = "urlPartQueryOrFrag"
    UNKNOWN = "urlPartUnknown"


class Slash(_Name):
    """What a slash in JavaScript would begin."""

    REGEXP = "jsCtxRegexp"
    DIVISION = "jsCtxDivOp"
    UNKNOWN = "jsCtxUnknown"


class Attr(_Name):
    """What kind of value the attribute has."""

    NONE = "attrNone"
    SCRIPT = "attrScript"
    SCRIPT_TYPE = "attrScriptType"
    STYLE = "attrStyle"
    URL = "attrURL"
    SRCSET = "attrSrcset"
    META_CONTENT = "attrMetaContent"


class Element(_Name):
    """The element, where its content is no ordinary text."""

    NONE = "elementNone"
    SCRIPT = "elementScript"
    STYLE = "elementStyle"
    TEXTAREA = "elementTextarea"
    TITLE = "elementTitle"
    META = "elementMeta"


class Context(NamedTuple):
    """The context of an action. ``braces`` counts open ones in each ``${…}`` of JavaScript templates."""

    state: State = State.TEXT
    delim: Delim = Delim.NONE
    url: UrlPart = UrlPart.NONE
    slash: Slash = Slash.REGEXP
    braces: tuple[int, ...] = ()
    attr: Attr = Attr.NONE
    element: Element = Element.NONE
    error: EscapeError | None = None

    def __str__(self) -> str:
        braces = " ".join(map(str, self.braces))
        names = [part.value for part in (self.state, self.delim, self.url, self.slash)]
        return (
            f"{{{' '.join(names)} [{braces}] {self.attr.value} {self.element.value} {self.error or '<nil>'}}}"
        )

    def derived_name(self, name: str) -> str:
        """The name of the template as it is when it is called here."""
        if self.state is State.TEXT:
            return name
        parts = [f"{name}$htmltemplate", self.state.value]
        if self.delim is not Delim.NONE:
            parts.append(self.delim.value)
        if self.url is not UrlPart.NONE:
            parts.append(self.url.value)
        if self.slash is not Slash.REGEXP:
            parts.append(self.slash.value)
        if self.braces:
            parts.append(f"jsBraceDepth({list(self.braces)})")
        if self.attr is not Attr.NONE:
            parts.append(self.attr.value)
        if self.element is not Element.NONE:
            parts.append(self.element.value)
        return "_".join(parts)


TEXT: Final = Context()
DEAD: Final = Context(State.DEAD)

COMMENTS: Final = frozenset(
    {
        State.HTML_COMMENT,
        State.JS_BLOCK_COMMENT,
        State.JS_LINE_COMMENT,
        State.JS_OPEN_COMMENT,
        State.JS_CLOSE_COMMENT,
        State.CSS_BLOCK_COMMENT,
        State.CSS_LINE_COMMENT,
    }
)
IN_TAG: Final = frozenset({State.TAG, State.ATTR_NAME, State.AFTER_NAME, State.BEFORE_VALUE, State.ATTR})
SCRIPT_LITERALS: Final = frozenset({State.JS_DOUBLE, State.JS_SINGLE, State.JS_TEMPLATE, State.JS_REGEXP})

VALUE_STATES: Final = {
    Attr.NONE: State.ATTR,
    Attr.SCRIPT: State.JS,
    Attr.SCRIPT_TYPE: State.ATTR,
    Attr.STYLE: State.CSS,
    Attr.URL: State.URL,
    Attr.SRCSET: State.SRCSET,
    Attr.META_CONTENT: State.META_CONTENT,
}
"""The state in which an attribute's value begins."""


def failure(code: str, message: str) -> Context:
    """The context after something that cannot be."""
    return Context(State.ERROR, error=EscapeError(message, code=code))
