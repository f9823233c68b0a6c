"""One execution of a template, and the locations in templates that errors report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from tocsin.gotemplate.bounds import Budget
from tocsin.gotemplate.errors import BoundError, ExecError
from tocsin.gotemplate.fmt import sprint
from tocsin.gotemplate.nodes import Operand, PipeNode, TemplateNode, Tree
from tocsin.gotemplate.values import Func, Map, Pointer, Slice, Value, byte_length, type_name, type_of


class _Mark:
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.name}>"


DONE: Final = _Mark("done")
"""The value of a statement that has written its output itself, or has none."""
BREAK: Final = _Mark("break")
CONTINUE: Final = _Mark("continue")
ABSENT: Final = _Mark("absent")
"""The value of a missing key of a map, by default; any field of it is absent too."""
NIL: Final = _Mark("nil interface")
"""Dot or a loop's variable if the element is a nil interface: unlike what is absent, it has no fields."""


class Execution:
    """What the closures of the compiler share while a template is rendered."""

    __slots__ = ("append", "budget", "depth", "measured", "parts", "size", "trees")

    def __init__(self, trees: Mapping[str, Tree], budget: Budget) -> None:
        self.trees = trees
        self.budget = budget
        self.parts: list[str] = []
        self.append = self.parts.append
        self.depth = 0
        self.measured = 0
        self.size = 0

    def check(self) -> None:
        """Check that steps, time and output are within their bounds. Raises `BoundError`."""
        self.budget.check()
        self.measure()

    def measure(self) -> None:
        """Count the characters of output since the last call. Raises `BoundError`."""
        parts = self.parts
        count = len(parts)
        self.size += sum(map(len, parts[self.measured : count]))
        self.measured = count
        self.budget.check_output(self.size)

    def output(self) -> str:
        """The output. Raises `BoundError` if it is too long."""
        self.measure()
        text = "".join(self.parts)
        self.budget.check_output(byte_length(text))
        return text


Closure: TypeAlias = Callable[[Value, list[Value], Execution], Value]
"""A compiled expression or statement: takes dot, the variables and the execution, returns a value."""


_LONGEST_WORD: Final = 200


class Site:
    """A node of a tree, for errors."""

    __slots__ = ("node", "tree")

    def __init__(self, tree: Tree, node: Operand | TemplateNode | PipeNode) -> None:
        self.tree = tree
        self.node = node

    def error(self, message: str) -> ExecError:
        """The error at this location."""
        error = ExecError(message)
        self.fill(error)
        return error

    def fill(self, error: ExecError) -> None:
        """Set an error's location, unless it has one."""
        if error.executing is None:
            error.executing = self.tree.name
            error.template = self.tree.source_name
            error.line, error.column = self.tree.location(self.node.position)
            word = self.node.text
            error.word = word if len(word) <= _LONGEST_WORD else f"{word[:_LONGEST_WORD]}..."

    def bound(self, error: BoundError) -> BoundError:
        """The same error, with its location."""
        self.fill(error)
        return error


def truth(value: Value) -> bool:
    """Whether ``if`` treats the value as true: it is neither zero nor empty; a struct is always true."""
    if value is None or value is NIL:
        return False
    if isinstance(value, (int, str, float, complex, bytes)):
        return bool(value)
    if isinstance(value, (Slice, Map)):
        return bool(value.items)
    if isinstance(value, Pointer):
        return value.target is not None
    return not (isinstance(value, Func) and value.impl is None)


def printable(value: Value) -> Value:
    """What is printed of a value: what a pointer points to, and ``<no value>`` for nothing."""
    while value.__class__ is Pointer and value.target is not None:
        methods = type_of(value.target).pointer_methods
        if "String" in methods or "Error" in methods:
            return value
        value = value.target
    return "<no value>" if value is None or value is NIL else value


def show(site: Site, value: Value, run: Execution) -> str:
    """What an action prints of a value."""
    kind = value.__class__
    if kind is int:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    value = printable(value)
    if value.__class__ is Func:
        raise site.error(f"can't print {site.node.text} of type {type_name(value)}")
    try:
        return sprint(run.budget, (value,))
    except BoundError as error:
        raise site.bound(error) from None
