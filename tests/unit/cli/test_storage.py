"""``tocsinctl storage export``: its two folders cannot be mixed up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.cli.control import main


def test_a_nodes_own_folder_is_not_written_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node = tmp_path / "data"
    node.mkdir()
    (node / "journal.db").touch()
    assert main(["storage", "export", str(node)]) == 1
    err = capsys.readouterr().err
    assert f"--storage.path={node}" in err
    assert main(["storage", "export", str(node), f"--storage.path={node}"]) == 1
    assert sorted(one.name for one in node.iterdir()) == ["journal.db"]
