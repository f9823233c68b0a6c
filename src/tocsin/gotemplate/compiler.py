"""Compiles a template's tree to closures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from tocsin.dataclass import dataclass
from tocsin.gotemplate.environment import Environment
from tocsin.gotemplate.errors import BoundError
from tocsin.gotemplate.execution import (
    BREAK,
    CONTINUE,
    DONE,
    NIL,
    Closure,
    Execution,
    Site,
    show,
    truth,
)
from tocsin.gotemplate.expressions import UNSET, Expressions
from tocsin.gotemplate.loops import iterate
from tocsin.gotemplate.nodes import (
    ActionNode,
    BreakNode,
    IfNode,
    ListNode,
    Node,
    RangeNode,
    TemplateNode,
    TextNode,
    Tree,
    WithNode,
)
from tocsin.gotemplate.values import Slice, Value


@dataclass(slots=True)
class Code:
    """The closures of a tree."""

    render: Closure
    slots: int
    weight: int
    environment: Environment


def compiled(tree: Tree, environment: Environment) -> Code:
    """The code of a tree; made when it is first asked for."""
    code = tree.code
    if not isinstance(code, Code) or code.environment is not environment:
        compiler = _Compiler(tree, environment)
        render, weight = compiler.body(tree.root)
        code = tree.code = Code(render, compiler.expressions.slots, weight, environment)
    return code


_Item = tuple[str, "Closure | None", "Site | None"]


class _Compiler:
    def __init__(self, tree: Tree, environment: Environment) -> None:
        self.tree = tree
        self.environment = environment
        self.expressions: Final = Expressions(tree, environment)

    def body(self, nodes: ListNode | None) -> tuple[Closure, int]:
        """A closure that renders the nodes one after another, and their number."""
        items: list[_Item] = []
        text = ""
        weight = 1
        for node in _flat(nodes):
            if isinstance(node, TextNode):
                text += node.text
                continue
            closure, site, inner = self.node(node)
            items.append((text, closure, site))
            text = ""
            weight += inner
        return _sequence(items, text), weight

    def node(self, node: Node) -> tuple[Closure, Site, int]:
        """A closure that renders a node, its location, and the steps that it counts."""
        if isinstance(node, ActionNode):
            return self.action(node)
        if isinstance(node, IfNode):
            return self.condition(node)
        if isinstance(node, WithNode):
            return self.scoped(node)
        if isinstance(node, RangeNode):
            return self.loop(node)
        if isinstance(node, TemplateNode):
            return self.template(node)
        site = Site(self.tree, TemplateNode(node.position, 0, ""))
        return (_break if isinstance(node, BreakNode) else _continue), site, 1

    def action(self, node: ActionNode) -> tuple[Closure, Site, int]:
        evaluate = self.expressions.pipeline(node.pipe)
        site = self.expressions.site(node.pipe)
        if not node.pipe.variables:
            return evaluate, site, 1

        def assign(dot: Value, variables: list[Value], run: Execution) -> Value:
            evaluate(dot, variables, run)
            return DONE

        return assign, site, 1

    def condition(self, node: IfNode) -> tuple[Closure, Site, int]:
        scope = self.expressions.scope
        mark = len(scope)
        evaluate = self.expressions.pipeline(node.pipe)
        inner = len(scope)
        body, weight = self.body(node.body)
        del scope[inner:]
        otherwise, more = self.body(node.otherwise)
        del scope[mark:]

        def condition(dot: Value, variables: list[Value], run: Execution) -> Value:
            value = evaluate(dot, variables, run)
            if value is True or (value is not False and truth(value)):
                return body(dot, variables, run)
            return otherwise(dot, variables, run)

        return condition, self.expressions.site(node.pipe), weight + more

    def scoped(self, node: WithNode) -> tuple[Closure, Site, int]:
        scope = self.expressions.scope
        mark = len(scope)
        evaluate = self.expressions.pipeline(node.pipe)
        inner = len(scope)
        body, weight = self.body(node.body)
        del scope[inner:]
        otherwise, more = self.body(node.otherwise)
        del scope[mark:]

        def scoped(dot: Value, variables: list[Value], run: Execution) -> Value:
            value = evaluate(dot, variables, run)
            if truth(value):
                return body(value, variables, run)
            return otherwise(dot, variables, run)

        return scoped, self.expressions.site(node.pipe), weight + more

    def loop(self, node: RangeNode) -> tuple[Closure, Site, int]:
        expressions = self.expressions
        scope = expressions.scope
        mark = len(scope)
        evaluate = expressions.pipeline(node.pipe)
        site = expressions.site(node.pipe)
        slots = [expressions.slot(variable.names[0]) for variable in node.pipe.variables]
        inner = len(scope)
        body, weight = self.body(node.body)
        del scope[inner:]
        otherwise, more = self.body(node.otherwise)
        del scope[mark:]
        pair = len(slots) > 1
        first = slots[0] if pair else None
        second = slots[-1] if slots else None

        def loop(dot: Value, variables: list[Value], run: Execution) -> Value:
            value = evaluate(dot, variables, run)
            items: Iterable[tuple[Value, Value]]
            if value.__class__ is Slice:
                items = enumerate(value.items)
                empty = not value.items
            else:
                items, empty = iterate(value, pair, site, run)
            if empty:
                return otherwise(dot, variables, run)
            budget = run.budget
            for key, element in items:
                budget.steps += weight
                if budget.steps > budget.check_at:
                    _look(run, site)
                element = NIL if element is None else element
                if second is not None:
                    if first is not None:
                        variables[first] = key
                    variables[second] = element  # if both have one name, it is the element's
                signal = body(element, variables, run)
                if signal is BREAK:
                    break
            return DONE

        return loop, site, 1 + more

    def template(self, node: TemplateNode) -> tuple[Closure, Site, int]:
        name = node.name
        site = self.expressions.site(node)
        environment = self.environment
        evaluate = None if node.pipe is None else self.expressions.pipeline(node.pipe)

        def template(dot: Value, variables: list[Value], run: Execution) -> Value:
            tree = run.trees.get(name)
            if tree is None:
                raise site.error(f"template {_quoted(name)} not defined")
            data = None if evaluate is None else evaluate(dot, variables, run)
            code = tree.code
            if code is None or code.environment is not environment:
                code = compiled(tree, environment)
            if run.depth >= run.budget.bounds.depth:
                raise site.bound(
                    BoundError(
                        "depth",
                        f"templates call templates more than {run.budget.bounds.depth} deep: "
                        "the bound of depth is reached",
                    )
                )
            run.depth += 1
            budget = run.budget
            budget.steps += code.weight
            if budget.steps > budget.check_at:
                _look(run, site)
            inner = [UNSET] * code.slots
            inner[0] = data
            code.render(data, inner, run)
            run.depth -= 1
            return DONE

        return template, site, 1


def _quoted(name: str) -> str:
    return f'"{name}"'


def _look(run: Execution, site: Site) -> None:
    try:
        run.check()
    except BoundError as error:
        raise site.bound(error) from None


def _flat(nodes: ListNode | None) -> Iterable[Node]:
    for node in nodes.nodes if nodes is not None else ():
        if isinstance(node, ListNode):
            yield from _flat(node)
        else:
            yield node


def _break(_dot: Value, _variables: list[Value], _run: Execution) -> Value:
    return BREAK


def _continue(_dot: Value, _variables: list[Value], _run: Execution) -> Value:
    return CONTINUE


def _sequence(items: Sequence[_Item], rest: str) -> Closure:
    """A closure that renders texts and closures alternately, then the last text."""
    if not items:

        def text_only(_dot: Value, _variables: list[Value], run: Execution) -> Value:
            if rest:
                run.append(rest)
            return DONE

        return text_only

    def sequence(dot: Value, variables: list[Value], run: Execution) -> Value:
        append = run.append
        for text, closure, site in items:
            if text:
                append(text)
            value = closure(dot, variables, run)  # type: ignore[misc]
            if value.__class__ is str:
                append(value)
            elif value is not DONE:
                if value is BREAK or value is CONTINUE:
                    return value
                append(show(site, value, run))  # type: ignore[arg-type]
        if rest:
            append(rest)
        return DONE

    return sequence
