"""tools/fetch-peers, as far as it can be tried without a network."""

import os
import shutil
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "tools/fetch-peers"
FOLDERS = {
    "alertmanager-sid": ["prometheus-alertmanager", "amtool"],
    "alertmanager-trixie": ["prometheus-alertmanager"],
    "alertmanager-bookworm": ["prometheus-alertmanager"],
    "prometheus-sid": ["prometheus"],
    "promtool-sid": ["promtool"],
    "serf-sid": ["serf"],
    "nsd-bookworm": ["../sbin/nsd"],
}


def fetch_peers(*arguments: str | Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({"PATH": path} if path else {})}
    return subprocess.run(
        ["/bin/bash", SCRIPT, *arguments], capture_output=True, text=True, check=False, env=environment
    )


def path_without_apt(folder: Path) -> str:
    folder.mkdir()
    for tool in ("mkdir", "sed", "grep", "awk", "cat", "rm", "head"):
        (folder / tool).symlink_to(shutil.which(tool) or "/missing")
    return str(folder)


def fill(destination: Path) -> None:
    for folder, programs in FOLDERS.items():
        binaries = destination / folder / "usr/bin"
        binaries.mkdir(parents=True)
        (destination / folder / "usr/sbin").mkdir()
        (destination / folder / ".done").touch()
        for program in programs:
            (binaries / program).write_text("#!/bin/sh\necho 'it, version 1.2.3 (branch: x)'\n")
            (binaries / program).chmod(0o755)


def test_wrong_usage_is_status_2() -> None:
    for arguments in ([], [""], ["a", "b"]):
        done = fetch_peers(*arguments)
        assert (done.returncode, done.stderr) == (2, "usage: fetch-peers DEST\n")


def test_without_apt_it_says_so_with_status_3(tmp_path: Path) -> None:
    done = fetch_peers(tmp_path / "peers", path=path_without_apt(tmp_path / "bin"))
    assert done.returncode == 3
    assert done.stderr == "fetch-peers: no apt-get here: the programs come from Debian packages\n"


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    """Without apt it could fetch nothing; it does not have to."""
    fill(tmp_path / "peers")
    done = fetch_peers(tmp_path / "peers", path=path_without_apt(tmp_path / "bin"))
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [(name, version) for name, version, _ in lines] == [
        ("alertmanager", "1.2.3"),
        ("amtool", "1.2.3"),
        ("alertmanager", "1.2.3"),
        ("alertmanager", "1.2.3"),
        ("prometheus", "1.2.3"),
        ("promtool", "1.2.3"),
        ("serf", "1.2.3"),
    ]
    assert all(os.access(path, os.X_OK) for _, _, path in lines)


def test_a_folder_that_is_not_whole_is_missing(tmp_path: Path) -> None:
    fill(tmp_path / "peers")
    (tmp_path / "peers/prometheus-sid/.done").unlink()
    done = fetch_peers(tmp_path / "peers", path=path_without_apt(tmp_path / "bin"))
    assert done.returncode == 3
