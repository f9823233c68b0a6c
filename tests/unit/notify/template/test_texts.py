"""Functions of texts do what Go's do, also where Python's own would not."""

from __future__ import annotations

import pytest

from tocsin.gotemplate.bounds import Bounds, Budget
from tocsin.gotemplate.casing import to_lower, to_upper
from tocsin.gotemplate.errors import BoundError
from tocsin.gotemplate.gotime.bindings import Duration
from tocsin.gotemplate.values import GoError, Int32, Uint
from tocsin.notify.template.casing import title, trim_space
from tocsin.notify.template.conversions import (
    base64_decode,
    base64_encode,
    humanize_duration,
    url_unescape,
)
from tocsin.notify.template.regexes import match, replace_all


def test_upper_and_lower_case_map_one_character_to_one() -> None:
    assert to_upper("straße ŉ ﬁ ᾳ ǆ \U00010d70 \udcff") == "STRAßE ŉ ﬁ ᾼ Ǆ \U00010d50 \ufffd"
    assert to_lower("İSTANBUL ΟΔΟΣ \U00016ea0") == "istanbul οδοσ \U00016ebb"


@pytest.mark.parametrize(
    ("text", "titled"),
    [
        ("don't STOP", "Don't Stop"),
        ("a..b a.b", "A..B A.b"),
        ("node@example.org", "Node@Example.org"),
        ("ΟΔΟΣ ΣΑΣ.", "Οδος Σας."),
        ("aΣ'a aΣ' a", "Aσ'a Aς' A"),
        ("ǆungla ﬁnal", "ǅungla Final"),
        ("3rd x86 a1b", "3Rd X86 A1b"),
        ("İZMİR", "İzmi̇r"),
        ("日本a語b", "日本A語B"),
        ("a\udcffb", "A\udcffB"),
        ("a\u00adb a\u0301b", "A\u00adb A\u0301b"),
    ],
)
def test_title_case_is_that_of_x_text(text: str, titled: str) -> None:
    assert title(text) == titled


def test_only_what_go_calls_space_is_trimmed() -> None:
    assert trim_space("\u3000\t\x1c x \x1f\u2009") == "\x1c x \x1f"


def test_a_replacement_is_expanded_as_go_does() -> None:
    budget = Budget()
    assert replace_all(budget, "(\\w+)", "$1x|${1}x", "a b") == "|ax |bx"
    assert replace_all(budget, "(?P<first>a)", "<$first$none$0$$${", "ba") == "b<aa$${"
    assert replace_all(budget, "x*", "-", "axb") == "-a-b-"
    assert replace_all(budget, "x*", "-", "é") == "-é-"
    assert replace_all(budget, "a", "b", "xyz") == "xyz"
    assert replace_all(budget, "(a)(b)?", "[$1|$2]", "ac ab") == "[a|]c [a|b]"


def test_bytes_that_are_no_utf8_are_seen_as_one_strange_character_and_kept() -> None:
    budget = Budget()
    assert match(budget, "^.a$", "\udcffa")
    assert replace_all(budget, "a", "b", "\udcffa\udcfe") == "\udcffb\udcfe"
    assert replace_all(budget, "(.)", "<$1>", "\udcff") == "<\udcff>"


@pytest.mark.parametrize("pattern", ["(", "a++", "\\C", "a{1001}", "(?=a)", "\\1", "\udcff"])
def test_a_wrong_pattern_is_an_error_of_the_template(pattern: str) -> None:
    with pytest.raises(GoError, match="error parsing regexp"):
        match(Budget(), pattern, "x")
    with pytest.raises(GoError, match="error parsing regexp"):
        replace_all(Budget(), pattern, "", "x")


def test_a_replacement_that_grows_beyond_measure_is_ended() -> None:
    with pytest.raises(BoundError) as caught:
        replace_all(Budget(Bounds(value_bytes=10_000)), "a", "b" * 1000, "a" * 1000)
    assert caught.value.bound == "value"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Duration(90_000_000_000), "1m 30s"),
        (Uint(5), "5s"),
        ("0x1p-2", "250ms"),
        ("1_000", "16m 40s"),
        (-90.0, "-1m 30s"),
        (1e19, "-106751991167300d -15h -30m -8s"),
        (1e-30, "1e-06ys"),
        ("nan", "NaN"),
        (-0.0, "-0s"),
    ],
)
def test_durations_for_people(value: object, text: str) -> None:
    assert humanize_duration(value) == text


@pytest.mark.parametrize(
    "value", ["", "1 ", "0x10", "_1", "1__0", "1e400", "١", True, Int32(5), None, "--5", "."]
)
def test_what_is_no_number_of_seconds(value: object) -> None:
    with pytest.raises(GoError):
        humanize_duration(value)


def test_base64_and_urls_undone() -> None:
    assert base64_encode("???>>>\udcff") == "Pz8_Pj4-_w=="
    assert base64_decode("Pz8_\r\nPj4-_w==\n") == "???>>>\udcff"
    assert url_unescape("a+b%c3%a9%ff") == "a bé\udcff"
    for wrong in ("Pz8/", "YQ", "YQ=", "Y", "YQ===", "a GVs", "Y===", "=", "YWI=YWI="):
        with pytest.raises(GoError, match="illegal base64 data at input byte"):
            base64_decode(wrong)
    for wrong in ("%", "%2", "%zz"):
        with pytest.raises(GoError, match="invalid URL escape"):
            url_unescape(wrong)
