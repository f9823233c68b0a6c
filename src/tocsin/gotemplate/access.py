"""Fields, keys and methods: what ``.Name`` of a value is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeAlias

from tocsin.gotemplate.arguments import Argument, adapt
from tocsin.gotemplate.errors import BoundError
from tocsin.gotemplate.execution import ABSENT, NIL, Execution, Site
from tocsin.gotemplate.values import (
    ANY,
    ERROR,
    STRING,
    GoError,
    Kind,
    Map,
    Method,
    Pointer,
    Signature,
    Value,
    assignable,
    fields_of,
    type_name,
    type_of,
)

_NO_FINAL: Final = object()

PreparedCall: TypeAlias = Callable[[Value, Value, list[Value], Execution, Value], Value]


class Options(Protocol):
    """What a map returns for a missing key: ``default``, ``zero`` or ``error``."""

    @property
    def missing_key(self) -> str:
        """The option's value."""


def member(value: Value, name: str, options: Options, site: Site, run: Execution) -> Value:
    """``value.name`` without arguments: a method's result, a field, the value of a key, or `ABSENT`."""
    return call_member(value, name, options, site, run, (), None, [])


def call_member(
    value: Value,
    name: str,
    options: Options,
    site: Site,
    run: Execution,
    arguments: Sequence[Argument],
    dot: Value,
    variables: list[Value],
    final: Value = _NO_FINAL,
) -> Value:
    """``value.name`` with arguments, and ``final`` that came through a pipe. Raises `ExecError`."""
    if value is None:
        if options.missing_key == "error":
            raise site.error(f'nil data; no entry for key "{name}"')
        return ABSENT
    if value is NIL:
        raise site.error(f"nil pointer evaluating interface {{}}.{name}")
    receiver = value
    while receiver.__class__ is Pointer and receiver.target is not None:
        receiver = receiver.target
    go_type = type_of(receiver)
    method = go_type.find_method(name) or go_type.pointer_methods.get(name)
    piped = final is not _NO_FINAL
    if method is not None:
        if method.plain and not arguments and not piped and receiver.__class__ is not Pointer:
            return method.impl(receiver)
        return prepared_call(method, arguments, piped, site)(receiver, dot, variables, run, final)
    has_arguments = bool(arguments) or piped
    kind = go_type.kind
    if kind == Kind.STRUCT and name in go_type.fields:
        if not exported(name):
            raise site.error(f"{name} is an unexported field of struct type {type_name(value)}")
        if has_arguments:
            raise site.error(f"{name} has arguments but cannot be invoked as function")
        return fields_of(receiver)[name]
    if kind == Kind.MAP and go_type.key is not None and assignable(STRING, go_type.key):
        if has_arguments:
            raise site.error(f"{name} is not a method but has arguments")
        return _entry(receiver, name, options, site)
    if kind == Kind.POINTER and go_type.elem is not None:
        elem = go_type.elem
        if elem.kind != Kind.STRUCT or name in elem.fields:
            raise site.error(f"nil pointer evaluating {type_name(value)}.{name}")
    raise site.error(f"can't evaluate field {name} in type {type_name(value)}")


def exported(name: str) -> bool:
    """Whether Go lets a template use a field of that name."""
    return name[:1].isupper()


def _entry(receiver: Map, name: str, options: Options, site: Site) -> Value:
    found = receiver.items.get(name, ABSENT)
    if found is not ABSENT:
        return found
    if options.missing_key == "default":
        return ABSENT
    if options.missing_key == "zero" and receiver.go_type.elem is not None:
        return receiver.go_type.elem.zero()
    raise site.error(f'map has no entry for key "{name}"')


def prepared_call(method: Method, arguments: Sequence[Argument], piped: bool, site: Site) -> PreparedCall:
    """Prepares the call of a method at a location, for any receiver of its type. Raises `ExecError`. The
    result takes the receiver, dot, the variables, the execution, and the piped value if ``piped``.
    """
    name = method.name
    signature = method.signature
    check_call(name, signature, len(arguments), piped, site)
    impl = method.impl
    budgeted = method.budgeted
    params = signature.params
    last = len(params) - 1
    closures = [argument.closure(params[min(index, last)]) for index, argument in enumerate(arguments)]
    final_param = params[min(len(arguments), last)] if piped else ANY

    def call(receiver: Value, dot: Value, variables: list[Value], run: Execution, final: Value) -> Value:
        values = [closure(dot, variables, run) for closure in closures]
        if piped:
            values.append(adapt(final, final_param, site))
        if receiver.__class__ is Pointer:
            raise site.error(f"error calling {name}: value method called using nil pointer")
        try:
            if budgeted:
                return impl(run.budget, receiver, *values)
            return impl(receiver, *values)
        except GoError as error:
            raise site.error(f"error calling {name}: {error}") from None
        except BoundError as error:
            raise site.bound(error) from None

    return call


def check_call(name: str, signature: Signature, given: int, has_final: bool, site: Site) -> None:
    """Whether a function may be called with that many arguments, and at all. Raises `ExecError`."""
    count = given + has_final
    wanted = len(signature.params)
    if signature.variadic:
        if count < wanted - 1:
            raise site.error(f"wrong number of args for {name}: want at least {wanted - 1} got {given}")
    elif count != wanted:
        raise site.error(f"wrong number of args for {name}: want {wanted} got {count}")
    results = signature.results
    if len(results) == 2 and results[1] is not ERROR:
        raise site.error(
            f"invalid signature of {name}: second return value should be error; is {results[1].name}"
        )
    if len(results) not in (1, 2):
        raise site.error(f"function {name} has {len(results)} return values; should be 1 or 2")
