"""Types: kinds, methods, functions, and the values that consist of other values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any, Final, TypeAlias

Value: TypeAlias = Any
"""One of the Python values of the table above."""


class Kind(IntEnum):
    """The kind of a type, whatever its name (reflect.Kind)."""

    BOOL = 1
    INT = 2
    INT8 = 3
    INT16 = 4
    INT32 = 5
    INT64 = 6
    UINT = 7
    UINT8 = 8
    UINT16 = 9
    UINT32 = 10
    UINT64 = 11
    UINTPTR = 12
    FLOAT32 = 13
    FLOAT64 = 14
    COMPLEX64 = 15
    COMPLEX128 = 16
    FUNC = 19
    INTERFACE = 20
    MAP = 21
    POINTER = 22
    SLICE = 23
    STRING = 24
    STRUCT = 25


INT_KINDS: Final = frozenset({Kind.INT, Kind.INT8, Kind.INT16, Kind.INT32, Kind.INT64})
UINT_KINDS: Final = frozenset({Kind.UINT, Kind.UINT8, Kind.UINT16, Kind.UINT32, Kind.UINT64, Kind.UINTPTR})
FLOAT_KINDS: Final = frozenset({Kind.FLOAT32, Kind.FLOAT64})
COMPLEX_KINDS: Final = frozenset({Kind.COMPLEX64, Kind.COMPLEX128})
NILABLE_KINDS: Final = frozenset({Kind.FUNC, Kind.INTERFACE, Kind.MAP, Kind.POINTER, Kind.SLICE})


class GoError(Exception):
    """Raised by a function or method where Go's returns an error. The message is Go's."""


class Type:
    """A type of Go. Compared by identity: there is one object for each type.

    ``name`` is what ``%T`` prints. ``named`` is true for a type that a program declared (``template.KV``),
    and for the predeclared ones, not for ``[]string``. ``methods`` are those that a value of this type has;
    those that only a pointer has are in ``pointer_methods``. ``fields`` are a struct's, in their order, with
    the unexported ones.
    """

    __slots__ = (
        "_pointer",
        "_slice",
        "elem",
        "fields",
        "key",
        "kind",
        "make",
        "methods",
        "name",
        "named",
        "pointer_methods",
        "read_fields",
        "signature",
    )

    def __init__(
        self,
        kind: Kind,
        name: str,
        *,
        named: bool = True,
        elem: Type | None = None,
        key: Type | None = None,
        fields: Mapping[str, Type] | None = None,
        signature: Signature | None = None,
        make: Callable[[Any], Value] | None = None,
    ) -> None:
        self.kind = kind
        self.name = name
        self.named = named
        self.elem = elem
        self.key = key
        self.fields: dict[str, Type] = dict(fields or {})
        self.signature = signature
        self.methods: dict[str, Method] = {}
        self.pointer_methods: dict[str, Method] = {}
        self.make = make
        """Makes a value of a basic type from Python's ``int``, ``float``, ``str`` …; for the others None."""
        self.read_fields: Callable[[Value], Mapping[str, Value]] | None = None
        """Of a struct that is a class of its own: gives the fields that are shown when it is printed."""
        self._pointer: Type | None = None
        self._slice: Type | None = None

    def __repr__(self) -> str:
        return f"<Go type {self.name}>"

    def __copy__(self) -> Type:
        return self

    def __deepcopy__(self, memo: object) -> Type:
        return self

    def method(
        self,
        name: str,
        params: Sequence[Type] = (),
        result: Type | Sequence[Type] | None = None,
        *,
        variadic: bool = False,
        fails: bool = False,
        budgeted: bool = False,
        pointer: bool = False,
    ) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
        """A decorator: the function is this type's method ``name``. It gets the receiver and the arguments.

        ``fails``: Go's has an error as its second result; ours raises `GoError`. ``budgeted``: it gets the
        `Budget` before the receiver. ``pointer``: only a pointer to a value of this type has it; it gets the
        value all the same. ``result`` may be a sequence of types for a method that returns none or several:
        a template cannot call it.
        """
        signature = Signature(params, result, variadic=variadic, fails=fails)

        def declare(impl: Callable[..., Value]) -> Callable[..., Value]:
            table = self.pointer_methods if pointer else self.methods
            table[name] = Method(name, signature, impl, budgeted)
            return impl

        return declare

    def find_method(self, name: str) -> Method | None:
        """The method of that name that a value of this type has; of a pointer also the pointed-to type's."""
        found = self.methods.get(name)
        if found is None and self.kind == Kind.POINTER and self.elem is not None:
            found = self.elem.pointer_methods.get(name) or self.elem.methods.get(name)
        return found

    def zero(self) -> Value:
        """Go's zero value of this type."""
        kind = self.kind
        if kind == Kind.INTERFACE:
            return None
        if kind == Kind.SLICE:
            return (
                b""
                if self.elem is PYTHON_TYPES.get(bytes, self).elem and not self.named
                else Slice(self, None)
            )
        if kind == Kind.MAP:
            return Map(self, None)
        if kind == Kind.POINTER:
            return Pointer(None, self)
        if kind == Kind.STRUCT:
            if self.make is not None:
                return self.make(None)
            return Struct(self, {name: field.zero() for name, field in self.fields.items()})
        if kind == Kind.FUNC:
            return Func("", self, None)
        if self.make is None:  # pragma: no cover
            raise TypeError(f"{self.name} has no zero value")
        if kind == Kind.STRING:
            return self.make("")
        return self.make(0)


class Signature:
    """The parameters and results of a function.

    ``variadic``: the last of ``params`` is the type of each further argument.
    """

    __slots__ = ("fails", "params", "results", "variadic")

    def __init__(
        self,
        params: Sequence[Type] = (),
        result: Type | Sequence[Type] | None = None,
        *,
        variadic: bool = False,
        fails: bool = False,
    ) -> None:
        self.params = tuple(params)
        results = (result,) if isinstance(result, Type) else tuple(result or ())
        self.results: tuple[Type, ...] = (*results, ERROR) if fails else results
        self.variadic = variadic
        self.fails = fails


class Method:
    """A method of a type: ``impl(receiver, *arguments)``, with the budget before all if it is budgeted."""

    __slots__ = ("budgeted", "impl", "name", "plain", "signature")

    def __init__(self, name: str, signature: Signature, impl: Callable[..., Value], budgeted: bool) -> None:
        self.plain = not (budgeted or signature.params or signature.fails) and len(signature.results) == 1
        """Whether it is called with the receiver only."""
        self.name = name
        self.signature = signature
        self.impl = impl
        self.budgeted = budgeted


ERROR: Final = Type(Kind.INTERFACE, "error")
ANY: Final = Type(Kind.INTERFACE, "interface {}", named=False)
"""``any``: what takes every value. Also what Go's own functions take as reflect.Value."""
STRINGER: Final = Type(Kind.INTERFACE, "fmt.Stringer")


class Slice:
    """A slice. ``items`` of None makes a nil one. ``spare``: what is behind its end, within its capacity.

    A list is taken as it is: nobody changes it from then on. So it is with the dicts of maps and structs.
    """

    __slots__ = ("go_type", "items", "nil", "spare")

    def __init__(self, go_type: Type, items: Iterable[Value] | None, spare: Sequence[Value] = ()) -> None:
        self.go_type = go_type
        self.nil = items is None
        self.items: list[Value] = items if items.__class__ is list else list(items or ())
        self.spare = spare


class Map:
    """A map. ``items`` of None makes a nil one. The order of the dict does not count."""

    __slots__ = ("go_type", "items", "nil")

    def __init__(self, go_type: Type, items: Mapping[Any, Value] | None) -> None:
        self.go_type = go_type
        self.nil = items is None
        self.items: dict[Any, Value] = items if items.__class__ is dict else dict(items or {})


class Struct:
    """A struct: its fields by name, all of them, in the order of the type."""

    __slots__ = ("fields", "go_type")

    def __init__(self, go_type: Type, fields: Mapping[str, Value]) -> None:
        self.go_type = go_type
        self.fields: dict[str, Value] = fields if fields.__class__ is dict else dict(fields)


class Pointer:
    """A pointer to a value, or a nil one, for which the type must be given."""

    __slots__ = ("go_type", "target")

    def __init__(self, target: Value, go_type: Type | None = None) -> None:
        self.target = target
        self.go_type = go_type if go_type is not None else pointer_to(type_of(target))


class Func:
    """A function as a value, for ``call``. Without ``impl`` it is a nil one."""

    __slots__ = ("go_type", "impl", "name")

    def __init__(self, name: str, go_type: Type, impl: Callable[..., Value] | None) -> None:
        self.name = name
        self.go_type = go_type
        self.impl = impl


PYTHON_TYPES: Final[dict[type, Type]] = {}
"""The types of Python's own classes."""


def type_of(value: Value) -> Type:
    """The type of a value that is not None (reflect.TypeOf). Raises TypeError for what Go has no type for."""
    found = PYTHON_TYPES.get(type(value))
    if found is not None:
        return found
    try:
        go_type: Type = value.go_type
    except AttributeError:
        raise TypeError(f"{type(value).__name__} is not a value of Go") from None
    return go_type


def fields_of(value: Value) -> Mapping[str, Value]:
    """The fields of a struct, in their order, as far as they are known."""
    if isinstance(value, Struct):
        return value.fields
    read = type_of(value).read_fields
    return {} if read is None else read(value)


def pointer_to(elem: Type) -> Type:
    """The type ``*elem``."""
    if elem._pointer is None:
        elem._pointer = Type(Kind.POINTER, f"*{elem.name}", named=False, elem=elem)
    return elem._pointer
