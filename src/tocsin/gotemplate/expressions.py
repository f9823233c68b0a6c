"""Makes closures of pipelines: commands, calls, fields, variables, constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tocsin.gotemplate.access import call_member, check_call, exported, member
from tocsin.gotemplate.arguments import Argument, adapter, constant, ideal
from tocsin.gotemplate.builtins import BUILTINS
from tocsin.gotemplate.environment import Environment
from tocsin.gotemplate.errors import BoundError, ExecError
from tocsin.gotemplate.execution import ABSENT, NIL, Closure, Execution, Site, truth
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
from tocsin.gotemplate.values import (
    ANY,
    Function,
    GoError,
    Map,
    Pointer,
    Signature,
    Struct,
    Type,
    Value,
)

UNSET: Final = object()
"""A variable whose declaration was never reached."""


def failing(site: Site, message: str) -> Closure:
    """What fails when it is evaluated, as Go finds such a fault only then."""

    def fail(_dot: Value, _variables: list[Value], _run: Execution) -> Value:
        raise site.error(message)

    return fail


class Expressions:
    """Compiles the pipelines of one tree, and knows which variable is where."""

    def __init__(self, tree: Tree, environment: Environment) -> None:
        self.tree = tree
        self.environment = environment
        self.scope: list[tuple[str, int]] = [("$", 0)]
        self.slots = 1

    def site(self, node: Operand | TemplateNode) -> Site:
        """The place of a node."""
        return Site(self.tree, node)

    def declare(self, name: str) -> int:
        """A place for a new variable."""
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
        """What is evaluated, and fails then."""

        def fail(dot: Value, variables: list[Value], run: Execution) -> Value:
            evaluate(dot, variables, run)
            raise site.error(message)

        return fail

    def command(self, command: CommandNode, before: Closure | None) -> Closure:
        """A command. ``before`` gives its last argument, if it stands behind a ``|``."""
        first = command.args[0]
        if isinstance(first, FieldNode):
            return self.fields(self.dot_raw, first.names, first, command.args[1:], before)
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
            return self.fields(self.dot_raw, node.names, node, (), None)
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

    # Variables and dot, as receivers of fields: a nil interface is told from what is absent.

    @staticmethod
    def dot_raw(dot: Value, _variables: list[Value], _run: Execution) -> Value:
        """Dot."""
        return dot

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
        if args or before is not None:
            inner = self._path(receiver, names[:-1], site) if len(names) > 1 else receiver
            return self._method(inner, names[-1], len(names) > 1, site, args, before)
        if len(names) == 1 and exported(names[0]):
            return self._one(receiver, names[0], site)
        path = self._path(receiver, names, site)

        def present(dot: Value, variables: list[Value], run: Execution) -> Value:
            value = path(dot, variables, run)
            return None if value is ABSENT else value

        return present

    def _one(self, receiver: Closure, name: str, site: Site) -> Closure:
        options = self.environment

        def one(dot: Value, variables: list[Value], run: Execution) -> Value:
            value = receiver(dot, variables, run)
            inner = value.target if value.__class__ is Pointer else value
            if inner.__class__ is Struct:
                found = inner.fields.get(name, ABSENT)
                if found is not ABSENT:
                    return found
            found = member(value, name, options, site, run)
            return None if found is ABSENT else found

        def one_of_dot(dot: Value, _variables: list[Value], run: Execution) -> Value:
            inner = dot.target if dot.__class__ is Pointer else dot
            if inner.__class__ is Struct:
                found = inner.fields.get(name, ABSENT)
                if found is not ABSENT:
                    return found
            found = member(dot, name, options, site, run)
            return None if found is ABSENT else found

        return one_of_dot if receiver is self.dot_raw else one

    def _path(self, receiver: Closure, names: Sequence[str], site: Site) -> Closure:
        """Names one after another; `ABSENT` if a key is not there."""
        options = self.environment
        steps = [(name, exported(name)) for name in names]

        def path(dot: Value, variables: list[Value], run: Execution) -> Value:
            value = receiver(dot, variables, run)
            last: Value = ABSENT
            for name, quick in steps:
                if last is None:
                    raise site.error(f"nil pointer evaluating interface {{}}.{name}")
                kind = value.__class__
                if kind is Map:
                    if name not in value.go_type.methods:
                        found = value.items.get(name, ABSENT)
                        if found is not ABSENT:
                            value = last = found
                            continue
                elif quick:
                    inner = value.target if kind is Pointer else value
                    if inner.__class__ is Struct:
                        found = inner.fields.get(name, ABSENT)
                        if found is not ABSENT:
                            value = last = found
                            continue
                last = member(value, name, options, site, run)
                if last is ABSENT:
                    if options.missing_key == "error" and name is not steps[-1][0]:
                        raise site.error("nil data; no entry for key")
                    return ABSENT
                value = last
            return value

        return path

    def _method(
        self,
        receiver: Closure,
        name: str,
        nested: bool,
        site: Site,
        args: Sequence[Operand],
        before: Closure | None,
    ) -> Closure:
        options = self.environment
        arguments = [self.argument(arg) for arg in args]

        def method(dot: Value, variables: list[Value], run: Execution) -> Value:
            final = () if before is None else (before(dot, variables, run),)
            value = receiver(dot, variables, run)
            if value is ABSENT:
                value = None
            elif value is None and nested:
                raise site.error(f"nil pointer evaluating interface {{}}.{name}")
            found = call_member(value, name, options, site, run, arguments, dot, variables, *final)
            return None if found is ABSENT else found

        return method

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
            return _short(name == "or", arguments, before)
        if before is not None:
            arguments.append(self._piped(before, signature, len(args), site))
        place = Site(self.tree, whole if isinstance(whole, IdentifierNode) else _as_operand(whole, node))
        if function is BUILTINS["eq"] and len(arguments) == 2:
            return _equality(arguments[0], arguments[1], function, place)
        return _calling(function, arguments, place)

    def _piped(self, before: Closure, signature: Signature, count: int, site: Site) -> Closure:
        adapt = adapter(_param(signature, count), site)
        if adapt is None:
            return before

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


def _short(wanted: bool, arguments: Sequence[Closure], final: Closure | None) -> Closure:
    """``or`` (wanted is true) and ``and``: evaluate no more than is needed."""

    def short(dot: Value, variables: list[Value], run: Execution) -> Value:
        # What comes through a pipe was evaluated before all.
        last = None if final is None else final(dot, variables, run)
        value: Value = None
        for argument in arguments:
            value = argument(dot, variables, run)
            if truth(value) is wanted:
                return value
        return value if final is None else last

    return short


def _equality(one: Closure, other: Closure, function: Function, site: Site) -> Closure:
    def equality(dot: Value, variables: list[Value], run: Execution) -> Value:
        first = one(dot, variables, run)
        second = other(dot, variables, run)
        if first.__class__ is str and second.__class__ is str and first.isascii():
            return first == second
        try:
            return function.impl(first, second)
        except GoError as error:
            raise site.error(f"error calling eq: {error}") from None

    return equality


def _calling(function: Function, arguments: Sequence[Closure], site: Site) -> Closure:
    impl = function.impl
    name = function.name

    def fail(error: GoError) -> ExecError:
        return site.error(f"error calling {name}: {error}")

    if function.budgeted:

        def budgeted(dot: Value, variables: list[Value], run: Execution) -> Value:
            values = [argument(dot, variables, run) for argument in arguments]
            try:
                return impl(run.budget, *values)
            except GoError as error:
                raise fail(error) from None
            except BoundError as error:
                raise site.bound(error) from None

        return budgeted
    if len(arguments) == 1:
        only = arguments[0]

        def one(dot: Value, variables: list[Value], run: Execution) -> Value:
            value = only(dot, variables, run)
            try:
                return impl(value)
            except GoError as error:
                raise fail(error) from None

        return one

    def several(dot: Value, variables: list[Value], run: Execution) -> Value:
        values = [argument(dot, variables, run) for argument in arguments]
        try:
            return impl(*values)
        except GoError as error:
            raise fail(error) from None

    return several
