"""Rewrites templates by the analysis: escapers added to actions, comments removed, calls renamed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from tocsin.gotemplate.html.analysis import PREDEFINED, Edits
from tocsin.gotemplate.html.escapers import EVALUATE, PREFIX
from tocsin.gotemplate.nodes import (
    ActionNode,
    CommandNode,
    IdentifierNode,
    IfNode,
    ListNode,
    Node,
    PipeNode,
    RangeNode,
    TemplateNode,
    TextNode,
    Tree,
    WithNode,
)

_SAME_AS: Final = {
    f"{PREFIX}attrescaper": "html",
    f"{PREFIX}htmlescaper": "html",
    f"{PREFIX}rcdataescaper": "html",
    f"{PREFIX}urlescaper": "urlquery",
    f"{PREFIX}urlnormalizer": "urlquery",
}
"""Escapers for which a predefined function of templates is equivalent."""
_NEEDLESS: Final = {
    f"{PREFIX}commentescaper": {f"{PREFIX}attrescaper", f"{PREFIX}htmlescaper"},
    f"{PREFIX}cssescaper": {f"{PREFIX}attrescaper"},
    f"{PREFIX}jsregexpescaper": {f"{PREFIX}attrescaper"},
    f"{PREFIX}jsstrescaper": {f"{PREFIX}attrescaper"},
    f"{PREFIX}jstmpllitescaper": {f"{PREFIX}attrescaper"},
    f"{PREFIX}urlescaper": {f"{PREFIX}urlnormalizer"},
}
"""Escapers that have no effect after another one."""


class Rewriter:
    """Makes the trees of derived templates; nodes without a change are shared with the original."""

    def __init__(self, edits: Edits) -> None:
        self._edits = edits
        self._name = ""

    def tree(self, derived: str, tree: Tree) -> Tree:
        """The template as it is called by the derived name."""
        self._name = derived
        # Never the tree itself, nor its code: that may have been compiled for plain text.
        return replace(tree, root=self._list(tree.root), code=None)

    def _list(self, body: ListNode) -> ListNode:
        nodes = [self._node(node) for node in body.nodes]
        if all(new is old for new, old in zip(nodes, body.nodes, strict=True)):
            return body
        return ListNode(body.position, nodes)

    def _node(self, node: Node) -> Node:
        key = self._name, id(node)
        match node:
            case TextNode():
                text = self._edits.texts.get(key)
                return node if text is None else TextNode(node.position, text)
            case ActionNode():
                names = self._edits.actions.get(key)
                return replace(node, pipe=_with_escapers(node.pipe, names)) if names else node
            case TemplateNode():
                name = self._edits.calls.get(key)
                return node if name is None else replace(node, name=name)
            case IfNode() | WithNode() | RangeNode():
                body = self._list(node.body)
                otherwise = None if node.otherwise is None else self._list(node.otherwise)
                if body is node.body and otherwise is node.otherwise:
                    return node
                return replace(node, body=body, otherwise=otherwise)
            case ListNode():
                return self._list(node)
        return node


def rewrite(trees: Mapping[str, Tree], sources: Mapping[str, str], edits: Edits) -> dict[str, Tree]:
    """The derived templates by their names; ``sources`` maps each to the template that it is made of."""
    rewriter = Rewriter(edits)
    return {derived: rewriter.tree(derived, trees[name]) for derived, name in sources.items()}


def _identifier(command: CommandNode) -> str:
    first = command.args[0]
    return first.name if isinstance(first, IdentifierNode) else ""


def _append(commands: list[CommandNode], name: str, position: int) -> None:
    """Adds a call of the escaper, unless the last command makes it needless."""
    if not commands or name not in _NEEDLESS.get(_identifier(commands[-1]), ()):
        commands.append(CommandNode(position, [IdentifierNode(position, name)]))


def _with_escapers(pipe: PipeNode, names: Sequence[str]) -> PipeNode:
    """The pipeline with the escapers at its end; a ``html`` or ``urlquery`` there stands for its equal."""
    escapers = [PREFIX + name for name in names]
    commands = list(pipe.commands)
    own = _identifier(commands[-1]) if commands else ""
    if own in PREDEFINED:
        if len(commands) == 1 and len(commands[0].args) > 1:
            arguments = commands[0].args[1:]
            evaluate = IdentifierNode(commands[0].args[0].position, EVALUATE)
            commands = [CommandNode(commands[0].position, [evaluate, *arguments])]
            _append(commands, own, pipe.position)
        replaced = [own if _SAME_AS.get(name, name) == own else name for name in escapers]
        if replaced != escapers:
            escapers = replaced
            commands.pop()
    present = {_SAME_AS.get(_identifier(command), _identifier(command)) for command in commands}
    for name in escapers:
        if _SAME_AS.get(name, name) not in present:
            _append(commands, name, pipe.position)
    return replace(pipe, commands=commands)
