"""The tree of text with places, and that no file can make the reader do too much."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tocsin.config.yaml import (
    MAX_DEPTH,
    MAX_MERGED,
    MAX_NODES,
    Mapping,
    Node,
    Scalar,
    Sequence,
    decode,
    load,
)
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


@pytest.mark.parametrize(
    "text",
    [
        f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 1000)}]",
        f"a: &a {'x' * 1000}\nb:\n" + "".join(f"- {{*a : {n}}}\n" for n in range(100_000)),
        "a: &a {" + ", ".join(f"k{n}: 1" for n in range(1000)) + "}\nb:\n" + "  <<: *a\n" * 1000,
    ],
    ids=["values", "keys", "merged"],
)
def test_what_aliases_stand_for_is_bounded_in_text_and_in_work_too(text: str) -> None:
    assert f"more than {MAX_NODES} values" in refused(text)


def test_depth_is_bounded() -> None:
    load("[" * MAX_DEPTH + "]" * MAX_DEPTH, "f.yml")
    assert f"deeper than {MAX_DEPTH}" in refused("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    assert f"deeper than {MAX_DEPTH}" in refused("[" * 100_000)


def test_what_is_merged_under_one_key_is_bounded() -> None:
    lines = ["a0: &a0 {k: [x]}"]
    lines += [f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}" for i in range(1, 12)]
    assert f"merged from more than {MAX_MERGED} maps" in refused("\n".join(lines))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\na: 2\n", "f.yml:2:1: the key 'a' is here twice, first in line 1"),
        ("? [a]\n: b\n", "f.yml:1:3: a key must be text"),
        ("a: !!int x\n", "f.yml:1:4: cannot be read as !!int"),
        ("a: !!int 5.5\n", "cannot be read as !!int"),
        ("a: !!float 5x\n", "cannot be read as !!float"),
        ("a: !!bool maybe\n", "cannot be read as !!bool"),
        ("a: !!null x\n", "cannot be read as !!null"),
        ("a: !!timestamp 5s\n", "cannot be read as !!timestamp"),
        ("a: !!binary '%'\n", "is not text in base64"),
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


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("!mine x", "x"),
        ("!!python/object:os.system x", "x"),
        ("!mine ~", "~"),
        ("!!binary cg==", "r"),
        ('!!binary "c\\ng\\r=="', "r"),
        ("!!timestamp 2020-01-01", "2020-01-01"),
        ("!!seq x", "x"),
    ],
)
def test_tags_of_ones_own_leave_text(written: str, text: str) -> None:
    tree = load(f"a: {written}\n", "f.yml")
    assert isinstance(tree, Mapping)
    found = tree.entries["a"][1]
    assert isinstance(found, Scalar)
    assert (found.text, found.is_null) == (text, False)


def test_tags_of_lists_and_maps_say_nothing() -> None:
    tree = load("!!omap {a: !mine [x], !mine b: !!str {c: d}}\n", "f.yml")
    assert isinstance(tree, Mapping)
    assert isinstance(tree.entries["a"][1], Sequence)
    assert isinstance(tree.entries["b"][1], Mapping)


def test_only_a_plain_or_tagged_merge_merges() -> None:
    for key, merges in (
        ("<<", True),
        ("!!merge <<", True),
        ("'<<'", False),
        ("!!str <<", False),
        ("!x <<", False),
    ):
        tree = load(f"{{a: b, {key}: {{c: d}}}}\n", "f.yml")
        assert isinstance(tree, Mapping)
        assert ("c" in tree.entries) is merges, key


def test_yaml_of_version_1_1_alone_is_read_as_by_go() -> None:
    assert load("%YAML 1.1\n---\na: b\n", "f.yml") is not None
    for version in ("1.2", "1.0", "2.0"):
        with pytest.raises(ConfigError, match=r"f\.yml:1:1"):
            load(f"%YAML {version}\n---\na: b\n", "f.yml")


def test_utf_16_is_read_by_its_mark() -> None:
    for order in ("utf-16", "utf-16-le", "utf-16-be"):
        mark = "" if order == "utf-16" else "\ufeff"
        assert decode((mark + "a: ö").encode(order), "f.yml") == "a: ö"
