"""Follows a template's output through its contexts and decides how each action is escaped.

A template is analysed for each context that it is called in; what is to be changed in it are `Edits`. Where
branches join, their contexts must agree. Source: html/template's documentation and behaviour (Go 1.27).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Final

from tocsin.dataclass import dataclass
from tocsin.gotemplate.bounds import Budget
from tocsin.gotemplate.errors import EscapeError
from tocsin.gotemplate.html.context import (
    COMMENTS,
    DEAD,
    TEXT,
    Context,
    Delim,
    Slash,
    State,
    UrlPart,
    failure,
)
from tocsin.gotemplate.html.joining import join, nudge
from tocsin.gotemplate.html.texts import Followed, follow_text
from tocsin.gotemplate.literals import quote
from tocsin.gotemplate.nodes import (
    ActionNode,
    BreakNode,
    ContinueNode,
    IdentifierNode,
    IfNode,
    ListNode,
    Node,
    RangeNode,
    TemplateNode,
    TextNode,
    Tree,
    WithNode,
)

PREDEFINED: Final = frozenset({"html", "urlquery"})
_URL_STATES: Final = frozenset(
    {
        State.URL,
        State.CSS_DOUBLE,
        State.CSS_SINGLE,
        State.CSS_DOUBLE_URL,
        State.CSS_SINGLE_URL,
        State.CSS_URL,
    }
)
_ESCAPER_OF: Final = {
    State.META_CONTENT_URL: "urlfilter",
    State.JS: "jsvalescaper",
    State.JS_DOUBLE: "jsstrescaper",
    State.JS_SINGLE: "jsstrescaper",
    State.JS_TEMPLATE: "jstmpllitescaper",
    State.JS_REGEXP: "jsregexpescaper",
    State.CSS: "cssvaluefilter",
    State.TEXT: "htmlescaper",
    State.RCDATA: "rcdataescaper",
    State.ATTR_NAME: "htmlnamefilter",
    State.SRCSET: "srcsetescaper",
    **dict.fromkeys(COMMENTS, "commentescaper"),
}


@dataclass(slots=True)
class Edits:
    """The changes to make, by the derived template's name and the node's identity."""

    texts: dict[tuple[str, int], str] = field(default_factory=dict)
    actions: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    calls: dict[tuple[str, int], str] = field(default_factory=dict)

    def add(self, other: Edits) -> None:
        """Takes over the other's."""
        self.texts.update(other.texts)
        self.actions.update(other.actions)
        self.calls.update(other.calls)


@dataclass(slots=True)
class _Loop:
    """The contexts in which a loop's body is left early."""

    breaks: list[tuple[Context, Node]] = field(default_factory=list)
    continues: list[tuple[Context, Node]] = field(default_factory=list)


class Analysis:
    """One template and all that it calls. ``outputs`` has the context behind each derived template."""

    def __init__(self, trees: Mapping[str, Tree], budget: Budget) -> None:
        self._trees = trees
        self._budget = budget
        self.edits = Edits()
        self.outputs: dict[str, Context] = {}
        self.sources: dict[str, str] = {}
        self._called: set[str] = set()
        self._texts: dict[tuple[Context, str], Followed] = {}
        self._loops: list[_Loop] = []
        self._name = ""
        self._tree: Tree | None = None

    def run(self, name: str) -> None:
        """Analyses the template as one that begins and ends in text. Raises EscapeError."""
        context = self._call(TEXT, name, None)
        if context.error is not None:
            raise context.error
        if context.state is not State.TEXT:
            raise EscapeError(f"ends in a non-text context: {context}", code="ErrEndContext", template=name)

    def _fail(self, code: str, message: str, node: Node | None, offset: int = 0) -> Context:
        return self._placed(failure(code, message), node, offset)

    def _placed(self, context: Context, node: Node | None, offset: int = 0) -> Context:
        """An error's context, with the location in the template."""
        error = context.error
        if error is not None and not error.line and node is not None and self._tree is not None:
            error.template = self._tree.source_name
            error.line, error.column = self._tree.location(node.position + offset)
        return context

    def _call(self, context: Context, name: str, node: TemplateNode | None) -> Context:
        """A template from this context on: the context behind it."""
        derived = context.derived_name(name)
        self._called.add(derived)
        known = self.outputs.get(derived)
        if known is not None:
            return known
        tree = self._trees.get(name)
        if tree is None:
            return self._fail("ErrNoSuchTemplate", f"no such template {quote(name)}", node)
        self.sources[derived] = name
        before = self._name, self._tree, self._loops
        self._name, self._tree, self._loops = derived, tree, []
        behind = self._template(context, derived, tree)
        self._name, self._tree, self._loops = before
        return behind

    def _template(self, context: Context, derived: str, tree: Tree) -> Context:
        """The context behind a template; if it calls itself, one that fits all of its calls."""
        behind, fits = self._body(context, derived, tree, context)
        if fits or behind.error is not None:
            return behind
        again, fits = self._body(behind, derived, tree, behind)
        if fits:
            return again
        return self._fail(
            "ErrOutputContext", f"cannot compute output context for template {derived}", tree.root
        )

    def _body(self, context: Context, derived: str, tree: Tree, assumed: Context) -> tuple[Context, bool]:
        """The context behind the body, if calls of the template itself end in the assumed one; and if so."""
        self.outputs[derived] = assumed

        def accept(trial: Analysis, behind: Context) -> bool:
            if behind.error is not None:
                return False
            return derived not in trial._called or behind == assumed

        return self._try(context, tree.root, accept)

    def _try(
        self, context: Context, body: ListNode, accept: Callable[[Analysis, Context], bool]
    ) -> tuple[Context, bool]:
        """Analyses the nodes, but keeps what came out of it only if it is accepted."""
        trial = Analysis(self._trees, self._budget)
        trial.outputs = dict(self.outputs)
        trial._texts = self._texts
        trial._loops = self._loops
        trial._name, trial._tree = self._name, self._tree
        behind = trial._list(context, body)
        accepted = accept(trial, behind)
        if accepted:
            self.edits.add(trial.edits)
            self.outputs.update(trial.outputs)
            self.sources.update(trial.sources)
            self._called |= trial._called
        return behind, accepted

    def _list(self, context: Context, body: ListNode | None) -> Context:
        for node in body.nodes if body is not None else ():
            context = self._node(context, node)
            if context.state is State.DEAD:
                break
        return context

    def _node(self, context: Context, node: Node) -> Context:
        self._budget.spend()
        match node:
            case TextNode():
                return self._text(context, node)
            case ActionNode():
                return self._action(context, node)
            case IfNode():
                return join(
                    self._list(context, node.body), self._list(context, node.otherwise), "if", self._at(node)
                )
            case WithNode():
                body = self._list(context, node.body)
                return join(body, self._list(context, node.otherwise), "with", self._at(node))
            case RangeNode():
                return self._range(context, node)
            case TemplateNode():
                behind = self._call(context, node.name, node)
                derived = context.derived_name(node.name)
                if derived != node.name:
                    self.edits.calls[self._name, id(node)] = derived
                return behind
            case BreakNode():
                self._loops[-1].breaks.append((context, node))
                return DEAD
            case ContinueNode():
                self._loops[-1].continues.append((context, node))
                return DEAD
            case ListNode():
                return self._list(context, node)

    def _at(self, node: Node) -> Callable[[Context], Context]:
        return lambda context: self._placed(context, node)

    def _range(self, context: Context, node: RangeNode) -> Context:
        """A loop: its body runs from the context before it, and from its own end."""
        self._loops.append(_Loop())
        once = self._list(context, node.body)
        once = self._leave(once, self._loops.pop())
        if once.error is not None:
            return once
        self._loops.append(_Loop())
        twice, _ = self._try(once, node.body, lambda _trial, _behind: False)
        loop = self._loops.pop()
        both = join(once, twice, "range", self._at(node))
        if both.error is not None:
            both.error.message = f"on range loop re-entry: {both.error.message}"
            return both
        both = self._leave(both, loop)
        if both.error is not None:
            return both
        return join(both, self._list(context, node.otherwise), "range", self._at(node))

    def _leave(self, behind: Context, loop: _Loop) -> Context:
        """The context behind a loop's body, with those in which it is left."""
        for what, places in (("break", loop.breaks), ("continue", loop.continues)):
            for context, node in places:
                if behind.error is not None:
                    return behind
                behind = join(behind, context, "range", self._at(node))
                if behind.error is not None:
                    behind.error.message = f"at range loop {what}: {behind.error.message}"
        return behind

    def _action(self, context: Context, node: ActionNode) -> Context:
        if node.pipe.variables:
            return context
        context = nudge(context)
        last = len(node.pipe.commands) - 1
        for index, command in enumerate(node.pipe.commands):
            first = command.args[0]
            if isinstance(first, IdentifierNode) and first.name in PREDEFINED:
                unquoted = (
                    context.state is State.ATTR and context.delim is Delim.SPACE and first.name == "html"
                )
                if index < last or unquoted:
                    said = f"predefined escaper {quote(first.name)} disallowed in template"
                    return self._fail("ErrPredefinedEscaper", said, node)
        if context.state is State.ERROR:
            return context
        if context.state in _URL_STATES and context.url is UrlPart.UNKNOWN:
            said = f"{node.text} appears in an ambiguous context within a URL"
            return self._fail("ErrAmbigContext", said, node)
        if context.state is State.TAG:
            context = context._replace(state=State.ATTR_NAME)
        self.edits.actions[self._name, id(node)] = tuple(_escapers(context))
        # A slash behind a value divides.
        return context._replace(slash=Slash.DIVISION) if context.state is State.JS else context

    def _text(self, context: Context, node: TextNode) -> Context:
        key = context, node.text
        followed = self._texts.get(key)
        if followed is None:
            followed = follow_text(context, node.text)
            if followed.behind.error is not None:
                return self._placed(followed.behind, node, followed.error_at)
            self._texts[key] = followed
        if followed.changed is not None:
            self.edits.texts[self._name, id(node)] = followed.changed
        return followed.behind


def _escapers(context: Context) -> list[str]:
    """The names of what an action's value goes through in that context, without their prefix."""
    names: list[str] = []
    if context.state in _URL_STATES:
        if context.url is UrlPart.QUERY:
            names.append("urlescaper")
        else:
            if context.url is UrlPart.NONE:
                names.append("urlfilter")
            quoted = context.state in (State.CSS_DOUBLE, State.CSS_SINGLE)
            names.append("cssescaper" if quoted else "urlnormalizer")
    elif context.state in _ESCAPER_OF:
        names.append(_ESCAPER_OF[context.state])
    if context.delim is Delim.SPACE:
        names.append("nospaceescaper")
    elif context.delim is not Delim.NONE:
        names.append("attrescaper")
    return names


__all__ = ["PREDEFINED", "Analysis", "Edits"]
