"""What HTML's attributes hold, by name. Source: html/template's behaviour and HTML's index of attributes."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class Holds(Enum):
    """What an attribute's value is. UNSAFE: text, but no template may choose such an attribute by a value."""

    PLAIN = auto()
    URL = auto()
    CSS = auto()
    JS = auto()
    HTML = auto()
    SRCSET = auto()
    UNSAFE = auto()


_BY_KIND: Final = {
    Holds.PLAIN: """
        accept alt autocomplete autofocus autoplay border checked class cols colspan contenteditable
        contextmenu controls coords datetime default dir dirname disabled draggable dropzone for formtarget
        headers height hidden high hreflang id ismap kind label lang list loop low max maxlength media
        mediagroup min multiple name open optimum placeholder preload pubdate radiogroup readonly required
        reversed rows rowspan spellcheck scope scoped seamless selected shape size sizes span srclang start
        step tabindex target title width wrap
    """,
    Holds.URL: """
        action archive background cite classid codebase data formaction href icon longdesc manifest poster
        profile src usemap xmlns
    """,
    Holds.UNSAFE: """
        accept-charset async challenge charset content crossorigin defer enctype form formenctype formmethod
        formnovalidate http-equiv keytype language method novalidate pattern rel sandbox type value
    """,
    Holds.CSS: "style",
    Holds.HTML: "srcdoc",
    Holds.SRCSET: "srcset",
}
_KINDS: Final = {name: kind for kind, names in _BY_KIND.items() for name in names.split()}


def attribute_holds(name: str) -> Holds:
    """What the attribute of that lower-case name holds; unknown ones are classified by heuristics, as in
    Go."""
    if name.startswith("data-"):
        name = name[5:]
    else:
        prefix, colon, rest = name.partition(":")
        if colon:
            if prefix == "xmlns":
                return Holds.URL
            name = rest
    known = _KINDS.get(name)
    if known is not None:
        return known
    if name.startswith("on"):
        return Holds.JS
    if "src" in name or "uri" in name or "url" in name:
        return Holds.URL
    return Holds.PLAIN
