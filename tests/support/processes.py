"""Real programs on loopback: started, read, and ended by their own process id."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

import httpx

from tests.support import forks
from tests.support.eventually import eventually

# Below the ephemeral range that the kernel deals out, so that no outgoing connection takes a chosen port.
_PORTS = range(15_000, 32_000)
_BLOCK = 50
_random = random.Random(os.getpid() ^ time.time_ns())
_blocks: list[socket.socket] = []
_left: list[int] = []


def free_port() -> int:
    """A TCP and UDP port of 127.0.0.1 that nobody has, and no other test gets while this process lives.

    A node that is down, and is to come back, still has its port.
    """
    while True:
        if not _left:
            _claim_block()
        port = _left.pop()
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def _claim_block() -> None:
    """Ports of ours alone among all processes that run tests: an abstract name is gone with its process."""
    starts = list(_PORTS[::_BLOCK])
    _random.shuffle(starts)
    for start in starts:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0tocsin-tests-ports-{start}")
        except OSError:
            claim.close()
            continue
        _blocks.append(claim)
        _left.extend(_random.sample(range(start, start + _BLOCK), _BLOCK))
        return
    raise RuntimeError("no free port on 127.0.0.1")


class Process:
    """One program, its log in a file. Start it again with :meth:`start` after it ended."""

    known: ClassVar[list[Process]] = []  # started and not forgotten: what a failing test shows

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.log = log
        self.environment = dict(environment or {})
        self.directory = directory
        self.forgotten = False
        self._popen: subprocess.Popen[bytes] | forks.Forked | None = None

    def start(self) -> None:
        """Start it; its output is added to the log."""
        if self.alive:
            raise RuntimeError(f"{self.name} runs already")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            log.write(f"$ {' '.join(self.command)}\n".encode())
            log.flush()
            environment = {**os.environ, **self.environment}
            if forks.serves(self.command):
                arguments = self.command[len(forks.DAEMON) :]
                self._popen = forks.start(arguments, environment, self.directory, log.fileno())
            else:
                self._popen = subprocess.Popen(
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self.directory,
                    env=environment,
                    start_new_session=True,  # a Ctrl-C at the terminal is for us; we end what we started
                )
        if self not in Process.known:
            Process.known.append(self)

    @property
    def alive(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def pid(self) -> int:
        if self._popen is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        return None if self._popen is None else self._popen.poll()

    def send(self, number: signal.Signals) -> None:
        if self.alive:
            assert self._popen is not None
            self._popen.send_signal(number)

    def terminate(self, deadline: float = 20.0) -> int:
        """SIGTERM, and wait; SIGKILL if it does not end. Returns the exit status."""
        return self._end(signal.SIGTERM, deadline)

    def kill(self) -> int:
        """SIGKILL, and wait: no goodbye."""
        return self._end(signal.SIGKILL, 10.0)

    def wait(self, deadline: float = 20.0) -> int:
        """Wait until it ends by itself; AssertionError if it does not."""
        assert self._popen is not None
        try:
            return self._popen.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {deadline:g} s\n{self.tail()}") from None

    def text(self) -> str:
        """The whole log."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self, lines: int = 40) -> str:
        """The log's last lines, for the report of a failure."""
        return "\n".join(self.text().splitlines()[-lines:])

    def forget(self) -> None:
        """Show its log no more, from the next :meth:`prune` on."""
        self.forgotten = True

    @classmethod
    def prune(cls) -> None:
        """Drop the forgotten: not before the test that forgot them has been reported."""
        cls.known[:] = [process for process in cls.known if not process.forgotten]

    def _end(self, number: signal.Signals, deadline: float) -> int:
        popen = self._popen
        if popen is None:
            return 0
        if popen.poll() is None:
            popen.send_signal(signal.SIGCONT)  # a stopped process would not see SIGTERM
            popen.send_signal(number)
        try:
            status = popen.wait(deadline)
        except subprocess.TimeoutExpired:
            popen.kill()
            status = popen.wait(60)
        return status


START: Final = 120.0
"""Seconds for a program to start: a second of work, on a machine where many wait for their turn."""


def start_until_up(make: Callable[[], Process], up: Callable[[], bool], *, attempts: int = 3) -> Process:
    """Start what ``make`` builds and wait for ``up()``; once more with new ports if a port was taken.

    A port can be lost between choosing it and the program's own bind: only that is tried again.
    """
    for attempt in range(attempts):
        process = make()
        process.start()

        def up_or_ended(process: Process = process) -> bool:
            return not process.alive or up()

        try:
            eventually(
                up_or_ended,
                f"{process.name} is up",
                deadline=START,
                ignoring=(OSError, httpx.TransportError),
            )
        except AssertionError:
            process.kill()
            raise AssertionError(f"{process.name} did not come up\n{process.tail()}") from None
        if process.alive:
            return process
        process.forget()
        if "address already in use" not in process.text().lower() or attempt == attempts - 1:
            break
    raise AssertionError(f"{process.name} ended with status {process.returncode}\n{process.tail()}")
