"""The tree of text with places, and that no file can make the reader do too much."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tocsin.config.yaml import MAX_DEPTH, MAX_MERGED, MAX_NODES, Mapping, Node, Scalar, Sequence, load
from tocsin.errors import ConfigError


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(text, "f.yml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def entry(node: Node | None, key: str) -> Node:
    assert isinstance(node, Mapping)
    return node.entries[key][1]


def test_scalars_stay_as_written_and_know_their_place() -> None:
    node = load("a: 12:30\nb:\n  - yes\n  - 'no'\n", "f.yml")
    time = entry(node, "a")
    assert isinstance(time, Scalar)
    assert (time.text, time.plain, str(time.mark)) == ("12:30", True, "f.yml:1:4")
    words = entry(node, "b")
    assert isinstance(words, Sequence)
    assert [(str(item.mark), item.plain) for item in words.items if isinstance(item, Scalar)] == [
        ("f.yml:3:5", True),
        ("f.yml:4:5", False),
    ]


def test_an_alias_is_what_it_names() -> None:
    node = load("a: &x {k: v}\nb: *x\n", "f.yml")
    assert entry(node, "a") is entry(node, "b")


def test_own_keys_win_over_merged_ones() -> None:
    node = load("a: &x {k: 1, l: 2}\nb: &y {l: 3}\nc: {<<: [*x, *y], k: 4}\n", "f.yml")
    merged = entry(node, "c")
    assert isinstance(merged, Mapping)
    assert {key: value.text for key, (_, value) in merged.entries.items() if isinstance(value, Scalar)} == {
        "k": "4",
        "l": "2",
    }


@pytest.mark.parametrize("text", ["", "# only this\n", "---\n", "~", "null\n"])
def test_nothing_is_none(text: str) -> None:
    assert load(text, "f.yml") is None


def test_a_billion_laughs_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    assert f"more than {MAX_NODES} values" in refused("\n".join(lines))


def test_depth_is_bounded() -> None:
    load("[" * MAX_DEPTH + "]" * MAX_DEPTH, "f.yml")
    assert f"deeper than {MAX_DEPTH}" in refused("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    assert f"deeper than {MAX_DEPTH}" in refused("[" * 100_000)


def test_what_is_merged_under_one_key_is_bounded() -> None:
    lines = ["a0: &a0 {k: [x]}"]
    lines += [f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}" for i in range(1, 12)]
    assert f"merged from more than {MAX_MERGED} places" in refused("\n".join(lines))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\na: 2\n", "f.yml:2:1: the key 'a' is here twice, first in line 1"),
        ("? [a]\n: b\n", "f.yml:1:3: a key must be text"),
        ("a: !!python/object:os.system x\n", "means nothing here"),
        ("a: !mine [x]\n", "means nothing here"),
        ("a: {<<: text}\n", "<< merges maps only"),
        ("a: 'x\n", "not valid YAML"),
        ("a: \x00\n", "not valid YAML"),
        ("a:\n\tb: 1\n", "f.yml:2:1: not valid YAML: a tab (indent with spaces)"),
        ("\u0085\t", "f.yml:2:1: not valid YAML: a tab (indent with spaces)"),
    ],
)
def test_what_is_refused(text: str, problem: str) -> None:
    assert problem in refused(text)


@settings(max_examples=many(200))
@given(st.text(alphabet="ab:-[]{}&*!|>'\"# \n\t?%,<~\\\u0085\ud7ff", max_size=60) | st.text(max_size=60))
def test_any_text_gives_a_tree_or_one_error(text: str) -> None:
    try:
        load(text, "f.yml")
    except ConfigError as error:
        assert str(error).startswith("f.yml:")  # noqa: PT017 - either outcome is right
