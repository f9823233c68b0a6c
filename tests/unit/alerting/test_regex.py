"""Regular expressions: Go's meaning, fast paths that mean the same as the engine."""

from __future__ import annotations

import re as stdlib_re

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from tocsin.alerting import regex


@pytest.mark.parametrize(
    ("pattern", "matching", "not_matching"),
    [
        ("abc", ["abc"], ["ab", "abcd", "ABC", ""]),
        ("a|b|", ["a", "b", ""], ["ab", "a|b"]),
        (".*", ["", "abc"], ["a\nb"]),
        (".+", ["abc"], ["", "a\nb"]),
        ("a.*", ["a", "ab"], ["ba", "a\n"]),
        ("(?i)abc", ["ABC"], ["abd"]),
        ("(?s).*", ["a\nb"], []),
        ("\\pL+", ["é"], ["1"]),
        ("[[:alpha:]]\\z", ["a"], ["1"]),
        ("\\Qa.b\\E", ["a.b"], ["axb"]),
        ("\\Q\\C\\E", ["\\C"], ["C"]),
        ("\\\\C", ["\\C"], ["C"]),
        ("a$", ["a"], ["a\n"]),
        ("☃.", ["☃☃"], ["☃"]),
    ],
)
def test_meaning(pattern: str, matching: list[str], not_matching: list[str]) -> None:
    match = regex.compile(pattern).match
    assert all(match(text) for text in matching)
    assert not any(match(text) for text in not_matching)


def test_a_single_byte_is_refused_as_in_go() -> None:
    for pattern in ("\\C", "a\\Cb", "\\\\\\C", "\\Q\\E\\C"):
        with pytest.raises(ValueError, match=r"invalid escape sequence: `\\C`"):
            regex.compile(pattern)


def test_a_pattern_that_backtracking_engines_choke_on() -> None:
    assert not regex.compile("(a|a)*$x").match("a" * 5000)


def test_problem_names_the_pattern_as_it_stands() -> None:
    assert regex.problem("a(") == "error parsing regexp: missing closing ): `a(`"
    assert regex.problem("a\\") == "error parsing regexp: trailing backslash at end of expression: ``"
    assert regex.problem("a.b") == ""


def test_an_expression_too_large_for_the_engine() -> None:
    with pytest.raises(ValueError, match=r"^error parsing regexp: expression too large"):
        regex.compile("\\pL{1000}" * 16)


@given(st.text(alphabet="ab|.*+\n", max_size=6), st.text(alphabet="ab|\n", max_size=4))
def test_fast_paths_agree_with_the_engine(pattern: str, text: str) -> None:
    try:
        compiled = regex.compile(pattern)
    except ValueError:
        return
    engine = re2.compile(f"^(?:{pattern})$")
    assert compiled.match(text) == (engine.search(text) is not None)


@given(st.text(max_size=12), st.text(max_size=12))
def test_any_pattern_compiles_or_is_refused_and_no_text_breaks_it(pattern: str, text: str) -> None:
    try:
        compiled = regex.compile(pattern)
    except ValueError as error:
        refusal = str(error)
    else:
        assert compiled.match(text) in (True, False)
        assert compiled.match("\ud800") in (True, False)
        return
    assert refusal.startswith("error parsing regexp: ")


def test_the_literal_test_is_what_it_says() -> None:
    for character in map(chr, range(32, 127)):
        if stdlib_re.escape(character) == character:
            assert regex.compile(f"x{character}").match(f"x{character}")
