"""The parser takes what Go takes, and refuses everything else with a ParseError that tells the place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tocsin.gotemplate.errors import ParseError
from tocsin.gotemplate.lexer import MAX_TOKENS, Token, tokenize
from tocsin.gotemplate.nodes import ActionNode, NumberNode, PipeNode, TextNode
from tocsin.gotemplate.parser import MAX_NESTING, parse

FUNCTIONS = frozenset({"print", "printf", "len", "index", "and", "or"})

WORDS = r"""
{{ }} {{- -}} {{/* */}} . .A $ $x := = | ( ) , " "a" ` `b` ' 'c' \ 1 0x1p4 1e 1i - +2 08 if else end range
with define block template break continue nil true print nope text é ²
"""
PIECES = st.sampled_from([*WORDS.split(), "{{- ", " -}}", " ", "\n", "\x00", "\udc80"])


@given(st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=60))
@settings(max_examples=many(400))
def test_any_text_parses_or_is_a_parse_error(text: str) -> None:
    try:
        trees = parse("t", text, FUNCTIONS)
    except ParseError as error:
        place, lines = error.template, error.line
    else:
        place, lines = trees["t"].source_name, 1
    assert place == "t"
    assert 1 <= lines <= text.count("\n") + 1


@given(st.text(alphabet=st.characters(exclude_characters="{"), max_size=40))
def test_text_without_braces_is_itself(text: str) -> None:
    nodes = parse("t", text, FUNCTIONS)["t"].root.nodes
    assert "".join(node.text for node in nodes if isinstance(node, TextNode)) == text


@given(st.lists(PIECES, max_size=20).map("".join))
@settings(max_examples=many(200))
def test_what_an_action_shows_parses_again_to_the_same(inner: str) -> None:
    try:
        (first,) = parse("t", "{{" + inner + "}}", FUNCTIONS)["t"].root.nodes
    except (ParseError, ValueError):
        return
    if isinstance(first, ActionNode):
        (again,) = parse("t", first.text, FUNCTIONS)["t"].root.nodes
        assert isinstance(again, ActionNode)
        assert again.text == first.text


def number(text: str) -> NumberNode:
    (action,) = parse("t", "{{" + text + "}}", FUNCTIONS)["t"].root.nodes
    assert isinstance(action, ActionNode)
    operand = action.pipe.commands[0].args[0]
    assert isinstance(operand, NumberNode)
    return operand


@pytest.mark.parametrize(
    ("text", "signed", "unsigned", "floating"),
    [
        ("0", 0, 0, 0.0),
        ("-0", 0, 0, 0.0),
        ("-7", -7, None, -7.0),
        ("017", 15, 15, 15.0),
        ("0b1_01", 5, 5, 5.0),
        ("1e3", 1000, 1000, 1000.0),
        ("0.5", None, None, 0.5),
        ("0x1p-1", None, None, 0.5),
        ("18446744073709551615", None, 18446744073709551615, 18446744073709551615.0),
        ("'\\u00e9'", 233, 233, 233.0),
        ("0i", 0, 0, 0.0),
    ],
)
def test_a_number_is_all_that_it_can_be(
    text: str, signed: int | None, unsigned: int | None, floating: float
) -> None:
    node = number(text)
    assert (node.as_int, node.as_uint, node.as_float) == (signed, unsigned, floating)


@pytest.mark.parametrize(
    "text", ["1__0", "0x", "1_", "08", "1e400", "0x1.8", "99999999999999999999", "''", "'ab'", "1+2"]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        number(text)


def test_a_number_of_thousands_of_digits_is_refused_as_by_go() -> None:
    with pytest.raises(ParseError, match='illegal number syntax: "1111'):
        number("1" * 5_000)


def test_an_error_tells_template_line_and_word() -> None:
    with pytest.raises(ParseError) as caught:
        parse("mail.tmpl", "one\ntwo {{ nosuch . }}", FUNCTIONS)
    assert (caught.value.template, caught.value.line, caught.value.word) == ("mail.tmpl", 2, "nosuch")
    assert str(caught.value) == 'template: mail.tmpl:2: function "nosuch" not defined'


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "(" * (MAX_NESTING + 1) + "1" + ")" * (MAX_NESTING + 1) + " }}",
        "{{ if 1 }}" * (MAX_NESTING + 1) + "{{ end }}" * (MAX_NESTING + 1),
        "{{ if 0 }}" + "{{ else if 0 }}" * (MAX_NESTING + 1) + "{{ end }}",
    ],
)
def test_nesting_is_bounded(text: str) -> None:
    with pytest.raises(ParseError, match="nested more than"):
        parse("t", text, FUNCTIONS)


def test_the_number_of_words_is_bounded() -> None:
    with pytest.raises(ParseError, match="words: divide the template"):
        parse("t", "{{ print" + " 1" * MAX_TOKENS + " }}", FUNCTIONS)


def test_a_field_binds_to_what_is_before_it_only_without_a_blank() -> None:
    kinds = tokenize("t", "{{ .A .B.C }}").kinds
    assert kinds == [Token.LEFT, Token.FIELD, Token.FIELD, Token.FIELD, Token.RIGHT, Token.END_OF_TEXT]
    (action,) = parse("t", "{{ .A .B.C }}", FUNCTIONS)["t"].root.nodes
    assert isinstance(action, ActionNode)
    assert isinstance(action.pipe, PipeNode)
    assert [arg.text for arg in action.pipe.commands[0].args] == [".A", ".B.C"]
