"""Regular expressions: Go's meaning, fast paths that mean the same as the engine."""

from __future__ import annotations

import re as stdlib_re

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from tests.support.patterns import patterns
from tocsin.alerting import regex, regex_engine
from tocsin.alerting.regex_cost import PatternCostError, cost_of
from tocsin.alerting.silence.validate import make_matcher_sets
from tocsin.errors import ValidationError


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


@given(patterns(), st.text(alphabet="abck.\n9é", max_size=8))
def test_what_is_compiled_means_what_go_compiles(pattern: str, text: str) -> None:
    """Whole, without captures, and dropped from memory or not."""
    try:
        compiled = regex.compile(pattern)
    except ValueError:
        return
    options = re2.Options()
    options.log_errors = False
    expected = re2.compile(f"^(?:{pattern})$", options).search(text) is not None
    for _ in range(2):
        assert compiled.match(text) is expected
        assert compiled.excludes(text) is not expected
        compiled.cool()


@pytest.mark.parametrize("group", ["(a?)", "(?P<n>a?)", "(?<n>a?)"])
def test_groups_are_never_captured(group: str) -> None:
    """RE2's time would grow with their number; names have it capture them whatever its options say."""
    compiled = regex.compile(group + "b*")
    assert compiled.match("ab")
    assert compiled._search.__self__.groups == 0  # type: ignore[union-attr]


def test_a_name_may_be_plain_text() -> None:
    for pattern in (r"\Q(?P<n>a)\E", r"\(?P<n>a\)", "[(?P<n>a)]{7}"):
        assert regex.compile(pattern + "a+").text == pattern + "a+"


def test_the_longest_text_for_a_costly_pattern() -> None:
    """A text that could cost too much neither matches nor fails to: nothing is silenced by it."""
    costly = regex.compile("(a?){1000}a*")
    assert costly.match("a" * 1000)
    assert not costly.match("a" * 100_000)
    assert not costly.excludes("a" * 100_000)
    assert regex.compile(".*foo.*").match("a" * 50_000 + "foo")


def test_programs_share_a_bound() -> None:
    held = [regex.compile(f"(x|{number})[a-z]*" + "b?" * 200) for number in range(1500)]
    assert all(each.match("xb") for each in held)
    assert 0 < regex.hot_bytes() <= regex.HOT_BYTES
    assert sum(each._search is not None for each in held) < len(held)
    before = regex.hot_bytes()
    del held
    assert regex.hot_bytes() < before


def test_nothing_is_kept_of_what_nobody_holds() -> None:
    regex.compile("[a-z]+unheld")
    assert "[a-z]+unheld" not in regex._known
    held = regex.compile("[a-z]+held")
    assert regex.compile("[a-z]+held") is held


def test_a_purse_is_paid_before_anything_is_compiled() -> None:
    with regex.spending():
        held = [regex.compile(rf"\pL{{{number}}}") for number in (20, 23)]
        before = regex.compiled_size()
        with pytest.raises(ValueError, match="too large together"):
            regex.compile(r"\pL{19}")
        assert regex.compiled_size() - before < 100
        assert held[0].match("a" * 20)
    assert regex.compile(r"\pL{19}").match("a" * 19)


@pytest.mark.parametrize("pattern", ["a)|(?:b", "a)|(?:.*b", "a)(?:.*"])
def test_a_pattern_that_does_not_stand_alone(pattern: str) -> None:
    """As Go has it: what it puts around a pattern is part of it."""
    compiled = regex.compile(pattern)
    assert not compiled.stands_alone
    assert compiled.match("ab")
    assert regex.compile("a.b").stands_alone
    with pytest.raises(ValueError, match="missing closing"):
        regex.compile(r"a.\Qb")


@given(patterns())
def test_the_empty_text_is_matched_as_the_engine_does(pattern: str) -> None:
    """Found from a shorter pattern, as a large one is not compiled for it."""
    for number in ("", "{0,1}", "{2}", "{0}", "{0,2}?"):
        try:
            compiled = regex.compile(f"(?:{pattern}){number}|[b-d]{{600}}")
        except ValueError:
            continue
        assert compiled.matches_empty is compiled.match("")


@given(patterns())
def test_a_large_pattern_is_refused_for_what_a_small_one_is(pattern: str) -> None:
    """Each mistake is found before the program is made, and in the same words."""
    large = "[b-d]{600}" + pattern
    try:
        cost_of(large)
    except PatternCostError:
        return  # Refused for its cost, before anybody looks for mistakes.
    try:
        engine = regex_engine.engine(large)
    except ValueError as error:
        expected = str(error)
    else:
        expected = ""
        assert engine
    if "too large" not in expected:
        assert regex.problem(large) == expected


def test_a_large_pattern_is_compiled_for_the_first_text() -> None:
    compiled = regex.compile("[b-d]{600}a")
    assert compiled._search is None
    assert not compiled.matches_empty
    assert compiled._search is None
    assert compiled.match("c" * 600 + "a")
    assert compiled._search is not None


def test_many_patterns_are_read_and_none_is_compiled_before_the_last_is_found_wrong() -> None:
    held = [(1, "text", rf"\pL{{{number}}}") for number in range(1, 8)]
    hot = regex.hot_bytes()
    with pytest.raises(ValidationError, match="missing closing"):
        make_matcher_sets([[*held, (1, "text", "(")]])
    assert regex.hot_bytes() == hot
