"""Strings that the author of a template vouches for: in their own context they are not escaped."""

from __future__ import annotations

from typing import ClassVar

from tocsin.gotemplate.values import Kind, Type, basic


class HTML(str):
    """template.HTML: a piece of HTML."""

    go_type: ClassVar[Type] = basic(Kind.STRING, "template.HTML")


class HTMLAttr(str):
    """template.HTMLAttr: an attribute with its value."""

    go_type: ClassVar[Type] = basic(Kind.STRING, "template.HTMLAttr")


class CSS(str):
    """template.CSS: a value, declaration or rule."""

    go_type: ClassVar[Type] = basic(Kind.STRING, "template.CSS")


class JS(str):
    """template.JS: an expression of JavaScript."""

    go_type: ClassVar[Type] = basic(Kind.STRING, "template.JS")


class JSStr(str):
    """template.JSStr: what may stand between the quotation marks of a JavaScript string."""

    go_type: ClassVar[Type] = basic(Kind.STRING, "template.JSStr")


class URL(str):
    """template.URL: a URL or a part of one."""

    go_type: ClassVar[Type] = basic(Kind.STRING, "template.URL")


class Srcset(str):
    """template.Srcset: the value of a srcset attribute."""

    go_type: ClassVar[Type] = basic(Kind.STRING, "template.Srcset")


SAFE_TYPES: tuple[type[str], ...] = (HTML, HTMLAttr, CSS, JS, JSStr, URL, Srcset)

for _class in SAFE_TYPES:
    _class.go_type.make = _class  # type: ignore[attr-defined]
