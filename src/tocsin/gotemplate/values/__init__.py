"""Go's values, held as Python values; and Go's types, which say what a template may do with them.

======================  ==========================================================================
Go                      here
======================  ==========================================================================
nil (an interface)      ``None``; so is what is not there at all (a missing key of a map)
bool                    ``bool``
string                  ``str``; a byte that is not UTF-8 is a surrogate U+DC80..U+DCFF, as Python's
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

Whatever else Python has is not a value of Go and is refused. What a template may reach of a value is what its
type lists under ``fields`` and ``methods``, and nothing else: no attribute of a Python object is in reach.

A value of interface type is simply the value in it. That the static type was an interface shows in Go in a
few cases only, and there the type of the container decides: `Type.elem` of a ``[]interface {}`` is `ANY`.
"""

from __future__ import annotations

from tocsin.gotemplate.values.basics import (
    ANYS,
    BOOL,
    BYTES,
    COMPLEX128,
    FLOAT64,
    INT,
    INT32,
    INT64,
    STRING,
    STRINGS,
    UINT8,
    Float32,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    basic,
    func_type,
    map_of,
    named_map,
    named_slice,
    slice_of,
    struct,
)
from tocsin.gotemplate.values.functions import (
    Function,
)
from tocsin.gotemplate.values.relations import (
    assignable,
    comparable,
    implements,
    is_nil,
    same_underlying,
    sorted_keys,
    type_name,
)
from tocsin.gotemplate.values.strings import (
    byte_length,
    clean,
    from_bytes,
    to_bytes,
    whole,
)
from tocsin.gotemplate.values.types import (
    ANY,
    COMPLEX_KINDS,
    ERROR,
    FLOAT_KINDS,
    INT_KINDS,
    NILABLE_KINDS,
    STRINGER,
    UINT_KINDS,
    Func,
    GoError,
    Kind,
    Map,
    Method,
    Pointer,
    Signature,
    Slice,
    Struct,
    Type,
    Value,
    fields_of,
    pointer_to,
    type_of,
)

__all__ = [
    "ANY",
    "ANYS",
    "BOOL",
    "BYTES",
    "COMPLEX128",
    "COMPLEX_KINDS",
    "ERROR",
    "FLOAT64",
    "FLOAT_KINDS",
    "INT",
    "INT32",
    "INT64",
    "INT_KINDS",
    "NILABLE_KINDS",
    "STRING",
    "STRINGER",
    "STRINGS",
    "UINT8",
    "UINT_KINDS",
    "Float32",
    "Func",
    "Function",
    "GoError",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "Kind",
    "Map",
    "Method",
    "Pointer",
    "Signature",
    "Slice",
    "Struct",
    "Type",
    "Uint",
    "Uint8",
    "Uint16",
    "Uint32",
    "Uint64",
    "Value",
    "assignable",
    "basic",
    "byte_length",
    "clean",
    "comparable",
    "fields_of",
    "from_bytes",
    "func_type",
    "implements",
    "is_nil",
    "map_of",
    "named_map",
    "named_slice",
    "pointer_to",
    "same_underlying",
    "slice_of",
    "sorted_keys",
    "struct",
    "to_bytes",
    "type_name",
    "type_of",
    "whole",
]
