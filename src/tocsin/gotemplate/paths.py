"""Closures of ``.A.B``: a fast path for plain values, and `access` for all others."""

from __future__ import annotations

from collections.abc import Sequence

from tocsin.gotemplate.access import Options, PreparedCall, call_member, exported, member, prepared_call
from tocsin.gotemplate.arguments import Argument
from tocsin.gotemplate.execution import ABSENT, NIL, Closure, Execution, Site
from tocsin.gotemplate.values import Map, Pointer, Slice, Struct, Type, Value, type_of


def dot_itself(dot: Value, _variables: list[Value], _run: Execution) -> Value:
    """Dot, as the receiver of fields."""
    return dot


def single_name(receiver: Closure, name: str, options: Options, site: Site) -> Closure:
    """One field, key or method of what the receiver gives."""

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

    return one_of_dot if receiver is dot_itself else one


def two_names_of_dot(first: str, second: str, options: Options, site: Site) -> Closure:
    """``.First.second``: mostly a label of an alert."""
    general = name_path(dot_itself, (first, second), options, site)

    def two(dot: Value, variables: list[Value], run: Execution) -> Value:
        inner = dot.target if dot.__class__ is Pointer else dot
        if inner.__class__ is Struct:
            value = inner.fields.get(first)
            if isinstance(value, Map) and second not in value.go_type.methods:
                found = value.items.get(second)
                if found is not None:
                    return found
        found = general(dot, variables, run)
        return None if found is ABSENT else found

    return two


def name_path(receiver: Closure, names: Sequence[str], options: Options, site: Site) -> Closure:
    """Names one after another; `ABSENT` if a key is not there."""
    steps = [(name, exported(name)) for name in names]

    def path(dot: Value, variables: list[Value], run: Execution) -> Value:
        value = receiver(dot, variables, run)
        last: Value = ABSENT
        for name, quick in steps:
            if last is None:
                raise site.error(f"nil pointer evaluating interface {{}}.{name}")
            if isinstance(value, (Map, Slice)):
                method = value.go_type.methods.get(name)
                if method is None:
                    found = value.items.get(name, ABSENT) if isinstance(value, Map) else ABSENT
                    if found is not ABSENT:
                        value = last = found
                        continue
                elif method.plain:
                    value = last = method.impl(value)
                    continue
            elif quick:
                inner = value.target if value.__class__ is Pointer else value
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


def method_call(
    receiver: Closure,
    name: str,
    nested: bool,
    options: Options,
    site: Site,
    arguments: Sequence[Argument],
    before: Closure | None,
) -> Closure:
    """A method with arguments, and what is wrong where there is none."""
    known: dict[Type, PreparedCall] = {}

    def method(dot: Value, variables: list[Value], run: Execution) -> Value:
        final = () if before is None else (before(dot, variables, run),)
        value = receiver(dot, variables, run)
        if value is ABSENT:
            value = None
        elif value is None:
            if nested:
                raise site.error(f"nil pointer evaluating interface {{}}.{name}")
        elif value is not NIL and value.__class__ is not Pointer:
            go_type = type_of(value)
            call = known.get(go_type)
            if call is None and name in go_type.methods:
                call = prepared_call(go_type.methods[name], arguments, before is not None, site)
                known[go_type] = call
            if call is not None:
                return call(value, dot, variables, run, final[0] if final else None)
        found = call_member(value, name, options, site, run, arguments, dot, variables, *final)
        return None if found is ABSENT else found

    return method
