"""Go's ``encoding/json``: writes values of Go as JSON, as ``json.Marshal`` does.

``<``, ``>``, ``&``, U+2028 and U+2029 are escaped; maps are sorted by key; floats have JavaScript's form.
A struct type gives the names of its fields by `name_fields`; without that they are Go's names.
Source: the documentation of Go's ``encoding/json`` package, func Marshal.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from tocsin.gotemplate.bounds import Budget
from tocsin.gotemplate.errors import BoundError
from tocsin.gotemplate.fmt.number import float_text
from tocsin.gotemplate.values import (
    BYTES,
    FLOAT_KINDS,
    INT_KINDS,
    UINT_KINDS,
    GoError,
    Kind,
    Method,
    Type,
    Value,
    clean,
    fields_of,
    from_bytes,
    is_nil,
    to_bytes,
    type_of,
)

_DEEPEST: Final = 100
_names: dict[Type, dict[str, str]] = {}

_SHORT: Final = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
_ESCAPED: Final = {
    **{code: f"\\u{code:04x}" for code in (*range(32), *map(ord, "<>&"), 0x2028, 0x2029)},
    **_SHORT,
    **dict.fromkeys(range(0xDC80, 0xDD00), "\N{REPLACEMENT CHARACTER}"),  # as it is, since Go 1.27
}
_SPECIAL: Final = re.compile('[\x00-\x1f"\\\\<>&\u2028\u2029\udc80-\udcff]')
_HTML: Final = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})


def name_fields(go_type: Type, names: Mapping[str, str]) -> None:
    """Sets the JSON names of the fields of a struct type; one that is not in ``names`` is left out."""
    _names[go_type] = dict(names)


def quote_json(text: str) -> str:
    """The string as JSON."""
    return f'"{text.translate(_ESCAPED)}"' if _SPECIAL.search(text) else f'"{text}"'


def marshal(budget: Budget, value: Value) -> str:
    """The value as JSON. Raises GoError, with Go's message, for a value that JSON cannot represent."""
    writer = _Writer(budget)
    writer.write(value, 0)
    return writer.finish()


class _Writer:
    """One call of marshal."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._pieces: list[str] = []
        self._size = 0

    def finish(self) -> str:
        self._budget.claim(self._size)
        return "".join(self._pieces)

    def _put(self, text: str) -> None:
        self._size += len(text)
        if self._size > self._budget.bounds.value_bytes:
            self._budget.claim(self._size)
        self._pieces.append(text)

    def write(self, value: Value, depth: int) -> None:
        self._budget.spend()
        if depth > _DEEPEST:
            raise BoundError("depth", f"a value nested deeper than {_DEEPEST}: the bound of depth is reached")
        if value is None:
            self._put("null")
            return
        go_type = type_of(value)
        if (go_type.methods or go_type.kind == Kind.POINTER) and self._by_method(value, go_type):
            return
        write = _WRITERS.get(go_type.kind)
        if write is None:
            raise GoError(f"json: unsupported type: {go_type.name}")
        write(self, value, go_type, depth)

    def _by_method(self, value: Value, go_type: Type) -> bool:
        for name in ("MarshalJSON", "MarshalText"):
            method = go_type.find_method(name)
            if method is None or method.signature.results[:1] != (BYTES,) or method.signature.params:
                continue
            if go_type.kind == Kind.POINTER and is_nil(value):
                self._put("null")
                return True
            text = from_bytes(self._call(method, value, go_type))
            self._put(text.translate(_HTML) if name == "MarshalJSON" else quote_json(text))
            return True
        return False

    def _call(self, method: Method, value: Value, go_type: Type) -> bytes:
        receiver = value
        if go_type.kind == Kind.POINTER and method.name not in go_type.methods:
            receiver = value.target
        try:
            written = method.impl(self._budget, receiver) if method.budgeted else method.impl(receiver)
        except GoError as error:
            raise GoError(f"json: error calling {method.name} for type {go_type.name}: {error}") from None
        return bytes(written)

    def _bool(self, value: Value, _go_type: Type, _depth: int) -> None:
        self._put("true" if value else "false")

    def _integer(self, value: Value, _go_type: Type, _depth: int) -> None:
        self._put(str(int(value)))

    def _float(self, value: Value, go_type: Type, _depth: int) -> None:
        number = float(value)
        bits = 32 if go_type.kind == Kind.FLOAT32 else 64
        if not math.isfinite(number):
            raise GoError(f"json: unsupported value: {float_text(number, 'g', -1)}")
        if number and not 1e-6 <= abs(number) < 1e21:
            self._put(re.sub(r"e-0([0-9])$", r"e-\1", float_text(number, "e", -1, bits)))
        else:
            self._put(float_text(number, "f", -1, bits))

    def _string(self, value: Value, _go_type: Type, _depth: int) -> None:
        text = str(value)
        self._budget.claim(len(text))
        self._put(quote_json(text))

    def _slice(self, value: Value, _go_type: Type, depth: int) -> None:
        if isinstance(value, bytes):
            self._budget.claim(len(value) * 4 // 3)
            self._put(f'"{base64.b64encode(value).decode()}"')
            return
        if value.nil:
            self._put("null")
            return
        self._put("[")
        for index, item in enumerate(value.items):
            if index:
                self._put(",")
            self.write(item, depth + 1)
        self._put("]")

    def _map(self, value: Value, go_type: Type, depth: int) -> None:
        key_type = go_type.key
        kind = key_type.kind if key_type is not None else Kind.STRING
        if kind != Kind.STRING and kind not in INT_KINDS | UINT_KINDS:
            raise GoError(f"json: unsupported type: {go_type.name}")
        if value.nil:
            self._put("null")
            return
        items = {
            str(key) if isinstance(key, str) else str(int(key)): item for key, item in value.items.items()
        }
        self._object(((key, items[key]) for key in sorted(items, key=to_bytes)), depth)

    def _struct(self, value: Value, go_type: Type, depth: int) -> None:
        names = _names.get(go_type)
        if names is None:
            names = {name: name for name in go_type.fields if name[:1].isupper()}
        fields = fields_of(value)
        self._object(((names[name], field) for name, field in fields.items() if name in names), depth)

    def _object(self, items: Any, depth: int) -> None:
        self._put("{")
        for index, (key, item) in enumerate(items):
            self._put(("," if index else "") + quote_json(clean(key)) + ":")
            self.write(item, depth + 1)
        self._put("}")

    def _pointer(self, value: Value, _go_type: Type, depth: int) -> None:
        self.write(value.target, depth + 1)


_WRITERS: Final[dict[Kind, Callable[[_Writer, Any, Type, int], None]]] = {
    Kind.BOOL: _Writer._bool,
    Kind.STRING: _Writer._string,
    Kind.SLICE: _Writer._slice,
    Kind.MAP: _Writer._map,
    Kind.STRUCT: _Writer._struct,
    Kind.POINTER: _Writer._pointer,
    **dict.fromkeys(INT_KINDS | UINT_KINDS, _Writer._integer),
    **dict.fromkeys(FLOAT_KINDS, _Writer._float),
}
