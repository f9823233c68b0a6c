"""Go's text/template and html/template: what Go renders, byte by byte, with bounds.

Nothing of Tocsin is needed. `TemplateSet` parses and executes; `values` says what Go's values are here;
`Budget` bounds an execution. Source: the documentation of Go's text/template, html/template and fmt, and
what Go does.
"""

from __future__ import annotations

from tocsin.gotemplate.bounds import Bounds, Budget
from tocsin.gotemplate.errors import BoundError, EscapeError, ExecError, ParseError, TemplateError
from tocsin.gotemplate.templates import TemplateSet

__all__ = [
    "BoundError",
    "Bounds",
    "Budget",
    "EscapeError",
    "ExecError",
    "ParseError",
    "TemplateError",
    "TemplateSet",
]
