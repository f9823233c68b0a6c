"""Label sets: their order, their two hashes, their text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.alerting.labels import Labels, fnv1a_64, go_quote, valid_classic_name, valid_name, valid_text
from tocsin.alerting.quote import go_unquote

# What Alertmanager 0.33.1 answered to GET /api/v2/alerts for alerts with these labels.
FINGERPRINTS: list[tuple[dict[str, str], str]] = [
    (labels, fingerprint)
    for labels, fingerprint in json.loads(
        (Path(__file__).parent / "data" / "label-fingerprints.json").read_text(encoding="utf-8")
    )
]

label_maps = st.dictionaries(st.text(min_size=1), st.text(), max_size=6)


@pytest.mark.parametrize(("labels", "fingerprint"), FINGERPRINTS, ids=lambda value: str(value)[:30])
def test_the_fingerprint_is_the_one_alertmanager_shows(labels: dict[str, str], fingerprint: str) -> None:
    assert Labels(labels).fingerprint_text == fingerprint


def test_the_hashes_of_nothing() -> None:
    assert Labels({}).hash == 0xEF46DB3751D8E999
    assert Labels({}).fingerprint == 0xCBF29CE484222325


def test_known_fnv_values() -> None:
    assert fnv1a_64(b"a") == 0xAF63DC4C8601EC8C
    assert fnv1a_64(b"foobar") == 0x85944171F73967E8


@given(label_maps)
def test_order_of_construction_does_not_matter(labels: dict[str, str]) -> None:
    backwards = Labels(dict(reversed(labels.items())))
    forwards = Labels(labels)
    assert forwards == backwards
    assert hash(forwards) == hash(backwards)
    assert forwards.fingerprint == backwards.fingerprint
    assert [name for name, _ in forwards.pairs] == sorted(labels, key=str.encode)
    assert dict(forwards) == labels


def test_a_pair_of_labels_does_not_run_together() -> None:
    assert Labels({"a": "bc"}).fingerprint != Labels({"ab": "c"}).fingerprint


def test_subset_keeps_what_is_there() -> None:
    labels = Labels({"a": "1", "b": "2", "c": "3"})
    assert labels.subset(["c", "x", "a"]) == Labels({"a": "1", "c": "3"})
    assert labels.without(["c", "x"]) == Labels({"a": "1", "b": "2"})
    assert labels.value("x") == ""
    assert labels.get("x") is None
    assert Labels(labels) == labels


def test_text_is_the_form_within_group_keys() -> None:
    assert str(Labels({"b": 'say "x"\n', "a": "é☃"})) == '{a="é☃", b="say \\"x\\"\\n"}'
    assert str(Labels()) == "{}"


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("", '""'),
        ("a b", '"a b"'),
        ("\a\b\f\n\r\t\v\\\"'", '"\\a\\b\\f\\n\\r\\t\\v\\\\\\"\'"'),
        ("\x00\x1f\x7f", '"\\x00\\x1f\\x7f"'),
        ("\x80\u00a0\u200b\ufeff", '"\\u0080\\u00a0\\u200b\\ufeff"'),
        ("\U000e0001", '"\\U000e0001"'),
        ("🙂é", '"🙂é"'),
    ],
)
def test_quoting_as_go(text: str, quoted: str) -> None:
    assert go_quote(text) == quoted
    assert go_unquote(quoted) == text


@given(st.text(), st.text(alphabet='\\"\n\x00xu0é\u200b\ud800🙂', max_size=20))
def test_a_long_text_is_quoted_as_each_of_its_characters(text: str, more: str) -> None:
    long = (text + more) * (1 + 256 // max(len(text + more), 1))
    assert go_quote(long) == '"' + "".join(go_quote(each)[1:-1] for each in long) + '"'


@given(st.text())
def test_quoting_is_undone_by_unquoting(text: str) -> None:
    assert go_unquote(go_quote(text)) == text


@pytest.mark.parametrize(
    "quoted",
    ['"', '"a', "a", '"\\w"', '"\n"', '"a"b"', '"\\xf0"', '"\\777"', '"\\ud800"', '"\\U00110000"', "''"],
)
def test_what_go_does_not_unquote(quoted: str) -> None:
    with pytest.raises(ValueError):
        go_unquote(quoted)


def test_octal_and_byte_escapes() -> None:
    assert go_unquote('"\\101\\x42\\u0043\\U00000044"') == "ABCD"


def test_names() -> None:
    assert valid_name("any thing ☃")
    assert not valid_name("")
    assert not valid_name("\ud800")
    assert valid_classic_name("_a9")
    assert not any(map(valid_classic_name, ("", "9a", "a-b", "é", "a\n")))
    assert valid_text("☃")
    assert not valid_text("a\udc80")


@given(st.text(alphabet=st.characters()))
def test_no_text_at_all_breaks_the_hashes(text: str) -> None:
    labels = Labels({text: text})
    assert 0 <= labels.fingerprint < 1 << 64
    assert 0 <= labels.hash < 1 << 64
    assert str(labels)
