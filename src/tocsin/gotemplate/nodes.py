"""The syntax tree of a template. The parser makes it, html/ edits it, the compiler makes closures of it.

Nodes may be changed until the template was executed for the first time; `copy` makes one that shares nothing.
``text`` of a node is what an error shows as the word at fault; ``position`` is the offset in the template's
text (of characters), from which `Tree.location` makes line and column.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import field
from typing import Any, TypeAlias

from tocsin.dataclass import dataclass
from tocsin.gotemplate.literals import quote

_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


@dataclass(slots=True)
class TextNode:
    """Text as it stands."""

    position: int
    text: str


@dataclass(slots=True)
class DotNode:
    """``.``"""

    position: int

    @property
    def text(self) -> str:
        """As it is written."""
        return "."


@dataclass(slots=True)
class NilNode:
    """``nil``"""

    position: int

    @property
    def text(self) -> str:
        """As it is written."""
        return "nil"


@dataclass(slots=True)
class BoolNode:
    """``true`` or ``false``."""

    position: int
    value: bool

    @property
    def text(self) -> str:
        """As it is written."""
        return "true" if self.value else "false"


@dataclass(slots=True)
class NumberNode:
    """A number or character constant, with its value as each type; None for types it does not fit."""

    position: int
    text: str
    as_int: int | None = None
    as_uint: int | None = None
    as_float: float | None = None
    as_complex: complex | None = None


@dataclass(slots=True)
class StringNode:
    """A string constant: as written, and its value."""

    position: int
    text: str
    value: str


@dataclass(slots=True)
class FieldNode:
    """``.A.B``: fields, keys or methods of dot, one after another."""

    position: int
    names: list[str]

    @property
    def text(self) -> str:
        """As it is written."""
        return "".join(f".{name}" for name in self.names)


@dataclass(slots=True)
class VariableNode:
    """``$x.A.B``: ``names[0]`` is ``$x``."""

    position: int
    names: list[str]

    @property
    def text(self) -> str:
        """As it is written."""
        return ".".join(self.names)


@dataclass(slots=True)
class IdentifierNode:
    """The name of a function."""

    position: int
    name: str

    @property
    def text(self) -> str:
        """As it is written."""
        return self.name


@dataclass(slots=True)
class ChainNode:
    """``(pipeline).A.B``: fields of what an operand gives."""

    position: int
    node: Operand
    names: list[str]

    @property
    def text(self) -> str:
        """As it is written."""
        inner = f"({self.node.text})" if isinstance(self.node, PipeNode) else self.node.text
        return inner + "".join(f".{name}" for name in self.names)


@dataclass(slots=True)
class CommandNode:
    """``f a b``: an operand, and arguments if it is a function or method."""

    position: int
    args: list[Operand] = field(default_factory=list)

    @property
    def text(self) -> str:
        """As it is written, blanks aside."""
        return " ".join(f"({arg.text})" if isinstance(arg, PipeNode) else arg.text for arg in self.args)


@dataclass(slots=True)
class PipeNode:
    """``$x, $y := command | command``. ``assign``: ``=`` instead of ``:=``."""

    position: int
    line: int
    assign: bool = False
    variables: list[VariableNode] = field(default_factory=list)
    commands: list[CommandNode] = field(default_factory=list)

    @property
    def text(self) -> str:
        """As it is written, blanks aside."""
        pipeline = " | ".join(command.text for command in self.commands)
        if not self.variables:
            return pipeline
        sign = "=" if self.assign else ":="
        return f"{', '.join(variable.text for variable in self.variables)} {sign} {pipeline}"


@dataclass(slots=True)
class ListNode:
    """Nodes that are rendered one after another."""

    position: int
    nodes: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class ActionNode:
    """``{{ pipeline }}``: printed, unless it sets variables."""

    position: int
    line: int
    pipe: PipeNode

    @property
    def text(self) -> str:
        """As it is written, blanks aside."""
        return f"{{{{{self.pipe.text}}}}}"


@dataclass(slots=True)
class IfNode:
    """``{{ if pipeline }} … {{ else }} … {{ end }}``; ``else if`` is an IfNode alone in ``otherwise``."""

    position: int
    line: int
    pipe: PipeNode
    body: ListNode
    otherwise: ListNode | None = None


@dataclass(slots=True)
class WithNode:
    """``{{ with pipeline }} … {{ else }} … {{ end }}``."""

    position: int
    line: int
    pipe: PipeNode
    body: ListNode
    otherwise: ListNode | None = None


@dataclass(slots=True)
class RangeNode:
    """``{{ range pipeline }} … {{ else }} … {{ end }}``."""

    position: int
    line: int
    pipe: PipeNode
    body: ListNode
    otherwise: ListNode | None = None


@dataclass(slots=True)
class BreakNode:
    """``{{ break }}``"""

    position: int
    line: int


@dataclass(slots=True)
class ContinueNode:
    """``{{ continue }}``"""

    position: int
    line: int


@dataclass(slots=True)
class TemplateNode:
    """``{{ template "name" pipeline }}``."""

    position: int
    line: int
    name: str
    pipe: PipeNode | None = None

    @property
    def text(self) -> str:
        """As it is written, blanks aside."""
        pipe = f" {self.pipe.text}" if self.pipe is not None else ""
        return f"{{{{template {quote(self.name)}{pipe}}}}}"


Operand: TypeAlias = (
    DotNode
    | NilNode
    | BoolNode
    | NumberNode
    | StringNode
    | FieldNode
    | VariableNode
    | IdentifierNode
    | ChainNode
    | PipeNode
)
Node: TypeAlias = (
    TextNode | ActionNode | IfNode | WithNode | RangeNode | BreakNode | ContinueNode | TemplateNode | ListNode
)


@dataclass(slots=True)
class Tree:
    """One template: its name, what it was parsed from, and what it says."""

    name: str
    source_name: str
    """The template in whose text this was: a ``define`` has its own name, but its file's text."""
    source: str
    root: ListNode
    code: Any = field(default=None, compare=False, repr=False)
    """Its compiled code."""

    def location(self, position: int) -> tuple[int, int]:
        """Line, from 1, and column in bytes, from 0, as Go's errors show them."""
        before = self.source[:position]
        start = before.rfind("\n") + 1
        column = len(before[start:].encode("utf-8", "surrogateescape"))
        return before.count("\n") + 1, column

    def copy(self) -> Tree:
        """A tree that shares no node with this one."""
        return Tree(self.name, self.source_name, self.source, deepcopy(self.root))


def blank(nodes: Sequence[Node]) -> bool:
    """Whether there is nothing but white space: such a redefinition does not replace a template."""
    for node in nodes:
        if isinstance(node, ListNode):
            if not blank(node.nodes):
                return False
        elif not isinstance(node, TextNode) or node.text.strip(_SPACE):
            return False
    return True
