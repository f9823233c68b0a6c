"""Values become the JSON that Go's encoding/json writes."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.gotemplate import BoundError, Bounds, Budget
from tocsin.gotemplate.gojson import marshal, name_fields, quote_json
from tocsin.gotemplate.gotime.bindings import Duration, Time
from tocsin.gotemplate.values import (
    ANY,
    ANYS,
    INT,
    STRING,
    STRINGS,
    GoError,
    Map,
    Pointer,
    Slice,
    Struct,
    Uint8,
    map_of,
    pointer_to,
    struct,
)

PAIR = struct("main.Pair", {"Name": STRING, "Value": ANY, "hidden": INT})
NAMED = struct("main.Named", {"Name": STRING, "Secret": STRING})
name_fields(NAMED, {"Name": "name"})

VALUES: list[tuple[Any, str]] = [
    (None, "null"),
    (True, "true"),
    (Uint8(97), "97"),
    (1.0, "1"),
    (2.5, "2.5"),
    (1e20, "100000000000000000000"),
    (1e21, "1e+21"),
    (1e-6, "0.000001"),
    (1e-7, "1e-7"),
    (1e-10, "1e-10"),
    (-0.0, "-0"),
    ("a\"b\\c/<>&'", '"a\\"b\\\\c/\\u003c\\u003e\\u0026\'"'),
    ("\0\x07\b\t\n\f\r\x1f\x7f", '"\\u0000\\u0007\\b\\t\\n\\f\\r\\u001f\x7f"'),
    ("é🔥\u2028\u2029\udcff", '"é🔥\\u2028\\u2029\ufffd"'),
    (b"ab", '"YWI="'),
    (Slice(STRINGS, ["a", "b"]), '["a","b"]'),
    (Slice(STRINGS, []), "[]"),
    (Slice(STRINGS, None), "null"),
    (Map(map_of(STRING, ANY), {"b": 1, "a": None}), '{"a":null,"b":1}'),
    (Map(map_of(INT, ANY), {10: 1, 9: 2}), '{"10":1,"9":2}'),
    (Map(map_of(STRING, ANY), None), "null"),
    (Struct(PAIR, {"Name": "n", "Value": 1, "hidden": 2}), '{"Name":"n","Value":1}'),
    (Struct(NAMED, {"Name": "n", "Secret": "s"}), '{"name":"n"}'),
    (Pointer(Struct(NAMED, {"Name": "n", "Secret": "s"})), '{"name":"n"}'),
    (Pointer(None, pointer_to(PAIR)), "null"),
    (Time(0, 500_000_000), '"1970-01-01T00:00:00.5Z"'),
    (Pointer(Time(0)), '"1970-01-01T00:00:00Z"'),
    (Duration(5), "5"),
]


@pytest.mark.parametrize(("value", "text"), VALUES)
def test_a_value(value: Any, text: str) -> None:
    assert marshal(Budget(), value) == text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1j, "json: unsupported type: complex128"),
        (math.nan, "json: unsupported value: NaN"),
        (math.inf, "json: unsupported value: +Inf"),
        (Map(map_of(ANY, ANY), {1: 2}), "json: unsupported type: map[interface {}]interface {}"),
        (Time(1 << 40), "json: error calling MarshalJSON for type time.Time: "),
    ],
)
def test_what_has_no_json(value: Any, message: str) -> None:
    with pytest.raises(GoError) as caught:
        marshal(Budget(), value)
    assert str(caught.value).startswith(message)


@given(st.text())
def test_a_string_reads_back(text: str) -> None:
    assert json.loads(quote_json(text)) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back(number: float) -> None:
    assert float(json.loads(marshal(Budget(), number))) == number


def test_what_is_too_much_is_refused() -> None:
    with pytest.raises(BoundError):
        marshal(Budget(Bounds(value_bytes=1000)), Slice(ANYS, ["x" * 100] * 100))
    deep: Any = None
    for _ in range(150):
        deep = Slice(ANYS, [deep])
    with pytest.raises(BoundError) as caught:
        marshal(Budget(), deep)
    assert caught.value.bound == "depth"
