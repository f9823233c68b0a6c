"""What all texts begin with that match a pattern."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.patterns import patterns
from tocsin.alerting import regex
from tocsin.alerting.regex_prefix import LONGEST, literal_prefix


@pytest.mark.parametrize(
    ("pattern", "prefix"),
    [
        ("host-1[.].*", "host-1"),
        ("host-1\\.example", "host-1.example"),
        ("^host.*$", "host"),
        ("host-1(:.*)?", "host-1"),
        ("host-(1|2)", "host-"),
        ("host-[1|2]", "host-"),
        ("host|", ""),
        ("a|ab", ""),
        ("ab|(c", ""),
        ("hosts?", "host"),
        ("hosts*", "host"),
        ("hosts+", "hosts"),
        ("hosts{0,2}", "host"),
        ("(?i)host", ""),
        ("\\Qa|b\\E", ""),
        ("hosts(?i)*", ""),  # Go repeats what stands before flags,
        ("hosts+(?-s)?", ""),
        ("hosts\\Q\\E{0,2}", ""),  # or before a quotation of nothing
        ("hosts(?:)*", "hosts"),
        ("\\d+", ""),
        ("a\\d", "a"),
        (".*a", ""),
        ("", ""),
        ("x" * 40, "x" * LONGEST),
        ("x" * LONGEST + "?", "x" * (LONGEST - 1)),
    ],
)
def test_what_it_is(pattern: str, prefix: str) -> None:
    assert literal_prefix(pattern) == prefix


@given(patterns(), st.text(alphabet="abcké.\nx|", max_size=6))
def test_whatever_matches_begins_so(pattern: str, text: str) -> None:
    try:
        compiled = regex.compile(pattern)
    except ValueError:
        return
    if compiled.stands_alone and compiled.match(text):
        assert text.startswith(literal_prefix(compiled.text))


@pytest.mark.parametrize("pattern", ["hosts(?i)*", "hosts+(?-s)?", "hosts\\Q\\E{0,2}"])
def test_what_is_repeated_across_flags_may_be_missing(pattern: str) -> None:
    compiled = regex.compile(pattern)
    assert compiled.stands_alone
    assert compiled.match("host")
    assert "host".startswith(literal_prefix(compiled.text))
