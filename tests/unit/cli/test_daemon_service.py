"""The daemon as a unit of systemd with ``Type=notify-reload`` and a watchdog sees it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.support.node import webhook_config
from tests.support.tocsin_node import TOCSIN


def test_it_tells_when_it_serves_reloads_lives_and_stops(tmp_path: Path) -> None:
    (tmp_path / "alertmanager.yml").write_text(webhook_config("http://127.0.0.1:9/"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tocsin.cli.daemon", "--config.file=alertmanager.yml"),
                *("--storage.path=data", "--cluster.listen-address=", "--web.listen-address=127.0.0.1:0"),
            ],
            cwd=tmp_path,
            env={
                **os.environ,
                **TOCSIN.environment,
                "NOTIFY_SOCKET": str(tmp_path / "notify"),
                "WATCHDOG_USEC": "200000",
            },
            stderr=subprocess.DEVNULL,
        )

        def wait_for(line: str) -> None:
            while line not in manager.recv(4096).decode().splitlines():
                pass

        try:
            wait_for("READY=1")
            wait_for("WATCHDOG=1")
            process.send_signal(signal.SIGHUP)
            wait_for("RELOADING=1")
            wait_for("READY=1")
            (tmp_path / "alertmanager.yml").write_text("route: nonsense\n")
            process.send_signal(signal.SIGHUP)  # what is refused ends a reload too
            wait_for("RELOADING=1")
            wait_for("READY=1")
            process.terminate()
            wait_for("STOPPING=1")
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()
            process.wait()
