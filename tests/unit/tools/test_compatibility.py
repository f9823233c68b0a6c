"""docs/compatibility.md is what the code says, and leaves nothing out."""

from __future__ import annotations

import pytest

from tools.compatibility import notes
from tools.compatibility.page import PAGE, api, features, flags, keys, metrics, page


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text() == page(), "run: python -m tools.compatibility"


def test_nothing_is_unknown() -> None:
    for name, note in (*flags(), *features()):
        assert "unknown" not in note.why, name
    for section, key, note in keys():
        assert "unknown" not in note.why, (section, key)


@pytest.mark.parametrize(
    ("noted", "listed"),
    [
        (notes.FLAGS, {name for name, _ in flags()}),
        (notes.FEATURES, {name for name, _ in features()}),
        (notes.KEYS, {f"{section} {key}" for section, key, _ in keys()}),
        (notes.API, {line for line, _ in api()}),
        (notes.METRICS, {name for name, *_ in metrics()}),
    ],
)
def test_each_note_is_of_something(noted: dict[str, notes.Note], listed: set[str]) -> None:
    assert set(noted) <= listed
    assert all(note.verdict in ("different", "no") and note.why for note in noted.values())
