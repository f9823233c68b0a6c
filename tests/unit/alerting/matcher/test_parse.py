"""Matcher text: both notations, and which of them counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.alerting.matcher import (
    Matcher,
    MatchType,
    ParserMode,
    ParseWarning,
    format_matchers,
    parse_matcher,
    parse_matchers,
)
from tocsin.alerting.matcher.matcher import SPACES

# What Alertmanager 0.33.1 said to each text as a filter of GET /api/v2/alerts: its error, or "".
ANSWERS: list[tuple[str, str]] = [
    (text, answer)
    for text, answer in json.loads(
        (Path(__file__).parent.parent / "data" / "matcher-answers.json").read_text(encoding="utf-8")
    )
]


@pytest.mark.parametrize(("text", "answer"), ANSWERS, ids=lambda value: repr(value)[:30])
def test_the_answer_is_alertmanagers(text: str, answer: str) -> None:
    try:
        parse_matcher(text)
    except ValueError as error:
        given_answer = str(error)
    else:
        given_answer = ""
    assert given_answer == answer


def utf8(text: str) -> str:
    return format_matchers(parse_matchers(text, mode=ParserMode.UTF8_STRICT))


def classic(text: str) -> str:
    return format_matchers(parse_matchers(text, mode=ParserMode.CLASSIC))


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", "{}"),
        ("{}", "{}"),
        (" { } ", "{}"),
        ("foo=bar", '{foo="bar"}'),
        ("{foo=bar,}", '{foo="bar"}'),
        ("{foo!=bar, baz=~[a-z]+ ,x!~y}", '{foo!="bar",baz=~"[a-z]+",x!~"y"}'),
        ('"foo"="bar",', '{foo="bar"}'),
        ('{"a b"="c"}', '{"a b"="c"}'),
        ("🙂=🙂bar", '{🙂="🙂bar"}'),
        ('foo="\\xf0\\x9f\\x99\\x82"', '{foo="🙂"}'),
        ('foo="\\U0001f642\\t\\101"', '{foo="🙂\tA"}'),
        ('foo="\\"bar\\\\"', '{foo="\\"bar\\\\"}'),
        ("foo\u2003=\u3000bar", '{foo="bar"}'),
        ('foo=""', '{foo=""}'),
        ("a=b,a=b", '{a="b",a="b"}'),
    ],
)
def test_utf8_notation(text: str, result: str) -> None:
    assert utf8(text) == result


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (",", "0:1: unexpected ,: expected label name"),
        ("{,}", "1:2: unexpected ,: expected label name"),
        ("{", "0:1: end of input: expected close brace"),
        ("}", "0:1: }: expected opening brace"),
        ("foo=bar}", "0:8: }: expected opening brace"),
        ("{foo=bar", "0:8: end of input: expected close brace"),
        ('{foo=:"bar"}', '6:11: unexpected "bar": expected a comma or close brace'),
        ('{foo="bar\\w"}', '5:12: "bar\\w": invalid input'),
        ('{"foo"=~"\\d+"}', '8:13: "\\d+": invalid input'),
        ("{foo=bar\\n}", "8:9: \\: invalid input: expected a comma or close brace"),
        ('{"foo"="\\xf0\\x9f"}', '7:17: "\\xf0\\x9f": invalid input'),
        ("foo=", "end of input: expected label value"),
        ("foo", "end of input: expected an operator such as '=', '!=', '=~' or '!~'"),
        ("{a=b}}", "5:6: }: expected end of input"),
        ("a=b,,c=d", "4:5: unexpected ,: expected a matcher or close brace after comma"),
        ("a=~[", "failed to create matcher: error parsing regexp: missing closing ]: `[)$`"),
    ],
)
def test_what_the_utf8_notation_refuses(text: str, problem: str) -> None:
    with pytest.raises(ValueError) as caught:
        utf8(text)
    assert str(caught.value) == problem


def test_one_matcher_of_the_utf8_notation() -> None:
    assert str(parse_matcher("a=b", mode=ParserMode.UTF8_STRICT)) == 'a="b"'
    with pytest.raises(ValueError, match=r"^no matchers$"):
        parse_matcher("", mode=ParserMode.UTF8_STRICT)
    with pytest.raises(ValueError, match=r"^expected 1 matcher, found 2$"):
        parse_matcher("a=b,c=d", mode=ParserMode.UTF8_STRICT)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", "{}"),
        ('{foo = "bar", dings != "bums", }', '{foo="bar",dings!="bums"}'),
        ('{quote="She said: \\"Hi, ladies!\\""}', '{quote="She said: \\"Hi, ladies!\\""}'),
        ("statuscode=~5..", '{statuscode=~"5.."}'),
        ("foo=a\\nb\\w\\", '{foo="a\\nb\\\\w\\\\"}'),
        ("foo:bar=x", '{foo:bar="x"}'),
        ("foo==x", '{foo="=x"}'),
        ("foo=a\nb", '{foo="a\\nb"}'),
    ],
)
def test_classic_notation(text: str, result: str) -> None:
    assert classic(text) == result


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("é=b", "bad matcher format: é=b"),
        (",", "bad matcher format: "),
        ('foo="b"ar"', 'matcher value contains unescaped double quote: "b"ar"'),
        ('foo="bar', 'matcher value contains unescaped double quote: "bar'),
    ],
)
def test_what_the_classic_notation_refuses(text: str, problem: str) -> None:
    with pytest.raises(ValueError) as caught:
        classic(text)
    assert str(caught.value) == problem


def test_a_text_for_the_classic_notation_only_is_taken_with_advice() -> None:
    heard: list[ParseWarning] = []
    assert str(parse_matcher("foo=a\\db", origin="config", warn=heard.append)) == 'foo="a\\\\db"'
    (warning,) = heard
    assert warning.origin == "config"
    assert warning.error == "5:6: \\: invalid input: expected a comma or close brace"
    assert warning.suggestion == 'foo="a\\\\db"'
    assert utf8(warning.suggestion) == classic("foo=a\\db")


def test_on_disagreement_the_classic_notation_counts_with_a_warning() -> None:
    heard: list[ParseWarning] = []
    assert str(parse_matcher('foo="\\x41"', warn=heard.append)) == 'foo="\\\\x41"'
    assert heard == [ParseWarning("Matchers input has disagreement", 'foo="\\x41"', "")]


def test_where_both_agree_there_is_no_warning() -> None:
    heard: list[ParseWarning] = []
    parse_matchers('{foo="bar",baz=~"x.*"}', warn=heard.append)
    parse_matcher("🙂=x", warn=heard.append)
    assert heard == []


names = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
values = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8)


@given(st.lists(st.builds(Matcher, st.sampled_from([MatchType.EQUAL, MatchType.NOT_EQUAL]), names, values)))
def test_what_is_printed_reads_back(matchers: list[Matcher]) -> None:
    text = format_matchers(matchers)
    assert parse_matchers(text, mode=ParserMode.UTF8_STRICT) == tuple(matchers)


@given(values)
def test_escapes_read_back_in_both_notations(value: str) -> None:
    matcher = Matcher(MatchType.EQUAL, "a", value)
    assert parse_matcher(str(matcher), mode=ParserMode.CLASSIC) == matcher
    assert parse_matcher(str(matcher), mode=ParserMode.UTF8_STRICT) == matcher


@given(st.text(alphabet='ab=!~{},"\\ \n' + SPACES + "🙂", max_size=12))
def test_no_text_breaks_the_parsers(text: str) -> None:
    for mode in ParserMode:
        for parse in (parse_matcher, parse_matchers):
            try:
                parse(text, mode=mode)
            except ValueError:
                pass
