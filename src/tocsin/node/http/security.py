"""The state of ``--web.config.file``, updated when the file or one that it names changes."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import ssl
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tocsin.dataclass import dataclass
from tocsin.errors import ConfigError
from tocsin.node.config.webconfig import WebConfig, read_web_file
from tocsin.tls.files import read

if TYPE_CHECKING:  # Loaded with a file that enables TLS.
    from tocsin.tls.trust import Trust

_log = logging.getLogger(__name__)

INTERVAL: Final = 1.0
"""Seconds between checks of the files."""


@dataclass(slots=True)
class WebConfigStatistics:
    """Counters of reloads of the file and of the files that it names."""

    reloads: int = 0
    reload_failures: int = 0
    last_reload_successful: int = 1
    last_reload_success_timestamp_seconds: float = 0.0


GAUGES: Final = ("last_reload_successful", "last_reload_success_timestamp_seconds")


@dataclass(frozen=True, slots=True)
class WebState:
    """The state in force; replaced as a whole."""

    config: WebConfig
    context: ssl.SSLContext | None
    clients: Trust | None
    """Checks of client certificates beside those of the context."""
    files: tuple[Path, ...]
    """That the configuration names."""
    contents: tuple[bytes, ...]
    """What they held."""


class WebSecurity:
    """Reads at the start, then compares contents. A bad change changes nothing."""

    def __init__(self, path: str | Path) -> None:
        """:class:`~tocsin.errors.ConfigError` if the file, or one that it names, cannot be used."""
        self._path = Path(path)
        self.statistics = WebConfigStatistics()
        self._files: tuple[Path, ...] = ()
        self._seen: tuple[bytes, ...] = ()
        self.state = self._load(self._read)
        self.statistics.last_reload_success_timestamp_seconds = time.time()

    def context(self) -> ssl.SSLContext | None:
        """For the next handshake; None: plain HTTP, as it was at the start."""
        return self.state.context

    def check_client(self, tls: ssl.SSLObject) -> None:
        """After a handshake: revocation, the client's names, and its dates anew, as a resumed session
        verifies nothing.

        :class:`~tocsin.errors.PeerRefusedError`.
        """
        from tocsin.tls.identity import check_validity

        if self.state.clients is not None:
            self.state.clients.check(tls.getpeercert(binary_form=True))
        check_validity(tls, time.time())

    async def watch(self) -> None:
        """Until cancelled: apply changes, checked once a second on a thread."""
        while True:
            await asyncio.sleep(INTERVAL)
            state = await asyncio.to_thread(self.check_files)
            if state is not None:
                self.state = state

    def check_files(self) -> WebState | None:
        """The new state, if the files changed and are good."""
        if self._seen == _contents((self._path, *self._files)):
            return None
        statistics = self.statistics
        state, refusal = self._attempt()
        if refusal is None:
            statistics.last_reload_successful = 1
        else:
            statistics.reload_failures += 1
            statistics.last_reload_successful = 0
            _log.error("the changed web configuration is not usable, the old one stays in use: %s", refusal)
        if state is self.state:
            return None
        statistics.reloads += 1
        statistics.last_reload_success_timestamp_seconds = time.time()
        if refusal is None:
            _log.info("the changed web configuration is in use")
        else:
            _log.info("renewed files of the old web configuration are in use")
        return state

    def _attempt(self) -> tuple[WebState, ConfigError | None]:
        """What the file says. If that cannot be used, or the state in force protects more: the latter, with
        its files as they are now, so that no certificate runs out meanwhile, and why."""
        try:
            state = self._load(self._read)
            self._check_kept(state)
        except ConfigError as refusal:
            try:
                return self._load(self._renewed), refusal
            except ConfigError as error:
                if str(error) != str(refusal):
                    _log.error("files of the old web configuration are not usable: %s", error)
                return self.state, refusal
        return state, None

    def _check_kept(self, state: WebState) -> None:
        """ConfigError if clients need less than before: the file may be cut off."""
        from tocsin.tls.kept import HINT, PROBLEM, check_server_kept

        before, config = self.state.config, state.config
        if (state.context is None) != (self.state.context is None):
            raise ConfigError(
                str(self._path), "TLS cannot be turned on or off in a running node", "restart it"
            )
        if before.users and not config.users:
            raise ConfigError(f"{self._path}: basic_auth_users", PROBLEM, HINT)
        if before.rate_limit is not None and config.rate_limit is None:
            raise ConfigError(f"{self._path}: rate_limit", PROBLEM, HINT)
        if before.tls is not None and config.tls is not None:
            check_server_kept(before.tls, config.tls)

    def _load(self, read_state: Callable[[], WebState]) -> WebState:
        try:
            return read_state()
        except ConfigError:
            raise
        except Exception as error:
            # The libraries raise more errors for certificates than they document. The watcher must go on, or
            # a password removed tomorrow would still be accepted.
            raise ConfigError(str(self._path), f"cannot be used: {error!r}", "check what it names") from None

    def _read(self) -> WebState:
        # Remember the content before using it: a file that changes in between is read once more.
        own = _contents((self._path,))
        self._seen = own + _contents(self._files)
        file = read_web_file(self._path)
        self._files = file.files
        contents = _contents(self._files)
        self._seen = own + contents
        return self._state_of(file.resolve(), self._files, contents)

    def _renewed(self) -> WebState:
        """The state in force; with the files that it names as they are now, if they have changed."""
        before = self.state
        self._files = tuple(dict.fromkeys((*self._files, *before.files)))
        self._seen = (*self._seen[:1], *_contents(self._files))
        contents = _contents(before.files)
        return (
            before if contents == before.contents else self._state_of(before.config, before.files, contents)
        )

    def _state_of(self, config: WebConfig, files: tuple[Path, ...], contents: tuple[bytes, ...]) -> WebState:
        if config.tls is None:
            return WebState(config, None, None, files, contents)
        from tocsin.node.http.webtls import load_server_tls

        try:
            context, clients = load_server_tls(config.tls)
        except ConfigError as error:
            raise ConfigError(f"{self._path}: {error.location}", error.problem, error.hint) from None
        context.set_alpn_protocols(["http/1.1"])
        return WebState(config, context, clients, files, contents)


def _contents(files: Iterable[Path]) -> tuple[bytes, ...]:
    found = []
    for file in files:
        try:
            found.append(hashlib.sha256(read(file)).digest())
        except OSError as error:
            found.append(str(error.errno).encode())
    return tuple(found)
