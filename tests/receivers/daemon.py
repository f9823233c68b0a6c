"""The program that receivers are played on: started, asked, and listened to."""

from __future__ import annotations

import asyncio
import os
import shlex
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from tests.support import forks

EXTERNAL: Final = "http://am.example.org:9093"
DEADLINE: Final = 120.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class RefusedError(Exception):
    """The daemon does not take the configuration or the alerts, or has died."""


class Running(Protocol):
    """The program, as far as it is waited for."""

    @property
    def returncode(self) -> int | None:
        """None while it runs."""

    def kill(self) -> None:
        """SIGKILL."""

    async def wait(self) -> int:
        """Until it has ended."""


class _Forked:
    def __init__(self, forked: forks.Forked) -> None:
        self._forked = forked

    @property
    def returncode(self) -> int | None:
        return self._forked.poll()

    def kill(self) -> None:
        self._forked.kill()

    async def wait(self) -> int:
        return await asyncio.to_thread(self._forked.wait, DEADLINE)


async def _run(words: Sequence[str], environment: Mapping[str, str], folder: Path, log: int) -> Running:
    if forks.serves(words):
        return _Forked(forks.start(words[len(forks.DAEMON) :], environment, folder, log))
    return await asyncio.create_subprocess_exec(
        *words, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, env=environment
    )


async def start(
    command: str, folder: Path, address: str, flags: Sequence[str], env: Mapping[str, str]
) -> Running:
    """The daemon that ``command`` starts, with its flags for ``{args}``, once it is ready; its files are in
    ``folder``; no proxy and no AWS from the environment. :class:`RefusedError`."""
    given = [
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={address}",
        f"--web.external-url={EXTERNAL}",
        "--cluster.listen-address=",
        *flags,
    ]
    words = [given if word == "{args}" else [word] for word in shlex.split(command)]
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith("AWS_")
    }
    with (folder / "log").open("wb") as log:
        environment = {**kept, "TZ": "UTC", "AWS_EC2_METADATA_DISABLED": "true", **env}
        process = await _run([word for group in words for word in group], environment, folder, log.fileno())
    end = time.monotonic() + DEADLINE
    while (await asyncio.to_thread(call, f"http://{address}/-/ready", None))[0] != 200:
        if process.returncode is not None or time.monotonic() > end:
            if process.returncode is None:
                process.kill()
                await process.wait()
            raise RefusedError(f"it did not start: {log_of(folder)[-1500:]}")
        await asyncio.sleep(0.1)
    return process


def log_of(folder: Path) -> str:
    """What the daemon has logged."""
    return (folder / "log").read_text(errors="replace")


def call(url: str, body: bytes | None) -> tuple[int, bytes]:
    """Status and body of a request; (0, b"") when there is no answer."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    try:
        with _OPENER.open(urllib.request.Request(url, body, headers), timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except OSError:
        return 0, b""
