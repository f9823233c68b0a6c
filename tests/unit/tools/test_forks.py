"""What is forked is started, told, seen and ended as a program is."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.support import forks
from tests.support.eventually import eventually


def started(folder: Path, *arguments: str, **environment: str) -> forks.Forked:
    with (folder / "log").open("wb") as log:
        return forks.start(arguments, {"LANG": "C", **environment}, folder, log.fileno())


def test_what_it_says_and_its_status_are_its_own(tmp_path: Path) -> None:
    good = started(tmp_path, "--version")
    assert good.wait(60) == 0
    assert "alertmanager, version" in (tmp_path / "log").read_text()
    bad = started(tmp_path, "--no.such.flag")
    assert bad.wait(60) == 1
    assert "no.such.flag" in (tmp_path / "log").read_text()
    assert good.pid != bad.pid


def test_it_serves_until_it_is_told_to_end_or_is_killed(tmp_path: Path) -> None:
    (tmp_path / "alertmanager.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    for number, status in ((signal.SIGTERM, 0), (signal.SIGKILL, -9)):
        running = started(tmp_path, "--web.listen-address=127.0.0.1:0", "--cluster.listen-address=")
        log = tmp_path / "log"
        eventually(lambda: "istening on" in log.read_text(), "it serves", deadline=60)  # noqa: B023
        assert running.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(0.01)
        running.send_signal(number)
        assert running.wait(60) == status
        running.kill()  # of what has ended nothing comes


def test_only_the_daemon_is_forked_and_not_if_that_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOCSIN_WHOLE_STARTS", raising=False)
    assert forks.serves([*forks.DAEMON, "--version"])
    assert not forks.serves(["nsenter", "--net=x", *forks.DAEMON])
    monkeypatch.setenv("TOCSIN_WHOLE_STARTS", "1")
    assert not forks.serves(forks.DAEMON)
