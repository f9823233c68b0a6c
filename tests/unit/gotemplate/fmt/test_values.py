"""Strings, containers and what has methods print as Go prints them."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin.gotemplate.bounds import Bounds, Budget
from tocsin.gotemplate.errors import BoundError
from tocsin.gotemplate.fmt import sprint, sprintf, sprintln
from tocsin.gotemplate.values import (
    ANY,
    ANYS,
    INT,
    STRING,
    STRINGS,
    Map,
    Pointer,
    Slice,
    Struct,
    map_of,
    named_map,
    named_slice,
    pointer_to,
    struct,
)

PAIR = struct("template.Pair", {"Name": STRING, "Value": STRING})
PAIRS = named_slice("template.Pairs", PAIR)
KV = named_map("template.KV", STRING, STRING)
HOLDER = struct("main.Holder", {"KV": KV, "any": ANY, "next": pointer_to(PAIR)})
FAILURE = struct("main.Failure", {"code": INT})
SECRET = struct("main.Secret", {"text": STRING})

KV.method("String", (), STRING)(lambda kv: ", ".join(f"{k}={v}" for k, v in sorted(kv.items.items())))
FAILURE.method("Error", (), STRING)(lambda failure: f"failure {failure.fields['code']}")
FAILURE.method("String", (), STRING)(lambda _: "not this")
SECRET.method("GoString", (), STRING)(lambda _: "Secret(…)")

PAIR_1 = Struct(PAIR, {"Name": "a", "Value": "x y"})
KV_1 = Map(KV, {"b": "2", "a": "1"})
HOLDER_1 = Struct(HOLDER, {"KV": KV_1, "any": None, "next": Pointer(None, pointer_to(PAIR))})
LIST = Slice(ANYS, [1, "a", None, 2.5])
DICT = Map(map_of(STRING, ANY), {"b": 1, "a": "x"})

VALUES: list[tuple[str, Any, str]] = [
    ("%s", "a\tb", "a\tb"),
    ("%5s|", "äö", "   äö|"),
    ("%05s|", "ab", "000ab|"),
    ("%-5s|", "ab", "ab   |"),
    ("%.2s|", "äöü", "äö|"),
    ("%q", 'a"b é\n', r'"a\"b é\n"'),
    ("%+q", "é", r'"\u00e9"'),
    ("%#q", "a b", "`a b`"),
    ("%#q", "a`b", '"a`b"'),
    ("%q", "\udcff", r'"\xff"'),
    ("%x", "hé", "68c3a9"),
    ("% X", "hé", "68 C3 A9"),
    ("%# x", "ab", "0x61 0x62"),
    ("%#x", "ab", "0x6162"),
    ("%.1x", "ab", "61"),
    ("%6x|", "ab", "  6162|"),
    ("%d", "a", "%!d(string=a)"),
    ("%v", b"ab", "[97 98]"),
    ("%s", b"ab", "ab"),
    ("%x", b"ab", "6162"),
    ("%#v", b"ab", "[]byte{0x61, 0x62}"),
    ("%c", b"ab", "[a b]"),
    ("%t", True, "true"),
    ("%7t|", False, "  false|"),
    ("%d", True, "%!d(bool=true)"),
    ("%v", None, "<nil>"),
    ("%7v|", None, "  <nil>|"),
    ("%d", None, "%!d(<nil>)"),
    ("%T", None, "<nil>"),
    ("%v", LIST, "[1 a <nil> 2.5]"),
    ("%#v", LIST, '[]interface {}{1, "a", interface {}(nil), 2.5}'),
    ("%q", LIST, "['\\x01' \"a\" <nil> %!q(float64=2.5)]"),
    ("%v", Slice(STRINGS, None), "[]"),
    ("%#v", Slice(STRINGS, None), "[]string(nil)"),
    ("%v", DICT, "map[a:x b:1]"),
    ("%#v", DICT, 'map[string]interface {}{"a":"x", "b":1}'),
    ("%#v", Map(KV, None), "template.KV(nil)"),
    ("%3d|", Slice(ANYS, [1, 2]), "[  1   2]|"),
    ("%v", PAIR_1, "{a x y}"),
    ("%+v", PAIR_1, "{Name:a Value:x y}"),
    ("%#v", PAIR_1, 'template.Pair{Name:"a", Value:"x y"}'),
    ("%v", Slice(PAIRS, [PAIR_1]), "[{a x y}]"),
    ("%v", Pointer(PAIR_1), "&{a x y}"),
    ("%+v", Pointer(PAIR_1), "&{Name:a Value:x y}"),
    ("%T", Pointer(PAIR_1), "*template.Pair"),
    ("%v", Pointer(None, pointer_to(PAIR)), "<nil>"),
    ("%v", KV_1, "a=1, b=2"),
    ("%s", Pointer(KV_1), "a=1, b=2"),
    ("%d", KV_1, "map[%!d(string=a):%!d(string=1) %!d(string=b):%!d(string=2)]"),
    ("%#v", KV_1, 'template.KV{"a":"1", "b":"2"}'),
    ("%v", HOLDER_1, "{a=1, b=2 <nil> <nil>}"),
    ("%+v", HOLDER_1, "{KV:a=1, b=2 any:<nil> next:<nil>}"),
    ("%#v", Pointer(None, pointer_to(PAIR)), "(*template.Pair)(nil)"),
    ("%v", Struct(FAILURE, {"code": 5}), "failure 5"),
    ("%d", Struct(FAILURE, {"code": 5}), "{5}"),
    ("%v", Struct(SECRET, {"text": "s"}), "{s}"),
    ("%#v", Struct(SECRET, {"text": "s"}), "Secret(…)"),
    ("%z", KV_1, "map[%!z(string=a):%!z(string=1) %!z(string=b):%!z(string=2)]"),
    ("%w", "a", "%!w(string=a)"),
    ("%w", Slice(STRINGS, ["a", "b"]), "%!w([]string=[a b])"),
]


@pytest.mark.parametrize(("text", "value", "printed"), VALUES)
def test_a_value(text: str, value: Any, printed: str) -> None:
    assert sprintf(Budget(), text, [value]) == printed


FORMATS: list[tuple[str, list[Any], str]] = [
    ("plain", [], "plain"),
    ("%%|%5%", [], "%|%"),
    ("%", [], "%!(NOVERB)"),
    ("%-", [], "%!(NOVERB)"),
    ("%.", [], "%!.(MISSING)"),
    ("%!", [], "%!!(MISSING)"),
    ("%d %d", [1], "1 %!d(MISSING)"),
    ("x", [1, None, "a"], "x%!(EXTRA int=1, <nil>, string=a)"),
    ("%[2]d %[1]d", [1, 2], "2 1"),
    ("%[2]d", [1, 2], "2"),
    ("%[1]d %d", [1, 2], "1 2"),
    ("%[3]d", [1], "%!d(BADINDEX)"),
    (f"%[{'0' * 5_000}2]d", [1, 2], "2"),
    (f"%[{'1' * 5_000}]d", [1, 2], "%!d(BADINDEX)"),
    ("%[x]d", [1], "%!d(BADINDEX)"),
    ("%[1]2d", [1], "%!d(BADINDEX)"),
    ("%[1].2d", [1], "%!d(BADINDEX)"),
    ("%[1", [1], "%!(NOVERB)"),
    ("%*d|", [5, 2], "    2|"),
    ("%-*d|", [5, 2], "2    |"),
    ("%*d|", [-5, 2], "2    |"),
    ("%[2]*[1]d|", [2, 5], "    2|"),
    ("%.*f", [1, 2.25], "2.2"),
    ("%*d", ["a", 1], "%!(BADWIDTH)1"),
    ("%.*d", [-1, 1], "%!(BADPREC)1"),
    ("%*d", [2000000, 1], "%!(BADWIDTH)1"),
    ("%1000000000d", [1], "%!(NOVERB)%!(EXTRA int=1)"),
    ("%é", [1], "%!é(int=1)"),
]


@pytest.mark.parametrize(("text", "values", "printed"), FORMATS)
def test_a_format(text: str, values: list[Any], printed: str) -> None:
    assert sprintf(Budget(), text, values) == printed


def test_print_puts_blanks_where_no_side_is_a_string() -> None:
    assert sprint(Budget(), []) == ""
    assert sprint(Budget(), ["a", 1, 2, "b", 3.0, None, True]) == "a1 2b3 <nil> true"
    assert sprintln(Budget(), ["a", 1, "b"]) == "a 1 b\n"
    assert sprintln(Budget(), []) == "\n"


def test_a_width_that_fits_no_budget_is_refused_before_it_is_made() -> None:
    with pytest.raises(BoundError) as caught:
        sprintf(Budget(Bounds(value_bytes=100_000)), "%999999d", [1])
    assert caught.value.bound == "value"
    with pytest.raises(BoundError):
        sprintf(Budget(), "%999999d%999999s%999999v", [1, "a", True])


def test_a_value_that_unfolds_without_end_is_refused() -> None:
    bomb: Any = Slice(ANYS, ["x"])
    for _ in range(40):
        bomb = Slice(ANYS, [bomb, bomb])
    with pytest.raises(BoundError):
        sprint(Budget(Bounds(value_bytes=10_000)), [bomb])
    deep: Any = Slice(ANYS, [])
    for _ in range(1_000):
        deep = Slice(ANYS, [deep])
    with pytest.raises(BoundError) as caught:
        sprint(Budget(), [deep])
    assert caught.value.bound == "depth"
    while deep.items:  # taken apart one by one: to free it at once would be as deep
        deep = deep.items.pop()
