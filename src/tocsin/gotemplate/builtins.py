"""The functions that every template has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tocsin.gotemplate.bounds import Budget
from tocsin.gotemplate.comparison import equal, less, less_or_equal
from tocsin.gotemplate.escaping import escape_html, escape_js, escape_query
from tocsin.gotemplate.execution import printable, truth
from tocsin.gotemplate.fmt import sprint, sprintf, sprintln
from tocsin.gotemplate.values import (
    ANY,
    BOOL,
    INT,
    INT_KINDS,
    NILABLE_KINDS,
    STRING,
    UINT_KINDS,
    Func,
    Function,
    GoError,
    Map,
    Pointer,
    Slice,
    Type,
    Uint8,
    Value,
    assignable,
    byte_length,
    from_bytes,
    to_bytes,
    type_of,
)


def _and(*arguments: Value) -> Value:
    """The first that is false, or the last. (In a template the compiler stops at it.)"""
    value = None
    for value in arguments:
        if not truth(value):
            break
    return value


def _or(*arguments: Value) -> Value:
    """The first that is true, or the last. (In a template the compiler stops at it.)"""
    value = None
    for value in arguments:
        if truth(value):
            break
    return value


def _not(value: Value) -> bool:
    return not truth(value)


def weigh(budget: Budget, *values: Value) -> None:
    """Count the work of scanning long strings."""
    for value in values:
        if isinstance(value, (str, bytes)) and len(value) > 1024:
            budget.spend(len(value) >> 9)


def _length(budget: Budget, value: Value) -> int:
    while value.__class__ is Pointer:
        if value.target is None:
            raise GoError("len of nil pointer")
        value = value.target
    if value is None:
        raise GoError("len of nil")
    if isinstance(value, str):
        weigh(budget, value)
        return byte_length(value)
    if isinstance(value, (Slice, Map)):
        return len(value.items)
    if isinstance(value, bytes):
        return len(value)
    raise GoError(f"len of type {type_of(value).name}")


def _position(index: Value, limit: int) -> int:
    """An index, from 0 to the limit, which is what may be said at most."""
    if index is None:
        raise GoError("cannot index slice/array with nil")
    go_type = type_of(index)
    if go_type.kind not in INT_KINDS and go_type.kind not in UINT_KINDS:
        raise GoError(f"cannot index slice/array with type {go_type.name}")
    if not 0 <= index <= limit:
        raise GoError(f"index out of range: {int(index)}")
    return int(index)


def _index(budget: Budget, item: Value, *indexes: Value) -> Value:
    if item is None:
        raise GoError("index of untyped nil")
    for index in indexes:
        while item.__class__ is Pointer and item.target is not None:
            item = item.target
        if item is None or item.__class__ is Pointer:
            raise GoError("index of nil pointer")
        if isinstance(item, Slice):
            items = item.items
            item = items[_position(index, len(items) - 1)]
        elif isinstance(item, (str, bytes)):
            weigh(budget, item)
            raw = to_bytes(item) if isinstance(item, str) else item
            item = Uint8(raw[_position(index, len(raw) - 1)])
        elif isinstance(item, Map):
            item = _entry(item, index)
        else:
            raise GoError(f"can't index item of type {type_of(item).name}")
    return item


def _entry(item: Map, key: Value) -> Value:
    key_type = item.go_type.key or ANY
    elem = item.go_type.elem or ANY
    if key is None:
        if key_type.kind not in NILABLE_KINDS:
            raise GoError(f"value is nil; should be of type {key_type.name}")
    elif not assignable(type_of(key), key_type):
        key_kind = type_of(key).kind
        whole = INT_KINDS | UINT_KINDS
        if not (key_kind in whole and key_type.kind in whole):
            raise GoError(f"value has type {type_of(key).name}; should be {key_type.name}")
    try:
        return item.items[key] if key in item.items else elem.zero()
    except TypeError:
        raise GoError(f"hash of unhashable type {type_of(key).name}") from None


def _slice(budget: Budget, item: Value, *indexes: Value) -> Value:
    if item is None:
        raise GoError("slice of untyped nil")
    if len(indexes) > 3:
        raise GoError(f"too many slice indexes: {len(indexes)}")
    while item.__class__ is Pointer and item.target is not None:
        item = item.target
    if isinstance(item, str):
        if len(indexes) == 3:
            raise GoError("cannot 3-index slice a string")
        weigh(budget, item)
        raw = to_bytes(item)
        begin, end, _ = _bounds(indexes, len(raw), len(raw))
        return item if end - begin == len(raw) else type(item)(from_bytes(raw[begin:end]))
    if isinstance(item, bytes):
        begin, end, _ = _bounds(indexes, len(item), len(item))
        return item[begin:end]
    if isinstance(item, Slice):
        length = len(item.items)
        budget.spend(length >> 6)
        begin, end, limit = _bounds(indexes, length, length + len(item.spare))
        if item.spare:
            whole = [*item.items, *item.spare]
            return Slice(item.go_type, whole[begin:end], whole[end:limit])
        return Slice(item.go_type, item.items[begin:end], item.items[end:limit])
    raise GoError(f"can't slice item of type {type_of(item).name}")


def _bounds(indexes: Sequence[Value], length: int, capacity: int) -> tuple[int, int, int]:
    """Begin, end and limit of a slice expression."""
    places = [_position(index, capacity) for index in indexes]
    begin, end, limit = [*places, *(0, length, capacity)[len(places) :]]
    if begin > end:
        raise GoError(f"invalid slice index: {begin} > {end}")
    if len(indexes) == 3 and end > limit:
        raise GoError(f"invalid slice index: {end} > {limit}")
    return begin, end, limit


def _call(function: Value, *arguments: Value) -> Value:
    if function is None:
        raise GoError("call of nil")
    if not isinstance(function, Func):
        raise GoError(f"non-function of type {type_of(function).name}")
    signature = function.go_type.signature
    if function.impl is None or signature is None:
        raise GoError("call of nil")
    params = signature.params
    if signature.variadic:
        if len(arguments) < len(params) - 1:
            raise GoError(f"wrong number of args: got {len(arguments)} want at least {len(params) - 1}")
    elif len(arguments) != len(params):
        raise GoError(f"wrong number of args: got {len(arguments)} want {len(params)}")
    values = [
        _given(argument, params[min(index, len(params) - 1)], index)
        for index, argument in enumerate(arguments)
    ]
    return function.impl(*values)


def _given(value: Value, target: Type, index: int) -> Value:
    if value is None:
        if target.kind in NILABLE_KINDS:
            return target.zero()
        raise GoError(f"arg {index}: value is nil; should be of type {target.name}")
    go_type = type_of(value)
    if assignable(go_type, target):
        return value
    whole = INT_KINDS | UINT_KINDS
    if go_type.kind in whole and target.kind in whole and target.make is not None:
        return target.make(value)
    raise GoError(f"arg {index}: value has type {go_type.name}; should be {target.name}")


def _equal(budget: Budget, first: Value, *others: Value) -> bool:
    weigh(budget, first, *others)
    return equal(first, *others)


def _not_equal(budget: Budget, one: Value, other: Value) -> bool:
    weigh(budget, one, other)
    return not equal(one, other)


def _less(budget: Budget, one: Value, other: Value) -> bool:
    weigh(budget, one, other)
    return less(one, other)


def _less_or_equal(budget: Budget, one: Value, other: Value) -> bool:
    weigh(budget, one, other)
    return less_or_equal(one, other)


def _greater(budget: Budget, one: Value, other: Value) -> bool:
    weigh(budget, one, other)
    return not less_or_equal(one, other)


def _greater_or_equal(budget: Budget, one: Value, other: Value) -> bool:
    weigh(budget, one, other)
    return not less(one, other)


def as_text(budget: Budget, arguments: Sequence[Value]) -> str:
    """The arguments as one text, as an action would print them."""
    if len(arguments) == 1 and isinstance(arguments[0], str) and type(arguments[0]) is str:
        return arguments[0]
    return sprint(budget, [printable(argument) for argument in arguments])


def _print(budget: Budget, *arguments: Value) -> str:
    return sprint(budget, arguments)


def _println(budget: Budget, *arguments: Value) -> str:
    return sprintln(budget, arguments)


def _printf(budget: Budget, template: str, *arguments: Value) -> str:
    return sprintf(budget, template, arguments)


def _html(budget: Budget, *arguments: Value) -> str:
    return escape_html(budget, as_text(budget, arguments))


def _js(budget: Budget, *arguments: Value) -> str:
    return escape_js(budget, as_text(budget, arguments))


def _urlquery(budget: Budget, *arguments: Value) -> str:
    return escape_query(budget, as_text(budget, arguments))


BUILTINS: Final[dict[str, Function]] = {
    function.name: function
    for function in (
        Function("and", (ANY, ANY), ANY, _and, variadic=True),
        Function("or", (ANY, ANY), ANY, _or, variadic=True),
        Function("not", (ANY,), BOOL, _not),
        Function("len", (ANY,), INT, _length, fails=True, budgeted=True),
        Function("index", (ANY, ANY), ANY, _index, variadic=True, fails=True, budgeted=True),
        Function("slice", (ANY, ANY), ANY, _slice, variadic=True, fails=True, budgeted=True),
        Function("call", (ANY, ANY), ANY, _call, variadic=True, fails=True),
        Function("eq", (ANY, ANY), BOOL, _equal, variadic=True, fails=True, budgeted=True),
        Function("ne", (ANY, ANY), BOOL, _not_equal, fails=True, budgeted=True),
        Function("lt", (ANY, ANY), BOOL, _less, fails=True, budgeted=True),
        Function("le", (ANY, ANY), BOOL, _less_or_equal, fails=True, budgeted=True),
        Function("gt", (ANY, ANY), BOOL, _greater, fails=True, budgeted=True),
        Function("ge", (ANY, ANY), BOOL, _greater_or_equal, fails=True, budgeted=True),
        Function("print", (ANY,), STRING, _print, variadic=True, budgeted=True),
        Function("println", (ANY,), STRING, _println, variadic=True, budgeted=True),
        Function("printf", (STRING, ANY), STRING, _printf, variadic=True, budgeted=True),
        Function("html", (ANY,), STRING, _html, variadic=True, budgeted=True),
        Function("js", (ANY,), STRING, _js, variadic=True, budgeted=True),
        Function("urlquery", (ANY,), STRING, _urlquery, variadic=True, budgeted=True),
    )
}
