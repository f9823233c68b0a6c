"""Go's predeclared types, and how others are declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from tocsin.gotemplate.values.types import ANY, PYTHON_TYPES, Kind, Signature, Type

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
    """float32. The code that makes one rounds it."""

    go_type: ClassVar[Type] = Type(Kind.FLOAT32, "float32")


for _class in (Int8, Int16, Int32, Int64, Uint, Uint8, Uint16, Uint32, Uint64, Float32):
    _class.go_type.make = _class

INT64: Final = Int64.go_type
INT32: Final = Int32.go_type
UINT8: Final = Uint8.go_type


def basic(kind: Kind, name: str) -> Type:
    """A named type of a basic kind. Its class comes next, and is set by `Type.make`::

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


BYTES: Final = slice_of(UINT8)
STRINGS: Final = slice_of(STRING)
ANYS: Final = slice_of(ANY)

PYTHON_TYPES.update({str: STRING, bool: BOOL, int: INT, float: FLOAT64, complex: COMPLEX128, bytes: BYTES})
