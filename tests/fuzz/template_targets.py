"""Targets in the templates: the parser, and what it takes executed and escaped within small bounds."""

from __future__ import annotations

from tests.fuzz.alerting_targets import text_of
from tocsin.gotemplate import Bounds, Budget, TemplateSet
from tocsin.gotemplate.html import FUNCTIONS, escape
from tocsin.gotemplate.values import ANY, ANYS, STRING, Map, Slice, map_of

BOUNDS = Bounds(steps=2000, depth=20, output_bytes=1 << 16, value_bytes=1 << 14, made_bytes=1 << 16)
DATA = Map(
    map_of(STRING, ANY), {"A": Slice(ANYS, [1, "b", None, 2.5, b"c"]), "B": "<é&>", "C": -3, "D": True}
)


def template(data: bytes) -> None:
    """A template as text."""
    made = TemplateSet()
    made.parse("t", data.decode("utf-8", "surrogateescape"))
    made.execute("t", DATA, Budget(BOUNDS))


def html_template(data: bytes) -> None:
    """A template as HTML."""
    made = TemplateSet(FUNCTIONS)
    made.parse("t", text_of(data))
    made.trees.update(escape(made.trees, "t", Budget(BOUNDS)))
    made.execute("t", DATA, Budget(BOUNDS))
