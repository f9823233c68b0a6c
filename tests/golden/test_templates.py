"""What real Go rendered of 1,498 templates is rendered here, byte by byte, or fails in the same class."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.golden_templates import Case, cases, expected, outcome


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.name)
def test_a_template_renders_what_go_renders(case: Case, tmp_path: Path) -> None:
    assert outcome(case, tmp_path) == expected(case)


def test_no_case_is_missing() -> None:
    assert sum(1 for _ in cases()) == 1498
