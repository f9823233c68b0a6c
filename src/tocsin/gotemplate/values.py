"""Go's values, held as Python values; and Go's types, which say what a template may do with them.

======================  ==========================================================================
Go                      here
======================  ==========================================================================
nil (an interface)      ``None``; so is what is not there at all (a missing key of a map)
bool                    ``bool``
string                  ``str``; a byte that is no UTF-8 is a surrogate U+DC80..U+DCFF, as Python's
                        ``surrogateescape`` makes it, so that no byte is lost
int, float64            ``int``, ``float``
complex128              ``complex``
[]byte                  ``bytes``
int64, uint8, float32…  `Int64`, `Uint8`, `Float32` …: subclasses of ``int`` and ``float``
a named basic type      a subclass of ``str``, ``int`` or ``float`` with a class attribute ``go_type``
a slice                 `Slice`: a list, and the type, which knows the type of the elements
a map                   `Map`: a dict, and the type
a struct                `Struct`: a dict of its fields in their order, and the type; or a class of
                        one's own with ``go_type``, and ``fields`` if printing shall see any
a pointer               `Pointer`
a function              `Func`
======================  ==========================================================================

Whatever else Python has is no value of Go and is refused. What a template may reach of a value is what its
type lists under ``fields`` and ``methods``, and nothing else: no attribute of a Python object is in reach.

A value of interface type is simply the value in it. That the static type was an interface shows in Go in a
few places only, and there the type of the container tells: `Type.elem` of a ``[]interface {}`` is `ANY`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any, ClassVar, Final, TypeAlias

Value: TypeAlias = Any
"""One of the Python values of the table above."""


class Kind(IntEnum):
    """What a type is made of, whatever its name (reflect.Kind)."""

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
    """What a function or method raises where Go's would return an error. The message is Go's text of it."""


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
            return b"" if self is BYTES else Slice(self, None)
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
    """What a function takes and returns.

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

    __slots__ = ("budgeted", "impl", "name", "signature")

    def __init__(self, name: str, signature: Signature, impl: Callable[..., Value], budgeted: bool) -> None:
        self.name = name
        self.signature = signature
        self.impl = impl
        self.budgeted = budgeted


class Function:
    """A function that templates know by name: ``impl(*arguments)``, with the budget before all if budgeted.

    The arguments are checked against the signature and adapted before the call. `GoError` is an error
    returned.
    """

    __slots__ = ("budgeted", "impl", "name", "signature")

    def __init__(
        self,
        name: str,
        params: Sequence[Type],
        result: Type | Sequence[Type] | None,
        impl: Callable[..., Value],
        *,
        variadic: bool = False,
        fails: bool = False,
        budgeted: bool = False,
    ) -> None:
        self.name = name
        self.signature = Signature(params, result, variadic=variadic, fails=fails)
        self.impl = impl
        self.budgeted = budgeted


ERROR: Final = Type(Kind.INTERFACE, "error")
ANY: Final = Type(Kind.INTERFACE, "interface {}", named=False)
"""``any``: what takes every value. Also what Go's own functions take as reflect.Value."""
STRINGER: Final = Type(Kind.INTERFACE, "fmt.Stringer")

BOOL: Final = Type(Kind.BOOL, "bool", make=bool)
STRING: Final = Type(Kind.STRING, "string", make=str)
INT: Final = Type(Kind.INT, "int", make=int)
FLOAT64: Final = Type(Kind.FLOAT64, "float64", make=float)
COMPLEX128: Final = Type(Kind.COMPLEX128, "complex128", make=complex)


class Int8(int):
    """int8."""

    go_type: ClassVar[Type] = Type(Kind.INT8, "int8")


class Int16(int):
    """int16."""

    go_type: ClassVar[Type] = Type(Kind.INT16, "int16")


class Int32(int):
    """int32, which is what a rune is."""

    go_type: ClassVar[Type] = Type(Kind.INT32, "int32")


class Int64(int):
    """int64."""

    go_type: ClassVar[Type] = Type(Kind.INT64, "int64")


class Uint(int):
    """uint."""

    go_type: ClassVar[Type] = Type(Kind.UINT, "uint")


class Uint8(int):
    """uint8, which is what a byte is."""

    go_type: ClassVar[Type] = Type(Kind.UINT8, "uint8")


class Uint16(int):
    """uint16."""

    go_type: ClassVar[Type] = Type(Kind.UINT16, "uint16")


class Uint32(int):
    """uint32."""

    go_type: ClassVar[Type] = Type(Kind.UINT32, "uint32")


class Uint64(int):
    """uint64."""

    go_type: ClassVar[Type] = Type(Kind.UINT64, "uint64")


class Float32(float):
    """float32. Whoever makes one rounds it."""

    go_type: ClassVar[Type] = Type(Kind.FLOAT32, "float32")


for _class in (Int8, Int16, Int32, Int64, Uint, Uint8, Uint16, Uint32, Uint64, Float32):
    _class.go_type.make = _class

INT64: Final = Int64.go_type
INT32: Final = Int32.go_type
UINT8: Final = Uint8.go_type


def basic(kind: Kind, name: str) -> Type:
    """A named type of a basic kind. Its class comes next, and is told by `Type.make`::

    class Month(int):
        go_type = basic(Kind.INT, "time.Month")
    Month.go_type.make = Month
    """
    return Type(kind, name)


def slice_of(elem: Type) -> Type:
    """The type ``[]elem``."""
    if elem._slice is None:
        elem._slice = Type(Kind.SLICE, f"[]{elem.name}", named=False, elem=elem)
    return elem._slice


def pointer_to(elem: Type) -> Type:
    """The type ``*elem``."""
    if elem._pointer is None:
        elem._pointer = Type(Kind.POINTER, f"*{elem.name}", named=False, elem=elem)
    return elem._pointer


_maps: dict[tuple[Type, Type], Type] = {}


def map_of(key: Type, elem: Type) -> Type:
    """The type ``map[key]elem``."""
    found = _maps.get((key, elem))
    if found is None:
        found = Type(Kind.MAP, f"map[{key.name}]{elem.name}", named=False, key=key, elem=elem)
        _maps[key, elem] = found
    return found


def named_slice(name: str, elem: Type) -> Type:
    """``type name []elem``."""
    return Type(Kind.SLICE, name, elem=elem)


def named_map(name: str, key: Type, elem: Type) -> Type:
    """``type name map[key]elem``."""
    return Type(Kind.MAP, name, key=key, elem=elem)


def struct(name: str, fields: Mapping[str, Type]) -> Type:
    """``type name struct{…}``. Methods are added with `Type.method`."""
    return Type(Kind.STRUCT, name, fields=fields)


BYTES: Final = slice_of(UINT8)
STRINGS: Final = slice_of(STRING)
ANYS: Final = slice_of(ANY)


class Slice:
    """A slice. ``items`` of None makes a nil one. ``spare``: what is behind its end, within its capacity."""

    __slots__ = ("go_type", "items", "nil", "spare")

    def __init__(self, go_type: Type, items: Iterable[Value] | None, spare: Sequence[Value] = ()) -> None:
        self.go_type = go_type
        self.nil = items is None
        self.items: list[Value] = [] if items is None else list(items)
        self.spare = spare


class Map:
    """A map. ``items`` of None makes a nil one. The order of the dict does not count."""

    __slots__ = ("go_type", "items", "nil")

    def __init__(self, go_type: Type, items: Mapping[Any, Value] | None) -> None:
        self.go_type = go_type
        self.nil = items is None
        self.items: dict[Any, Value] = {} if items is None else dict(items)


class Struct:
    """A struct: its fields by name, all of them, in the order of the type."""

    __slots__ = ("fields", "go_type")

    def __init__(self, go_type: Type, fields: Mapping[str, Value]) -> None:
        self.go_type = go_type
        self.fields: dict[str, Value] = dict(fields)


class Pointer:
    """A pointer to a value, or a nil one, for which the type must be told."""

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


def func_type(signature: Signature) -> Type:
    """The type of functions with that signature."""
    names = [param.name for param in signature.params]
    if signature.variadic:
        names[-1] = f"...{names[-1]}"
    results = ", ".join(result.name for result in signature.results)
    name = f"func({', '.join(names)})"
    if results:
        name += f" ({results})" if len(signature.results) > 1 else f" {results}"
    return Type(Kind.FUNC, name, named=False, signature=signature)


_PYTHON: Final[dict[type, Type]] = {
    str: STRING,
    bool: BOOL,
    int: INT,
    float: FLOAT64,
    complex: COMPLEX128,
    bytes: BYTES,
}


def type_of(value: Value) -> Type:
    """The type of a value that is not None (reflect.TypeOf). Raises TypeError for what is no value of Go."""
    found = _PYTHON.get(type(value))
    if found is not None:
        return found
    go_type = getattr(type(value), "go_type", None)
    if isinstance(go_type, Type):
        return go_type
    if isinstance(value, (Slice, Map, Struct, Pointer, Func)):
        return value.go_type
    raise TypeError(f"{type(value).__name__} is no value of Go")


def type_name(value: Value) -> str:
    """What ``%T`` prints."""
    return "<nil>" if value is None else type_of(value).name


def is_nil(value: Value) -> bool:
    """Whether it is nil: an interface, pointer, map, slice or function."""
    if value is None:
        return True
    if isinstance(value, (Slice, Map)):
        return value.nil
    if isinstance(value, Pointer):
        return value.target is None
    return isinstance(value, Func) and value.impl is None


def implements(go_type: Type, interface: Type) -> bool:
    """Whether a value of the type can be held by the interface."""
    if interface is ANY or go_type is interface:
        return True
    if interface is ERROR:
        return go_type.find_method("Error") is not None
    if interface is STRINGER:
        return go_type.find_method("String") is not None
    return False


def same_underlying(one: Type, other: Type) -> bool:
    """Whether two types are the same but for their names."""
    if one is other:
        return True
    if one.kind != other.kind or one.kind == Kind.INTERFACE:
        return False
    if one.kind == Kind.STRUCT:
        return one.fields == other.fields
    return one.elem is other.elem and one.key is other.key and one.signature is other.signature


def assignable(go_type: Type, target: Type) -> bool:
    """Whether a value of the type may be given where ``target`` is asked for (Go's assignability)."""
    if go_type is target:
        return True
    if target.kind == Kind.INTERFACE:
        return implements(go_type, target)
    if go_type.named and target.named:
        return False
    return same_underlying(go_type, target)


def comparable(go_type: Type) -> bool:
    """Whether values of the type can be compared with ``==``; of an interface: perhaps."""
    if go_type.kind in (Kind.FUNC, Kind.MAP, Kind.SLICE):
        return False
    if go_type.kind == Kind.STRUCT:
        return all(comparable(field) for field in go_type.fields.values())
    return True


def to_bytes(text: str) -> bytes:
    """The bytes of a string of Go's."""
    return text.encode("utf-8", "surrogateescape")


def from_bytes(raw: bytes) -> str:
    """The string of Go's with these bytes, whatever they are."""
    return raw.decode("utf-8", "surrogateescape")


def whole(text: str) -> str:
    """The same bytes in the one form that compares, after joining what may end in half a character."""
    if text.isascii() or not any("\udc80" <= char <= "\udcff" for char in text):
        return text
    return from_bytes(to_bytes(text))


def clean(text: str) -> str:
    """The same text with U+FFFD for each byte that is no UTF-8: as Go's loops over runes see it."""
    if text.isascii() or not any("\udc80" <= char <= "\udcff" for char in text):
        return text
    return "".join("\ufffd" if "\udc80" <= char <= "\udcff" else char for char in text)


def byte_length(text: str) -> int:
    """len(text) as Go counts it."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))


def _sort_key(key: Value) -> Any:
    if isinstance(key, str):
        return (2, key.encode("utf-8", "surrogateescape"))
    if isinstance(key, (int, float)):
        return (1, key)
    return (0, 0) if key is None else (3, 0)


def sorted_keys(items: Mapping[Any, Value]) -> list[Any]:
    """A map's keys in the order in which Go prints it and templates range over it."""
    return sorted(items, key=_sort_key)
