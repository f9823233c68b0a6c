"""The error that senders and the loader of a configuration get for a template."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

from tocsin.errors import UserError
from tocsin.gotemplate.errors import BoundError, TemplateError

_NO_FUNCTION: Final = re.compile(r'function "([^"]*)" not defined')
_NO_TEMPLATE: Final = re.compile(r'template "([^"]*)" not defined|no such template "([^"]*)"')
_NO_FIELD: Final = re.compile(r"can't evaluate field (\S+) in type (\S+)")


class RenderError(UserError):
    """A field could not be rendered.

    ``field`` is its place in the configuration. ``template`` is the file or the ``define`` at fault, empty
    if that is the field itself; ``line`` counts from 1. ``kind`` is ``parse``, ``escape``, ``exec`` or
    ``bound``; ``bound`` is the one that was reached: steps, depth, output, value or time. State: unchanged.
    """

    def __init__(self, field: str, error: TemplateError, hint: str = "") -> None:
        bound = error.bound if isinstance(error, BoundError) else ""
        place = field
        if error.template:
            place += f": template {error.template}"
        if error.line:
            place += f": line {error.line}"
        at = f"at <{error.word}>: " if error.word else ""
        super().__init__(f"{place}: {at}{error.message}" + (f" ({hint})" if hint else ""))
        self.field = field
        self.template = error.template
        self.line = error.line
        self.word = error.word
        self.kind = "bound" if bound else error.error_class
        self.bound = bound
        self.cause = error


def hint_of(error: TemplateError, functions: Iterable[str], templates: Iterable[str]) -> str:
    """A hint how to fix the error; empty if there is none."""
    message = error.message
    found = _NO_FUNCTION.search(message)
    if found is not None:
        return _near(found[1], functions) or "docs/templates.md lists the functions"
    found = _NO_TEMPLATE.search(message)
    if found is not None:
        near = _near(found[1] or found[2], templates)
        return near or "define it in a file that templates: names"
    found = _NO_FIELD.search(message)
    if found is not None:
        return _field_hint(found[1], found[2])
    if "unexpected EOF" in message:
        return "an {{ end }} is missing"
    if "unexpected {{end}}" in message:
        return "there is one {{ end }} too many"
    return ""


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"did you mean {near[0]}?" if near else ""


def _field_hint(name: str, go_type: str) -> str:
    if go_type == "template.Alert":
        return "within range .Alerts the dot is an alert; $ is the whole"
    if go_type in ("template.Alerts", "[]template.Alert"):
        return "an alert's fields are had within {{ range .Alerts }}"
    if go_type == "*template.Data" and name in ("Labels", "Annotations", "StartsAt", "EndsAt"):
        return f"{name} belongs to an alert: {{{{ range .Alerts }}}}, or .CommonLabels, .CommonAnnotations"
    return ""
