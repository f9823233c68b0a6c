"""The same files before ``amtool check-config`` of Alertmanager 0.33: both take them or both refuse."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.config_cases import BAD, GOOD, STRICTER

pytestmark = pytest.mark.interop

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def amtool() -> Path:
    folder = os.environ.get("TOCSIN_PEERS", "")
    path = Path(folder) / "alertmanager-sid/usr/bin/amtool"
    if not folder or not path.is_file():
        pytest.skip("no amtool: TOCSIN_PEERS does not name a folder that tools/fetch-peers made")
    return path


def takes(amtool: Path, file: Path) -> bool:
    """Whether amtool takes the file."""
    done = subprocess.run([amtool, "check-config", file], capture_output=True, timeout=30, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_good_for_both(amtool: Path, tmp_path: Path, text: str) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(text)
    assert takes(amtool, file)


@pytest.mark.parametrize("text", [case[0] for case in BAD.values()], ids=BAD)
def test_bad_for_both(amtool: Path, tmp_path: Path, text: str) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(text)
    assert not takes(amtool, file)


@pytest.mark.parametrize("text", [case[0] for case in STRICTER.values()], ids=STRICTER)
def test_what_only_tocsin_refuses(amtool: Path, tmp_path: Path, text: str) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(text)
    assert takes(amtool, file)


def test_the_examples_are_good_for_amtool(amtool: Path) -> None:
    examples = sorted((ROOT / "examples").glob("**/alertmanager*.yml"))
    assert examples
    for example in examples:
        assert takes(amtool, example), example
