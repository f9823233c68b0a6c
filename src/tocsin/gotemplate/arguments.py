"""Arguments: whether a value is assignable to a parameter's type, and which type constants get."""

from __future__ import annotations

from collections.abc import Callable

from tocsin.gotemplate.errors import ExecError
from tocsin.gotemplate.execution import NIL, Closure, Execution, Site
from tocsin.gotemplate.nodes import BoolNode, NilNode, NumberNode, Operand, StringNode
from tocsin.gotemplate.values import (
    ANY,
    COMPLEX_KINDS,
    FLOAT_KINDS,
    INT_KINDS,
    NILABLE_KINDS,
    STRING,
    UINT_KINDS,
    Kind,
    Map,
    Pointer,
    Slice,
    Type,
    Value,
    assignable,
    type_of,
)


def adapt(value: Value, target: Type, site: Site) -> Value:
    """The value as one of the target type. Raises `ExecError` if it cannot be that."""
    if value is None or value is NIL:
        if target.kind in NILABLE_KINDS:
            return target.zero()
        raise site.error(f"invalid value; expected {target.name}")
    go_type = type_of(value)
    if go_type is target or target is ANY:
        return value
    if assignable(go_type, target):
        return renamed(value, target)
    if value.__class__ is Pointer and go_type.elem is not None and assignable(go_type.elem, target):
        if value.target is None:
            raise site.error(f"dereference of nil pointer of type {target.name}")
        return renamed(value.target, target)
    raise site.error(f"wrong type for value; expected {target.name}; got {go_type.name}")


def renamed(value: Value, target: Type) -> Value:
    """A slice or map with a type of the same underlying one."""
    if target.kind == Kind.SLICE and value.__class__ is Slice and value.go_type is not target:
        return Slice(target, None if value.nil else value.items, value.spare)
    if target.kind == Kind.MAP and value.__class__ is Map and value.go_type is not target:
        return Map(target, None if value.nil else value.items)
    return value


def wrap(value: int, kind: Kind) -> int:
    """An integer as it is cut to fit its kind."""
    bits = {
        Kind.INT8: 8,
        Kind.INT16: 16,
        Kind.INT32: 32,
        Kind.UINT8: 8,
        Kind.UINT16: 16,
        Kind.UINT32: 32,
    }.get(kind, 64)
    value &= (1 << bits) - 1
    if kind in INT_KINDS and value >> (bits - 1):
        value -= 1 << bits
    return value


def ideal(node: NumberNode, site: Site) -> Value:
    """The value of a number constant where any type is accepted: complex, float or int, depending on its
    notation."""
    if node.as_complex is not None:
        return node.as_complex
    text = node.text
    hexadecimal = text[:2] in ("0x", "0X") and not any(char in text for char in "pP")
    if (
        node.as_float is not None
        and not hexadecimal
        and text[0] != "'"
        and any(char in text for char in ".eEpP")
    ):
        return node.as_float
    if node.as_int is not None:
        return node.as_int
    raise site.error(f"{text} overflows int")


def constant(node: Operand, target: Type, site: Site) -> Value:
    """The value of a constant as an argument of the target type. Raises `ExecError`."""
    kind = target.kind
    if isinstance(node, NilNode):
        if kind in NILABLE_KINDS:
            return target.zero()
        raise site.error(f"cannot assign nil to {target.name}")
    if target is ANY:
        if isinstance(node, NumberNode):
            return ideal(node, site)
        if isinstance(node, (BoolNode, StringNode)):
            return node.value
    if isinstance(node, NumberNode):
        value = _number(node, target)
    elif (kind == Kind.STRING and isinstance(node, StringNode)) or (
        kind == Kind.BOOL and isinstance(node, BoolNode)
    ):
        value = node.value
    else:
        value = None
    if value is None:
        wanted = _expected(kind)
        if wanted is None:
            raise site.error(f"can't handle {node.text} for arg of type {target.name}")
        raise site.error(f"expected {wanted}; found {node.text}")
    return value if target is STRING or target.make is None else target.make(value)


def _number(node: NumberNode, target: Type) -> Value:
    kind = target.kind
    if kind in INT_KINDS:
        return None if node.as_int is None else wrap(node.as_int, kind)
    if kind in UINT_KINDS:
        return None if node.as_uint is None else wrap(node.as_uint, kind)
    if kind in FLOAT_KINDS:
        return node.as_float
    if kind in COMPLEX_KINDS:
        return node.as_complex
    return None


def _expected(kind: Kind) -> str | None:
    if kind in INT_KINDS:
        return "integer"
    if kind in UINT_KINDS:
        return "unsigned integer"
    if kind in FLOAT_KINDS:
        return "float"
    if kind in COMPLEX_KINDS:
        return "complex"
    return {Kind.STRING: "string", Kind.BOOL: "bool"}.get(kind)


class Argument:
    """An operand that is an argument. Its closure depends on the parameter's type."""

    __slots__ = ("_by_type", "_evaluate", "node", "site")

    def __init__(self, node: Operand, site: Site, evaluate: Closure | None) -> None:
        self.node = node
        self.site = site
        self._evaluate = evaluate
        self._by_type: dict[Type, Closure] = {}

    def closure(self, target: Type) -> Closure:
        """A closure that evaluates the argument as a value of that type."""
        found = self._by_type.get(target)
        if found is None:
            found = self._by_type[target] = self._make(target)
        return found

    def _make(self, target: Type) -> Closure:
        evaluate = self._evaluate
        site = self.site
        if evaluate is None:
            node = self.node
            try:
                value = constant(node, target, site)
            except ExecError:

                def fail(_dot: Value, _variables: list[Value], _run: Execution) -> Value:
                    return constant(node, target, site)

                return fail

            def give(_dot: Value, _variables: list[Value], _run: Execution) -> Value:
                return value

            return give
        if target is ANY:
            return evaluate
        if target is STRING:

            def text(dot: Value, variables: list[Value], run: Execution) -> Value:
                value = evaluate(dot, variables, run)
                return value if value.__class__ is str else adapt(value, STRING, site)

            return text

        def adapted(dot: Value, variables: list[Value], run: Execution) -> Value:
            return adapt(evaluate(dot, variables, run), target, site)

        return adapted


Adapter = Callable[[Value], Value]


def adapter(target: Type, site: Site) -> Adapter | None:
    """Converts a piped value to the target type; None if no conversion is needed."""
    if target is ANY:
        return None

    def adapted(value: Value) -> Value:
        return adapt(value, target, site)

    return adapted
