"""Texts are read as gopkg.in/yaml.v2 reads them."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.notify.template.yamlvalues import NotYamlError, read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("0x1F", 31),
        ("010", 8),
        ("0o10", 8),
        ("-0b11", -3),
        ("1_000", 1000),
        ("+5", 5),
        ("18446744073709551615", 18446744073709551615),
        ("18446744073709551616", 1.8446744073709552e19),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1:30", "1:30"),
        ("yes", True),
        ("n", False),
        ("Off", False),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("!!float 1", 1.0),
        ("2026-01-02", "2026-01-02"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("a: {b: [1, x]}", {"a": {"b": [1, "x"]}}),
        ("- &a {k: v}\n- *a\n- {<<: *a, k: w, z: x}", [{"k": "v"}, {"k": "v"}, {"k": "w", "z": "x"}]),
        ("1\n---\n2", 1),
        ("# only a comment", None),
        ("a: 1\na: 2", {"a": 2}),
        ("!!binary aGk=", "hi"),
        ("{1: 2}", {1: 2}),
    ],
)
def test_values(text: str, value: Any) -> None:
    made = read(text)
    assert made == value
    assert type(made) is type(value)


DIGITS = {"": "0123456789", "0x": "0123456789abcdefABCDEF", "0b": "01", "0o": "01234567", "0": "01234567"}


@given(
    st.sampled_from(["", "-", "+"]),
    st.sampled_from(sorted(DIGITS)),
    st.integers(0, 5_000),
    st.data(),
    st.integers(4_301, 6_000),
    st.sampled_from(["", "e1", "e-1", ".", ".5", "e5000", "e-9000", "_"]),
)
def test_a_number_of_thousands_of_digits_is_a_text_or_what_go_makes_of_it(
    sign: str, prefix: str, zeros: int, data: st.DataObject, length: int, end: str
) -> None:
    some = data.draw(st.text(DIGITS[prefix], min_size=1, max_size=8)).lstrip("0") or "1"
    text = f"{sign}{prefix}{'0' * zeros * bool(prefix)}{(some * length)[:length]}{end}"
    decimal = prefix == "" or (prefix == "0" and end not in ("", "_"))
    small = decimal and end == "e-9000"  # Nothing else brings it within the range of a float.
    assert read(text) == (float(text) if small else text)
    assert read(f"[{text}]") == [read(text)]
    assert read(f"a: {text}") == {"a": read(text)}
    for tag in ("int", "float"):
        if not small:
            with pytest.raises(NotYamlError, match="cannot decode"):
                read(f"!!{tag} {text}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0" * 5_000 + "7", 7),
        ("-" + "0" * 5_000 + "_7", -7),
        ("0x" + "0" * 5_000 + "_1F", 31),
        ("0b" + "0" * 5_000 + "11", 3),
        ("0" * 5_000 + "9", 9.0),
        ("_".join("1" * 20), 11111111111111111111),
        ("1" + "0" * 300, 1e300),
        ("1" + "0" * 309, "1" + "0" * 309),
        ("0." + "1" * 5_000, 1 / 9),
        (".1e400", ".1e400"),
        (".1e-400", 0.0),
    ],
    ids=lambda each: str(each)[:24],
)
def test_long_numbers_within_the_range_and_short_ones_outside(text: str, value: Any) -> None:
    test_values(text, value)


LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdef", "bcdefg", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        "a: b: c",
        "[",
        "*x",
        "&a [*a]",
        "!!int x",
        "\udcff",
        "[" * 500 + "]" * 500,
        LAUGHS,
        "{[1]: 2}",
        "<<: 1",
    ],
)
def test_what_is_no_yaml(text: str) -> None:
    with pytest.raises(NotYamlError):
        read(text)


WORDS = st.text(
    st.sampled_from("yYnot0123456789xeE_.+-:/ ~=%@()#'\"\\,[]{}&*!|>?\n\té\x07\u2028\ufffe"), max_size=8
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


def _either(text: str) -> str:
    try:
        return repr(read(text))
    except NotYamlError:
        return "no YAML"


@given(WORDS | st.builds(json.dumps, JSON) | st.builds(partial(json.dumps, ensure_ascii=False), JSON))
def test_what_is_read_quickly_is_read_as_by_the_parser(text: str) -> None:
    # With the mark before it a document always goes through the parser.
    if not text.startswith(("-", "%", ".")):
        assert _either(text) == _either(f"---\n{text}")
    assert _either(f"[{text}]") == _either(f"---\n[{text}]")


@pytest.mark.parametrize(
    "text",
    ['{"' + 1100 * "k" + '":1}', "[" * 201 + "]" * 201, '["\\ud83d\\ude00"]', "[NaN]", '["\\/"]', "[1,]"],
)
def test_what_json_and_yaml_take_in_different_ways_is_read_as_yaml(text: str) -> None:
    assert _either(text) == _either(f"---\n{text}")
