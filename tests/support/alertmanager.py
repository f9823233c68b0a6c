"""The real Go programs, as tools/fetch-peers unpacks them in the folder that TOCSIN_PEERS names."""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path

from tests.support.debian import runnable
from tests.support.node import NodeKind

WANTED = {"0.33": "alertmanager-sid", "0.28": "alertmanager-trixie", "0.25": "alertmanager-bookworm"}


def peers_folder() -> Path | None:
    """The folder of fetched programs, or None with the reason in :func:`why_not`."""
    named = os.environ.get("TOCSIN_PEERS")
    if not named or not Path(named).is_dir():
        return None
    return Path(named)


def why_not() -> str:
    """Why the interop tests cannot run here; empty if they can."""
    named = os.environ.get("TOCSIN_PEERS")
    if not named:
        return "TOCSIN_PEERS is not set: fetch the peers with tools/fetch-peers, or run make interop"
    missing = [
        binary
        for binary in (*_binaries(Path(named)), amtool(), prometheus(), serf())
        if not os.access(binary, os.X_OK)
    ]
    return f"TOCSIN_PEERS={named} lacks {missing[0]}: run tools/fetch-peers {named}" if missing else ""


def _binaries(folder: Path) -> list[Path]:
    return [folder / suite / "usr/bin/prometheus-alertmanager" for suite in WANTED.values()]


def amtool() -> Path:
    return Path(os.environ.get("TOCSIN_PEERS", "")) / "alertmanager-sid/usr/bin/amtool"


def serf() -> Path:
    return Path(os.environ.get("TOCSIN_PEERS", "")) / "serf-sid/usr/bin/serf"


def prometheus() -> Path:
    return Path(os.environ.get("TOCSIN_PEERS", "")) / "prometheus-sid/usr/bin/prometheus"


def promtool() -> Path:
    return Path(os.environ.get("TOCSIN_PEERS", "")) / "promtool-sid/usr/bin/promtool"


def alertmanager(version: str) -> NodeKind:
    """The Alertmanager that stands for ``version`` ("0.33", "0.28", "0.25")."""
    folder = peers_folder()
    assert folder is not None, why_not()
    return alertmanager_at(folder / WANTED[version] / "usr/bin/prometheus-alertmanager")


@cache
def alertmanager_at(binary: Path) -> NodeKind:
    """The Alertmanager at ``binary``, asked for its version. Raises ValueError if it is none."""
    binary = binary.absolute()
    try:
        answer = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except OSError as error:
        raise ValueError(f"{binary}: {error.strerror}") from None
    # Debian's build prints the version to standard error up to 0.25, to standard output since.
    found = re.search(r"alertmanager, version (\d+)\.(\d+)", answer.stdout + answer.stderr)
    if not found:
        raise ValueError(f"{binary} does not say that it is an Alertmanager")
    major, minor = int(found[1]), int(found[2])
    program = runnable(binary)
    return NodeKind(
        f"alertmanager-{major}.{minor}",
        (str(program.binary),),
        directory=program.directory,
        version=(major, minor),
    )
