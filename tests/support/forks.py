"""Daemons forked from a process that has loaded their modules already.

Loading takes most of the processor time of a start, and the suites start hundreds of nodes. What is forked
is a process of its own: it has arguments, environment, log and process id to itself, runs ``main`` of the
daemon, and ends as a program does. ``TOCSIN_WHOLE_STARTS=1`` has each start as a program instead; the tests
of the daemon's command line, the demonstration and the suite of faults always do.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn

DAEMON: Final = (sys.executable, "-m", "tocsin.cli.daemon")
LOADED: Final = (
    "tocsin.cli.daemon",
    "tocsin.cli.running",
    "tocsin.node.app",
    "tocsin.node.api.app",
    "tocsin.node.cluster.cluster",
    "tocsin.gossip.transport.tls.transport",
    "tocsin.gossip.transport.udp",
    "tocsin.notify.integrations.webhook",
    "tocsin.tls.identity",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.lifespan.on",
    "httpcore",
)
"""What nearly every node of a test loads in the end; a node loads what else it needs by itself."""
_ROOT: Final = Path(__file__).resolve().parents[2]
_MOST: Final = 1 << 20
"""Bytes of one request."""


def serves(command: Sequence[str]) -> bool:
    """Whether a command is the daemon's, and to be forked."""
    return tuple(command[: len(DAEMON)]) == DAEMON and not os.environ.get("TOCSIN_WHOLE_STARTS")


class ForkedError(RuntimeError):
    """The process that forks has ended."""


class Forked:
    """One daemon, as far as :class:`subprocess.Popen` goes that tests use."""

    def __init__(self, server: _Server, pid: int) -> None:
        self._server = server
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        if self.returncode is None:
            status = self._server.status_of(self.pid)
            if status is not None:  # never back to None: several threads may ask
                self.returncode = status
        return self.returncode

    def wait(self, timeout: float) -> int:
        """The same, once it has ended. :class:`subprocess.TimeoutExpired`."""
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired(DAEMON, timeout)
            self._server.listen(0.05)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Nothing if it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class _Server:
    """The process that forks, seen from the tests."""

    def __init__(self) -> None:
        self._socket, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with far:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.forks", str(far.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[far.fileno()],
                cwd=_ROOT,
                env={**os.environ, "PYTHONPATH": f"{_ROOT / 'src'}{os.pathsep}{_ROOT}"},
                start_new_session=True,
            )
        self._lock = threading.Lock()
        self._born: list[int] = []
        self._ended: dict[int, int] = {}
        atexit.register(self._close)

    def _close(self) -> None:
        """It ends when nobody can ask any more."""
        self._socket.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def fork(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, log: int
    ) -> Forked:
        request = json.dumps(
            {"arguments": list(arguments), "environment": dict(environment), "folder": str(folder)}
        )
        with self._lock:
            socket.send_fds(self._socket, [request.encode()], [log])
            while not self._born:
                self._read(None)
            pid = self._born.pop()
            self._ended.pop(pid, None)
        return Forked(self, pid)

    def status_of(self, pid: int) -> int | None:
        with self._lock:
            while self._read(0):
                pass
            return self._ended.get(pid)

    def listen(self, seconds: float) -> None:
        """Wait for what it tells, for so long at most."""
        with self._lock:
            self._read(seconds)

    def _read(self, seconds: float | None) -> bool:
        """Whether it told anything."""
        self._socket.settimeout(seconds)
        try:
            data = self._socket.recv(_MOST)
        except (BlockingIOError, TimeoutError):
            return False
        if not data:
            raise ForkedError("the process that forks daemons has ended")
        told = json.loads(data)
        if "status" in told:
            self._ended[told["pid"]] = told["status"]
        else:
            self._born.append(told["pid"])
        return True


_servers: list[_Server] = []
_lock = threading.Lock()


def start(arguments: Sequence[str], environment: Mapping[str, str], folder: Path | None, log: int) -> Forked:
    """A daemon with these arguments; all that it says goes to the file ``log``."""
    with _lock:
        if not _servers or not _servers[-1].alive:
            _servers.append(_Server())
    return _servers[-1].fork(arguments, environment, folder or Path.cwd(), log)


# ---- in the process that forks


def _serve(own: socket.socket) -> dict[str, Any]:
    """Fork what is asked for, until nobody asks any more; returns in each child, with its request."""
    wake, woken = socket.socketpair()
    for end in (wake, woken):
        end.setblocking(False)
    signal.set_wakeup_fd(woken.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    gc.freeze()
    while True:
        ready, _, _ = select.select([own, wake], [], [])
        if wake in ready:
            wake.recv(4096)
            while pid_and_status := _reaped():
                own.send(json.dumps(dict(zip(("pid", "status"), pid_and_status, strict=True))).encode())
        if own in ready:
            data, files, _, _ = socket.recv_fds(own, _MOST, 1)
            if not data:
                sys.exit(0)
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for each in (own, wake, woken):
                    each.close()
                return {**json.loads(data), "log": files[0]}
            os.close(files[0])
            own.send(json.dumps({"pid": pid}).encode())


def _reaped() -> tuple[int, int] | None:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, os.waitstatus_to_exitcode(status)) if pid else None


def _main() -> NoReturn:
    for name in LOADED:
        import_module(name)
    request = _serve(socket.socket(fileno=int(sys.argv[1])))
    os.setsid()
    for number in (1, 2):
        os.dup2(request["log"], number)
    os.close(request["log"])
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.argv[:] = ["tocsin", *request["arguments"]]
    from tocsin.cli.daemon import main

    sys.exit(main())


if __name__ == "__main__":
    _main()
