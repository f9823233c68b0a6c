"""docs/metrics.md is what HELP says; links lead somewhere."""

from __future__ import annotations

import re

from tocsin.node.metrics.own import meanings
from tools.metrics import PAGE, page


def test_the_page_is_what_the_texts_say() -> None:
    assert PAGE.read_text() == page(), "run: python -m tools.metrics"


def test_what_is_named_exists() -> None:
    names = set(meanings())
    for name, one in meanings().items():
        for other in re.findall(r"\b([a-z]+(?:_[a-z]+){2,})\b", f"{one.worry} {one.look}"):
            if not other.startswith("alertmanager_"):
                assert f"tocsin_{other}" in names, f"{name} names {other}"
        for document in re.findall(r"docs/([\w-]+\.md)", one.help):
            assert (PAGE.parent / document).exists(), name


def test_each_text_is_one_short_line() -> None:
    for name, one in meanings().items():
        assert one.what, name
        assert len(one.help) < 300, name
        assert "\n" not in one.help
        assert bool(one.worry) <= bool(one.look), f"{name}: where to look?"
