"""Makes closures of pipelines: commands, calls, fields, variables, constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tocsin.gotemplate.access import check_call, exported
from tocsin.gotemplate.arguments import Argument, adapter, constant, ideal
from tocsin.gotemplate.builtins import BUILTINS
from tocsin.gotemplate.calls import equality_call, function_call, short_circuit
from tocsin.gotemplate.environment import Environment
from tocsin.gotemplate.errors import ExecError
from tocsin.gotemplate.execution import ABSENT, NIL, Closure, Execution, Site
from tocsin.gotemplate.nodes import (
    BoolNode,
    ChainNode,
    CommandNode,
    DotNode,
    FieldNode,
    IdentifierNode,
    NilNode,
    NumberNode,
    Operand,
    PipeNode,
    StringNode,
    TemplateNode,
    Tree,
    VariableNode,
)
from tocsin.gotemplate.paths import dot_itself, method_call, name_path, single_name, two_names_of_dot
from tocsin.gotemplate.values import (
    ANY,
    STRING,
    Signature,
    Type,
    Value,
)

UNSET: Final = object()
"""A variable whose declaration was never reached."""


def failing(site: Site, message: str) -> Closure:
    """A closure that fails when it is evaluated, as Go detects such an error only then."""

    def fail(_dot: Value, _variables: list[Value], _run: Execution) -> Value:
        raise site.error(message)

    return fail


class Expressions:
    """Compiles the pipelines of one tree, and assigns slots to variables."""

    def __init__(self, tree: Tree, environment: Environment) -> None:
        self.tree = tree
        self.environment = environment
        self.scope: list[tuple[str, int]] = [("$", 0)]
        self.slots = 1

    def site(self, node: Operand | TemplateNode) -> Site:
        """The location of a node."""
        return Site(self.tree, node)

    def declare(self, name: str) -> int:
        """A slot for a new variable."""
        slot = self.slots
        self.slots += 1
        self.scope.append((name, slot))
        return slot

    def slot(self, name: str) -> int | None:
        """Where the variable of that name is that is declared last."""
        for known, slot in reversed(self.scope):
            if known == name:
                return slot
        return None

    # Pipelines.

    def pipeline(self, pipe: PipeNode) -> Closure:
        """A pipeline, with the variables that it declares or sets."""
        while not pipe.variables and len(pipe.commands) == 1 and len(pipe.commands[0].args) == 1:
            only = pipe.commands[0].args[0]
            if not isinstance(only, PipeNode):
                break
            pipe = only
        evaluate = self.commands(pipe)
        if pipe.variables:
            evaluate = self.setting(pipe, evaluate)
        return evaluate

    def commands(self, pipe: PipeNode) -> Closure:
        """The commands of a pipeline, each of which gets what the one before it gave."""
        evaluate = self.command(pipe.commands[0], None)
        for command in pipe.commands[1:]:
            evaluate = self.command(command, evaluate)
        return evaluate

    def setting(self, pipe: PipeNode, evaluate: Closure) -> Closure:
        """The same value, which is given to variables too."""
        slots: list[int] = []
        for variable in pipe.variables:
            name = variable.names[0]
            slot = self.slot(name) if pipe.assign else self.declare(name)
            if slot is None:
                evaluate = self.then_fail(evaluate, self.site(pipe), f"undefined variable: {name}")
            else:
                slots.append(slot)
        if len(slots) == 1:
            only = slots[0]

            def set_one(dot: Value, variables: list[Value], run: Execution) -> Value:
                value = variables[only] = evaluate(dot, variables, run)
                return value

            return set_one

        def set_all(dot: Value, variables: list[Value], run: Execution) -> Value:
            value = evaluate(dot, variables, run)
            for slot in slots:
                variables[slot] = value
            return value

        return set_all

    def then_fail(self, evaluate: Closure, site: Site, message: str) -> Closure:
        """A closure that evaluates, then fails."""

        def fail(dot: Value, variables: list[Value], run: Execution) -> Value:
            evaluate(dot, variables, run)
            raise site.error(message)

        return fail

    def command(self, command: CommandNode, before: Closure | None) -> Closure:
        """A command. ``before`` gives its last argument, if it stands behind a ``|``."""
        first = command.args[0]
        if isinstance(first, FieldNode):
            return self.fields(dot_itself, first.names, first, command.args[1:], before)
        if isinstance(first, IdentifierNode):
            return self.function(first, command.args[1:], before, command)
        if isinstance(first, ChainNode):
            return self.chain(first, command.args[1:], before)
        if isinstance(first, VariableNode) and len(first.names) > 1:
            return self.fields(self.variable_raw(first), first.names[1:], first, command.args[1:], before)
        if len(command.args) > 1 or before is not None:
            site = self.site(first)
            message = f"can't give argument to non-function {first.text}"
            return failing(site, message) if before is None else self.then_fail(before, site, message)
        if isinstance(first, NilNode):
            return failing(self.site(first), "nil is not a command")
        return self.operand(first)

    def operand(self, node: Operand) -> Closure:
        """An operand by itself."""
        if isinstance(node, FieldNode):
            return self.fields(dot_itself, node.names, node, (), None)
        if isinstance(node, VariableNode):
            raw = self.variable_raw(node)
            if len(node.names) > 1:
                return self.fields(raw, node.names[1:], node, (), None)
            return raw if node.names[0] == "$" else _without_nil(raw)
        if isinstance(node, DotNode):
            return _dot
        if isinstance(node, PipeNode):
            return self.pipeline(node)
        if isinstance(node, IdentifierNode):
            return self.function(node, (), None, node)
        if isinstance(node, ChainNode):
            return self.chain(node, (), None)
        site = self.site(node)
        if isinstance(node, NumberNode):
            try:
                return _constant(ideal(node, site))
            except ExecError as error:
                return failing(site, error.message)
        return _constant(constant(node, ANY, site))

    # Variables and dot, as receivers of fields: a nil interface differs from what is absent.

    def variable_raw(self, node: VariableNode) -> Closure:
        """A variable."""
        name = node.names[0]
        slot = self.slot(name)
        if slot is None:
            return failing(self.site(node), f"undefined variable: {name}")
        if slot == 0:
            return _root
        site = self.site(node)
        place = slot

        def variable(_dot: Value, variables: list[Value], _run: Execution) -> Value:
            value = variables[place]
            if value is UNSET:
                raise site.error(f"undefined variable: {name}")
            return value

        return variable

    def chain(self, node: ChainNode, args: Sequence[Operand], before: Closure | None) -> Closure:
        """Fields of what an operand gives."""
        return self.fields(self.operand(node.node), node.names, node, args, before)

    # Fields and methods.

    def fields(
        self,
        receiver: Closure,
        names: Sequence[str],
        node: Operand,
        args: Sequence[Operand],
        before: Closure | None,
    ) -> Closure:
        """Names one after another, of which the last may be a method that takes arguments."""
        site = self.site(node)
        options = self.environment
        if args or before is not None:
            inner = name_path(receiver, names[:-1], options, site) if len(names) > 1 else receiver
            arguments = [self.argument(arg) for arg in args]
            return method_call(inner, names[-1], len(names) > 1, options, site, arguments, before)
        if len(names) == 1 and exported(names[0]):
            return single_name(receiver, names[0], options, site)
        if len(names) == 2 and receiver is dot_itself and exported(names[0]):
            return two_names_of_dot(names[0], names[1], options, site)
        path = name_path(receiver, names, options, site)

        def present(dot: Value, variables: list[Value], run: Execution) -> Value:
            value = path(dot, variables, run)
            return None if value is ABSENT else value

        return present

    # Functions.

    def argument(self, node: Operand) -> Argument:
        """An operand as an argument."""
        constants = (BoolNode, NilNode, NumberNode, StringNode)
        evaluate = None if isinstance(node, constants) else self.operand(node)
        return Argument(node, self.site(node), evaluate)

    def function(
        self,
        node: IdentifierNode,
        args: Sequence[Operand],
        before: Closure | None,
        whole: Operand | CommandNode,
    ) -> Closure:
        """A call of a function."""
        name = node.name
        site = self.site(node)
        function = self.environment.functions.get(name)
        if function is None:
            return failing(site, f'"{name}" is not a defined function')
        signature = function.signature
        try:
            check_call(name, signature, len(args), before is not None, site)
        except ExecError as error:
            if before is None:
                return failing(site, error.message)
            return self.then_fail(before, site, error.message)
        arguments = [self.argument(arg).closure(_param(signature, index)) for index, arg in enumerate(args)]
        if function is BUILTINS["and"] or function is BUILTINS["or"]:
            return short_circuit(name == "or", arguments, before)
        if before is not None:
            arguments.append(self._piped(before, signature, len(args), site))
        place = Site(self.tree, whole if isinstance(whole, IdentifierNode) else _as_operand(whole, node))
        if function is BUILTINS["eq"] and len(arguments) == 2:
            return equality_call(arguments[0], arguments[1], function, place)
        return function_call(function, arguments, place)

    def _piped(self, before: Closure, signature: Signature, count: int, site: Site) -> Closure:
        param = _param(signature, count)
        adapt = adapter(param, site)
        if adapt is None:
            return before
        if param is STRING:

            def piped_text(dot: Value, variables: list[Value], run: Execution) -> Value:
                value = before(dot, variables, run)
                return value if value.__class__ is str else adapt(value)

            return piped_text

        def piped(dot: Value, variables: list[Value], run: Execution) -> Value:
            return adapt(before(dot, variables, run))

        return piped


def _as_operand(whole: Operand | CommandNode, node: IdentifierNode) -> Operand:
    """What an error of a call shows: the whole command."""
    if isinstance(whole, CommandNode):
        return PipeNode(node.position, 0, False, [], [whole])
    return whole


def _param(signature: Signature, index: int) -> Type:
    params = signature.params
    return params[min(index, len(params) - 1)]


def _dot(dot: Value, _variables: list[Value], _run: Execution) -> Value:
    return None if dot is NIL else dot


def _root(_dot: Value, variables: list[Value], _run: Execution) -> Value:
    return variables[0]


def _without_nil(evaluate: Closure) -> Closure:
    def value(dot: Value, variables: list[Value], run: Execution) -> Value:
        found = evaluate(dot, variables, run)
        return None if found is NIL else found

    return value


def _constant(value: Value) -> Closure:
    def give(_dot: Value, _variables: list[Value], _run: Execution) -> Value:
        return value

    return give
