"""The sockets that the HTTP interface serves on, when systemd passes them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.eventually import eventually
from tests.support.tocsin_node import TOCSIN
from tocsin.errors import ConfigError
from tocsin.node.http.listeners import inherited


def test_without_activation_the_flag_is_an_error_that_names_it() -> None:
    for environment in (
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
        {"LISTEN_FDS": "x", "LISTEN_PID": str(os.getpid())},
        {"LISTEN_FDS": "0", "LISTEN_PID": str(os.getpid())},
    ):
        with pytest.raises(ConfigError, match=r"--web\.systemd-socket: no socket activation"):
            inherited(environment)
        assert not environment


def test_a_node_serves_on_the_socket_that_it_was_passed(tmp_path: Path) -> None:
    """As systemd starts it: the descriptor is number 3, and LISTEN_PID is the node's own."""
    (tmp_path / "am.yml").write_text("route: {receiver: x}\nreceivers: [{name: x}]\n")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        start = (
            "import os, sys; fd = int(sys.argv[1]); os.dup2(fd, 3); os.set_inheritable(3, True);"
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1');"
            "os.execv(sys.executable, [sys.executable, '-m', 'tocsin.cli.daemon', *sys.argv[2:]])"
        )
        node = subprocess.Popen(
            [sys.executable, "-c", start, str(listener.fileno()), "--web.systemd-socket",
             "--cluster.listen-address=", "--config.file=am.yml", "--storage.path=data"],
            cwd=tmp_path,
            env=dict(TOCSIN.environment),
            pass_fds=(listener.fileno(),),
            stderr=subprocess.PIPE,
        )  # fmt: skip
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            # The socket listens already: the first request waits until the node answers it.
            assert client.get("/-/ready", timeout=60).status_code == 200
    finally:
        node.terminate()
        eventually(lambda: node.poll() is not None, "the node ends", deadline=60)
        assert node.stderr is not None
        node.stderr.close()
    assert node.returncode == 0
