"""Go's ``html/template``: each action of a template is escaped by the context in which its output stands.

Only templates that the executed one calls are analysed, as in Go.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from tocsin.gotemplate.bounds import Budget
from tocsin.gotemplate.environment import Environment
from tocsin.gotemplate.errors import BoundError
from tocsin.gotemplate.html.analysis import Analysis
from tocsin.gotemplate.html.content import CSS, HTML, JS, URL, HTMLAttr, JSStr, Srcset
from tocsin.gotemplate.html.escapers import FUNCTIONS
from tocsin.gotemplate.html.rewrite import rewrite
from tocsin.gotemplate.nodes import Tree
from tocsin.gotemplate.templates import TemplateSet


def escape(trees: Mapping[str, Tree], name: str, budget: Budget) -> dict[str, Tree]:
    """The template and all that it calls, rewritten so that their output is safe, by their (derived) names.

    The given trees are not changed. The new ones call `FUNCTIONS`. Raises EscapeError; BoundError if
    analysing them takes too long.
    """
    analysis = Analysis(trees, budget)
    try:
        analysis.run(name)
    except RecursionError:
        raise BoundError(
            "depth", "templates nested too deep to be escaped: the bound of depth is reached"
        ) from None
    return rewrite(trees, analysis.sources, analysis.edits)


def escaped(templates: TemplateSet, name: str, budget: Budget) -> TemplateSet:
    """A set from which the template can be executed safely: it and what it calls, escaped, and nothing else.

    The given set is not changed, and its texts cannot name the functions that escape. Raises as `escape`.
    """
    made = templates.clone()
    made.trees = escape(templates.trees, name, budget)
    made.environment = _environment(templates.environment)
    return made


@lru_cache(maxsize=16)
def _environment(plain: Environment) -> Environment:
    return Environment({**plain.functions, **FUNCTIONS}, plain.missing_key)


__all__ = ["CSS", "FUNCTIONS", "HTML", "JS", "URL", "HTMLAttr", "JSStr", "Srcset", "escape", "escaped"]
