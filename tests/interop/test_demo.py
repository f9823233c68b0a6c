"""`make demo` does what it promises, alone and with a real Alertmanager among the three."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.support.alertmanager import WANTED, peers_folder
from tests.support.eventually import eventually

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
PROMISES = [
    "three certificates",
    "three nodes started",
    "sees three members",
    "is seen on node-3",
    "posted to all three gives one notification",
    "held back",
    "killed with -9: the next alert gives one notification",
    "is refused",
    "All as it should be",
]


def demo(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tools.demo", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "src", "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Ctrl-C must reach it also where the tests run in the background, whose programs do not hear it.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.parametrize("with_alertmanager", [False, True], ids=["alone", "with-alertmanager"])
def test_it_shows_each_step_and_ends_with_0(with_alertmanager: bool) -> None:
    folder = peers_folder()
    assert folder is not None
    binary = folder / WANTED["0.33"] / "usr/bin/prometheus-alertmanager"
    process = demo(*([f"--with-alertmanager={binary}"] if with_alertmanager else []))
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 0, output
    for promise in PROMISES:
        assert promise in output, output


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    process = demo()
    assert process.stdout is not None
    pids: list[int] = []
    for line in process.stdout:
        if ", process " in line:
            pids.append(int(line.split()[-1]))
        if len(pids) == 3:
            break
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "all nodes have ended")
    assert list(tmp_path.iterdir()) == []


def test_a_binary_that_is_no_alertmanager_is_one_line() -> None:
    process = demo("--with-alertmanager=/bin/true")
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, len(output.splitlines())) == (1, 1)
    assert "/bin/true does not say that it is an Alertmanager" in output
