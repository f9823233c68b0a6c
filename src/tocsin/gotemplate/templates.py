"""Sets of templates: parsing them together, looking them up, executing them."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.gotemplate.bounds import Budget
from tocsin.gotemplate.compiler import compiled
from tocsin.gotemplate.environment import Environment, MissingKey
from tocsin.gotemplate.errors import BoundError, ExecError
from tocsin.gotemplate.execution import Execution
from tocsin.gotemplate.expressions import UNSET
from tocsin.gotemplate.nodes import Tree, blank
from tocsin.gotemplate.parser import parse
from tocsin.gotemplate.values import Function, Value


class TemplateSet:
    """Templates that know each other by name (text/template).

    ``functions`` are known to all of them, beside Go's own. ``missing_key`` is Go's option ``missingkey``.
    """

    def __init__(
        self, functions: Mapping[str, Function] | None = None, *, missing_key: MissingKey = "default"
    ) -> None:
        self.environment = Environment(functions or {}, missing_key)
        self.trees: dict[str, Tree] = {}

    @property
    def functions(self) -> dict[str, Function]:
        """All functions, Go's own among them."""
        return self.environment.functions

    def parse(self, name: str, text: str) -> Tree:
        """Add the templates of a text: itself under ``name``, and each ``define`` and ``block`` in it.

        A template replaces the one that has its name, unless there is nothing in it but white space. Returns
        the tree of the text itself, to be executed whether or not it has replaced one. Raises `ParseError`,
        and then nothing is added.
        """
        trees = parse(name, text, self.environment.functions)
        for own, tree in trees.items():
            self.add(own, tree)
        return trees[name]

    def add(self, name: str, tree: Tree) -> None:
        """Add a tree under a name, unless it is blank and there is one."""
        if name not in self.trees or not blank(tree.root.nodes):
            self.trees[name] = tree

    def lookup(self, name: str) -> Tree | None:
        """The tree of that name."""
        return self.trees.get(name)

    def names(self) -> list[str]:
        """The names of all templates, sorted."""
        return sorted(self.trees)

    def clone(self, functions: Mapping[str, Function] | None = None) -> TemplateSet:
        """A set with the same templates, and with more functions if any are given.

        What is added to it is not added to this one. Trees are shared, and what was compiled of them is while
        the functions are the same.
        """
        other = TemplateSet.__new__(TemplateSet)
        other.environment = self.environment
        if functions:
            other.environment = Environment(
                {**self.environment.functions, **functions}, self.environment.missing_key
            )
        other.trees = dict(self.trees)
        return other

    def execute(self, template: str | Tree, data: Value, budget: Budget) -> str:
        """The template's output for the data. Raises `ExecError`, of which `BoundError` is one.

        The output is a string of Go's: bytes that are not UTF-8 are in it as `values` says.
        """
        tree = self.trees.get(template) if isinstance(template, str) else template
        if tree is None:
            raise ExecError(f'no template "{template}"', executing="", template=str(template))
        run = Execution(self.trees, budget)
        try:
            code = compiled(tree, self.environment)
            variables = [UNSET] * code.slots
            variables[0] = data
            code.render(data, variables, run)
            return run.output()
        except BoundError as error:
            if error.executing is None:
                error.executing = tree.name
                error.template = tree.source_name
            raise
        except RecursionError:
            raise _too_deep(tree, budget) from None


def _too_deep(tree: Tree, budget: Budget) -> BoundError:
    error = BoundError("depth", f"nested too deep: the bound of depth ({budget.bounds.depth}) is reached")
    error.executing = tree.name
    error.template = tree.source_name
    return error
