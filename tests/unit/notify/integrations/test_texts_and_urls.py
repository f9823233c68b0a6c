"""What several kinds do to texts, URLs and JSON, as Go does it."""

from __future__ import annotations

import pytest

from tocsin.notify.integrations.json import members, without_empty
from tocsin.notify.integrations.truncate import in_characters
from tocsin.notify.integrations.url import extended, with_slash


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [("äöü", 3, "äöü"), ("äöüß", 3, "äöü"), ("äöüß!", 4, "äöü…"), ("", 0, ""), ("ab", 1, "a")],
)
def test_a_text_is_cut_by_its_characters(text: str, limit: int, cut: str) -> None:
    assert in_characters(text, limit) == cut


@pytest.mark.parametrize(
    ("url", "more", "whole"),
    [
        ("http://h", "/a b", "http://h/a%20b"),
        ("http://h/x%2Fy!", "/z", "http://h/x/y%21/z"),
        ("http://u:p@h:1/", "é?#%41", "http://u:p@h:1/%C3%A9%3F%23%2541"),
        ("http://h/?q=1#f", "$&+,/:;=@-_.~", "http://h/$&+,/:;=@-_.~?q=1#f"),
    ],
)
def test_a_path_grows_unescaped_and_is_escaped_whole(url: str, more: str, whole: str) -> None:
    assert extended(url, more) == whole


def test_parameters_that_are_added_to_are_sorted() -> None:
    assert extended("http://h/?z=1&a=%20&m=old", "x", m="n w") == "http://h/x?a=+&m=n+w&z=1"
    assert extended("http://h/?z=1&a=2", "x") == "http://h/x?z=1&a=2"


@pytest.mark.parametrize(
    ("url", "slashed"),
    [
        ("http://h", "http://h/"),
        ("http://h/", "http://h/"),
        ("http://h/a?x=/", "http://h/a/?x=/"),
        ("http://h/a/?x", "http://h/a/?x"),
    ],
)
def test_a_slash_at_the_paths_end(url: str, slashed: str) -> None:
    assert with_slash(url) == slashed


def test_fields_without_a_value_are_left_out() -> None:
    fields = {"a": "", "b": 0, "c": False, "d": None, "e": [], "f": "x"}
    assert without_empty(fields, always=("c", "d")) == {"c": False, "d": None, "f": "x"}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"null", {}),
        (
            b'{"OK": true, "ErrCode": null, "a": {"B": [{"C": 1, "d": null}]}}',
            {"ok": True, "a": {"b": [{"c": 1}]}},
        ),
        (b'{"ok": false, "Ok": true}', {"ok": True}),
        (b'{"a": "\xff"}', {"a": "\ufffd"}),
        *((body, None) for body in (b"", b"[]", b"1", b'"a"', b"{", b"{} {}", b'{"a": NaN}', b"[" * 60_000)),
    ],
)
def test_an_objects_members_are_known_by_their_names_in_any_case(body: bytes, found: object) -> None:
    if found is not None:
        assert members(body) == found
        return
    with pytest.raises(ValueError, match="JSON"):
        members(body)
