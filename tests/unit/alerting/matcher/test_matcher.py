"""Conditions on labels."""

from __future__ import annotations

import pytest

from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher, MatchType, format_matchers, matches_all, sort_matchers
from tocsin.alerting.silence import Silence


@pytest.mark.parametrize(
    ("match_type", "value", "matching", "not_matching"),
    [
        (MatchType.EQUAL, "x", ["x"], ["", "xx"]),
        (MatchType.EQUAL, "", [""], ["x"]),
        (MatchType.NOT_EQUAL, "x", ["", "y"], ["x"]),
        (MatchType.REGEXP, "x|y.*", ["x", "y", "yz"], ["", "xz"]),
        (MatchType.NOT_REGEXP, "x|y.*", ["", "xz"], ["x", "y", "yz"]),
    ],
)
def test_types(match_type: MatchType, value: str, matching: list[str], not_matching: list[str]) -> None:
    matcher = Matcher(match_type, "a", value)
    assert all(matcher.matches(text) for text in matching)
    assert not any(matcher.matches(text) for text in not_matching)


def test_an_absent_label_is_an_empty_one() -> None:
    assert Matcher(MatchType.EQUAL, "a", "").matches_labels({})
    assert Matcher(MatchType.NOT_EQUAL, "a", "x").matches_labels({})
    assert not Matcher(MatchType.REGEXP, "a", ".+").matches_labels(Labels({"b": "x"}))


def test_all_of_several() -> None:
    matchers = (Matcher(MatchType.EQUAL, "a", "1"), Matcher(MatchType.NOT_EQUAL, "b", "2"))
    assert matches_all(matchers, {"a": "1"})
    assert not matches_all(matchers, {"a": "1", "b": "2"})
    assert matches_all((), {})


def test_numbers_are_those_on_the_wire() -> None:
    assert [match_type.operator for match_type in sorted(MatchType)] == ["=", "=~", "!=", "!~"]
    for match_type in MatchType:
        again = MatchType.of(is_regex=match_type.is_regex, is_equal=match_type.is_equal)
        assert again is match_type


def test_what_is_equal_is_not_unequal() -> None:
    one, same = (Matcher(MatchType.EQUAL, "a", text) for text in ("b", "".join(["b"])))
    assert one == same
    assert not one != same  # noqa: SIM202  (a method of its own)
    assert one != Matcher(MatchType.EQUAL, "a", "c")
    silences = [Silence("i", ((one,),), 0, 1) for _ in range(2)]
    assert not silences[0] != silences[1]  # noqa: SIM202


def test_equality_is_by_what_is_asked() -> None:
    assert Matcher(MatchType.REGEXP, "a", "x.*") == Matcher(MatchType.REGEXP, "a", "x.*")
    assert hash(Matcher(MatchType.REGEXP, "a", "x.*")) == hash(Matcher(MatchType.REGEXP, "a", "x.*"))
    assert Matcher(MatchType.EQUAL, "a", "x") != Matcher(MatchType.NOT_EQUAL, "a", "x")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("a", "x", 'a="x"'),
        ("a", 'q"\\\n\t', 'a="q\\"\\\\\\n\t"'),
        ("a b", "x\t", '"a b"="x\\t"'),
        ("é☃", "x", 'é☃="x"'),
        ("a\u2003b", "x", '"a\\u2003b"="x"'),
    ],
)
def test_text(name: str, value: str, text: str) -> None:
    assert str(Matcher(MatchType.EQUAL, name, value)) == text


def test_alertmanagers_order() -> None:
    matchers = [Matcher(match_type, "a", "x") for match_type in sorted(MatchType)]
    matchers += [Matcher(MatchType.EQUAL, "a", "w"), Matcher(MatchType.EQUAL, "Z", "z")]
    assert format_matchers(sort_matchers(matchers)) == '{Z="z",a="w",a="x",a!="x",a=~"x",a!~"x"}'


def test_a_bad_pattern_or_type_makes_no_matcher() -> None:
    with pytest.raises(ValueError, match="error parsing regexp"):
        Matcher(MatchType.REGEXP, "a", "[")
    with pytest.raises(ValueError, match="unknown matcher type 7"):
        Matcher(7, "a", "x")  # type: ignore[arg-type]
