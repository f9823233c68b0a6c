"""Parses a template's text to trees: one for the text itself, and one for each ``define`` and ``block``."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Container
from typing import Final, NoReturn

from tocsin.gotemplate import numbers
from tocsin.gotemplate.errors import ParseError
from tocsin.gotemplate.lexer import Token, Tokens, tokenize
from tocsin.gotemplate.literals import quote, unquote
from tocsin.gotemplate.nodes import (
    ActionNode,
    BoolNode,
    BreakNode,
    ChainNode,
    CommandNode,
    ContinueNode,
    DotNode,
    FieldNode,
    IdentifierNode,
    IfNode,
    ListNode,
    NilNode,
    Node,
    NumberNode,
    Operand,
    PipeNode,
    RangeNode,
    StringNode,
    TemplateNode,
    TextNode,
    Tree,
    VariableNode,
    WithNode,
    blank,
)

_LINE_FEED: Final = re.compile("\n")
MAX_NESTING: Final = 100
"""Parentheses within parentheses, and blocks within blocks. (Go has 10,000.)"""

_KEYWORDS: Final = frozenset({Token.NIL, Token.DOT, *(kind for kind in Token if kind >= Token.BLOCK)})
_TERMS: Final = frozenset(
    {
        Token.BOOL,
        Token.CHARACTER,
        Token.COMPLEX,
        Token.DOT,
        Token.FIELD,
        Token.IDENTIFIER,
        Token.NUMBER,
        Token.NIL,
        Token.RAW_STRING,
        Token.STRING,
        Token.VARIABLE,
        Token.OPEN,
    }
)


def parse(name: str, text: str, functions: Container[str]) -> dict[str, Tree]:
    """The trees of the text by their names, its own under ``name``. Raises `ParseError`, and nothing else."""
    parser = _Parser(name, text, tokenize(name, text), functions)
    root = parser.document()
    parser.add(Tree(name, name, text, root))
    return parser.trees


class _Parser:
    def __init__(self, name: str, text: str, tokens: Tokens, functions: Container[str]) -> None:
        self.name = name
        self.text = text
        self.functions = functions
        self.trees: dict[str, Tree] = {}
        self.kinds = tokens.kinds
        self.positions = tokens.positions
        self.values = tokens.values
        self.spaced = tokens.spaced
        self.at = 0
        self.variables = ["$"]
        self.ranges = 0
        self.nesting = 0
        self.ends = [match.start() for match in _LINE_FEED.finditer(text)]

    # Locations and errors.

    def line(self, position: int) -> int:
        return bisect_left(self.ends, position) + 1

    def fail(self, message: str, index: int | None = None) -> NoReturn:
        index = self.at if index is None else index
        position = self.positions[index]
        raise ParseError(
            message, template=self.name, line=self.line(position), word=self.values[index] or "EOF"
        )

    def show(self, index: int) -> str:
        value = self.values[index]
        kind = self.kinds[index]
        if kind is Token.END_OF_TEXT:
            return "EOF"
        if kind in _KEYWORDS:
            return f"<{value}>"
        return f"{quote(value[:10])}..." if len(value) > 10 else quote(value)

    def unexpected(self, context: str, index: int | None = None) -> NoReturn:
        index = self.at if index is None else index
        self.fail(f"unexpected {self.show(index)} in {context}", index)

    def deeper(self) -> None:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            self.fail(f"nested more than {MAX_NESTING} deep")

    # Lists.

    def add(self, tree: Tree) -> None:
        old = self.trees.get(tree.name)
        if old is None or blank(old.root.nodes):
            self.trees[tree.name] = tree
        elif not blank(tree.root.nodes):
            self.fail(f"multiple definition of template {quote(tree.name)}")

    def document(self) -> ListNode:
        root = ListNode(0)
        while self.kinds[self.at] is not Token.END_OF_TEXT:
            if self.kinds[self.at] is Token.LEFT and self.kinds[self.at + 1] is Token.DEFINE:
                self.at += 2
                self.definition()
                continue
            start = self.at
            node = self.text_or_action()
            if isinstance(node, Token):
                self.fail(f"unexpected {{{{{node.name.lower()}}}}}", start)
            root.nodes.append(node)
        return root

    def definition(self) -> None:
        name = self.template_name("define clause")
        self.expect(Token.RIGHT, "define clause")
        self.add(Tree(name, self.name, self.text, self.separate("define clause")))

    def separate(self, context: str) -> ListNode:
        """The nodes up to ``end``, which see no variable and no loop of what is around them."""
        variables, self.variables = self.variables, ["$"]
        ranges, self.ranges = self.ranges, 0
        start = self.at
        body, end = self.items()
        if end is not Token.END:
            self.fail(f"unexpected {{{{else}}}} in {context}", start)
        self.variables = variables
        self.ranges = ranges
        return body

    def items(self) -> tuple[ListNode, Token]:
        """Nodes up to ``end`` or ``else``, and which of them it was."""
        body = ListNode(self.positions[self.at])
        nodes = body.nodes
        while True:
            if self.kinds[self.at] is Token.END_OF_TEXT:
                self.fail("unexpected EOF")
            node = self.text_or_action()
            if isinstance(node, Token):
                return body, node
            nodes.append(node)

    def text_or_action(self) -> Node | Token:
        at = self.at
        kind = self.kinds[at]
        if kind is Token.TEXT:
            self.at = at + 1
            return TextNode(self.positions[at], self.values[at])
        if kind is not Token.LEFT:
            self.unexpected("input")
        at += 1
        self.at = at
        kind = self.kinds[at]
        position = self.positions[at]
        if kind < Token.BLOCK:
            line = self.line(position)
            return ActionNode(position, line, self.pipeline("command", Token.RIGHT))
        self.at = at + 1
        return self.keyword(kind, position)

    def keyword(self, kind: Token, position: int) -> Node | Token:
        if kind is Token.IF or kind is Token.WITH or kind is Token.RANGE:
            return self.control(kind)
        if kind is Token.ELSE:
            if self.kinds[self.at] not in (Token.IF, Token.WITH):
                self.expect(Token.RIGHT, "else")
            return kind
        if kind is Token.END:
            self.expect(Token.RIGHT, "end")
            return kind
        if kind is Token.TEMPLATE:
            return self.template()
        if kind is Token.BLOCK:
            return self.block()
        if kind is Token.DEFINE:
            self.unexpected("command", self.at - 1)
        word = f"{{{{{kind.name.lower()}}}}}"
        self.expect(Token.RIGHT, word)
        if not self.ranges:
            self.fail(f"{word} outside {{{{range}}}}", self.at - 1)
        line = self.line(position)
        return BreakNode(position, line) if kind is Token.BREAK else ContinueNode(position, line)

    def control(self, kind: Token) -> Node:
        """``if``, ``with`` and ``range``: the word is past."""
        self.deeper()
        visible = len(self.variables)
        pipe = self.pipeline(kind.name.lower(), Token.RIGHT)
        looping = kind is Token.RANGE
        self.ranges += looping
        body, end = self.items()
        self.ranges -= looping
        otherwise: ListNode | None = None
        if end is Token.ELSE:
            if not looping and self.kinds[self.at] is kind:
                # What follows ends with the one `end` for both.
                otherwise = ListNode(self.positions[self.at])
                self.at += 1
                otherwise.nodes.append(self.control(kind))
            else:
                otherwise, end = self.items()
                if end is not Token.END:
                    self.fail("expected end; found {{else}}", self.at - 1)
        del self.variables[visible:]
        self.nesting -= 1
        node = RangeNode if looping else IfNode if kind is Token.IF else WithNode
        return node(pipe.position, pipe.line, pipe, body, otherwise)

    def template(self) -> Node:
        position = self.positions[self.at]
        name = self.template_name("template clause")
        pipe = None
        if self.kinds[self.at] is Token.RIGHT:
            self.at += 1
        else:
            pipe = self.pipeline("template clause", Token.RIGHT)
        return TemplateNode(position, self.line(position), name, pipe)

    def block(self) -> Node:
        self.deeper()
        position = self.positions[self.at]
        name = self.template_name("block clause")
        pipe = self.pipeline("block clause", Token.RIGHT)
        self.add(Tree(name, self.name, self.text, self.separate("block clause")))
        self.nesting -= 1
        return TemplateNode(position, self.line(position), name, pipe)

    def template_name(self, context: str) -> str:
        if self.kinds[self.at] not in (Token.STRING, Token.RAW_STRING):
            self.unexpected(context)
        name = self.unquoted(self.at)
        self.at += 1
        return name

    def unquoted(self, index: int) -> str:
        try:
            return unquote(self.values[index])
        except ValueError as error:
            self.fail(str(error), index)

    def expect(self, kind: Token, context: str) -> None:
        if self.kinds[self.at] is not kind:
            self.unexpected(context)
        self.at += 1

    # Pipelines.

    def pipeline(self, context: str, end: Token) -> PipeNode:
        """A pipeline and the token that ends it."""
        kinds = self.kinds
        position = self.positions[self.at]
        pipe = PipeNode(position, self.line(position))
        if kinds[self.at] is Token.VARIABLE:
            self.declarations(pipe, context)
        commands = pipe.commands
        while True:
            kind = kinds[self.at]
            if kind is end:
                break
            if kind not in _TERMS:
                self.unexpected(context)
            commands.append(self.command())
        if not commands:
            self.fail(f"missing value for {context}")
        for index in range(1, len(commands)):
            if isinstance(commands[index].args[0], (BoolNode, DotNode, NilNode, NumberNode, StringNode)):
                self.fail(f"non executable command in pipeline stage {index + 1}")
        self.at += 1
        return pipe

    def declarations(self, pipe: PipeNode, context: str) -> None:
        while self.kinds[self.at] is Token.VARIABLE:
            following = self.kinds[self.at + 1]
            comma = following is Token.CHAR and self.values[self.at + 1] == ","
            if not comma and following not in (Token.ASSIGN, Token.DECLARE):
                return
            name = self.values[self.at]
            pipe.variables.append(VariableNode(self.positions[self.at], [name]))
            self.variables.append(name)
            self.at += 2
            if not comma:
                pipe.assign = following is Token.ASSIGN
                return
            if context != "range" or len(pipe.variables) > 1:
                self.fail(f"too many declarations in {context}")
            if self.kinds[self.at] not in (Token.VARIABLE, Token.RIGHT, Token.CLOSE):
                self.fail("range can only initialize variables")

    def command(self) -> CommandNode:
        """A command, and the ``|`` behind it if there is one."""
        kinds = self.kinds
        command = CommandNode(self.positions[self.at])
        args = command.args
        while True:
            args.append(self.operand())
            kind = kinds[self.at]
            if kind is Token.RIGHT or kind is Token.CLOSE:
                return command
            if kind is Token.PIPE:
                self.at += 1
                return command
            if kind not in _TERMS or not self.spaced[self.at]:
                self.unexpected("operand")

    def operand(self) -> Operand:
        """A term and the fields behind it."""
        kinds = self.kinds
        node = self.term()
        at = self.at
        if kinds[at] is not Token.FIELD or self.spaced[at]:
            return node
        position = self.positions[at]
        names: list[str] = []
        while kinds[at] is Token.FIELD and not self.spaced[at]:
            names.append(self.values[at][1:])
            at += 1
        if isinstance(node, (FieldNode, VariableNode)):
            node.position = position
            node.names.extend(names)
        elif isinstance(node, (PipeNode, IdentifierNode)):
            node = ChainNode(position, node, names)
        else:
            self.fail(f"unexpected . after term {quote(node.text)}")
        self.at = at
        return node

    def term(self) -> Operand:
        at = self.at
        kind = self.kinds[at]
        position = self.positions[at]
        value = self.values[at]
        self.at = at + 1
        if kind is Token.FIELD:
            return FieldNode(position, [value[1:]])
        if kind is Token.IDENTIFIER:
            if value not in self.functions:
                self.fail(f"function {quote(value)} not defined", at)
            return IdentifierNode(position, value)
        if kind is Token.STRING or kind is Token.RAW_STRING:
            return StringNode(position, value, self.unquoted(at))
        if kind is Token.VARIABLE:
            if value not in self.variables:
                self.fail(f"undefined variable {quote(value)}", at)
            return VariableNode(position, [value])
        if kind is Token.DOT:
            return DotNode(position)
        if kind is Token.OPEN:
            self.deeper()
            pipe = self.pipeline("parenthesized pipeline", Token.CLOSE)
            self.nesting -= 1
            return pipe
        if kind is Token.BOOL:
            return BoolNode(position, value == "true")
        if kind is Token.NIL:
            return NilNode(position)
        try:
            if kind is Token.NUMBER:
                return numbers.number(position, value)
            if kind is Token.CHARACTER:
                return numbers.character(position, value)
            return numbers.complex_number(position, value)
        except ValueError as error:
            self.fail(str(error), at)
