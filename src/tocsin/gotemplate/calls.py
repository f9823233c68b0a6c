"""Closures of calls of functions."""

from __future__ import annotations

from collections.abc import Sequence

from tocsin.gotemplate.errors import BoundError, ExecError
from tocsin.gotemplate.execution import Closure, Execution, Site, truth
from tocsin.gotemplate.values import Function, GoError, Value


def short_circuit(wanted: bool, arguments: Sequence[Closure], final: Closure | None) -> Closure:
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


def equality_call(one: Closure, other: Closure, function: Function, site: Site) -> Closure:
    """``eq`` of two."""

    def equality(dot: Value, variables: list[Value], run: Execution) -> Value:
        first = one(dot, variables, run)
        second = other(dot, variables, run)
        if first.__class__ is str and second.__class__ is str and len(first) < 1024 and first.isascii():
            return first == second
        try:
            return function.impl(run.budget, first, second)
        except GoError as error:
            raise site.error(f"error calling eq: {error}") from None
        except BoundError as error:
            raise site.bound(error) from None

    return equality


def function_call(function: Function, arguments: Sequence[Closure], site: Site) -> Closure:
    """A call of a function whose arguments are of the right types."""
    impl = function.impl
    name = function.name

    def fail(error: GoError) -> ExecError:
        return site.error(f"error calling {name}: {error}")

    if function.budgeted and len(arguments) == 1:
        alone = arguments[0]

        def budgeted_one(dot: Value, variables: list[Value], run: Execution) -> Value:
            value = alone(dot, variables, run)
            try:
                return impl(run.budget, value)
            except GoError as error:
                raise fail(error) from None
            except BoundError as error:
                raise site.bound(error) from None

        return budgeted_one
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
