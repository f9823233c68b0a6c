"""TLS contexts made from ``tls_config``, and remade when one of its files has changed."""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

from tocsin.config.httpclient import TLSClientConfig
from tocsin.dataclass import dataclass
from tocsin.errors import ConfigError
from tocsin.notify.integrations.statistics import ClientStatistics
from tocsin.tls.contexts import MemoryFile
from tocsin.tls.files import Mark, marks, read

CHECK_SECONDS: Final = 1.0
"""Seconds between checks of the files of one ``tls_config``, however many notifications go out."""

_VERSIONS: Final = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Made:
    config: TLSClientConfig
    context: ssl.SSLContext
    files: tuple[Path, ...]
    marks: tuple[Mark, ...]
    checked_at: float


class TLSContexts:
    """TLS contexts, shared by receivers with equal settings. A context with the system's authorities takes 1
    MB and some 20 ms, too much for each receiver.
    """

    def __init__(
        self,
        *,
        statistics: ClientStatistics | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._made: dict[tuple[TLSClientConfig, bool], _Made] = {}
        self._statistics = statistics or ClientStatistics()
        self._now = now
        self._making = threading.Lock()

    def get(self, config: TLSClientConfig, *, http2: bool = True) -> ssl.SSLContext:
        """The context for ``tls_config``; :class:`ConfigError` for certificates that cannot be used.
        ``http2``: whether it offers HTTP/2 by ALPN.
        """
        return self._of(config, http2).context

    def check(self, config: TLSClientConfig, *, http2: bool = True) -> None:
        """Load the certificates, so that an error shows now: :class:`ConfigError`. A context with the
        system's authorities is made with its first use."""
        if config != TLSClientConfig(server_name=config.server_name):
            self._of(config, http2)

    async def current(self, config: TLSClientConfig, *, http2: bool = True) -> ssl.SSLContext:
        """As :meth:`get`, with the files as they are now. While changed files cannot be used (the new
        certificate is there and its key not yet) the last good context stays in force.
        """
        made = self._made.get(_key(config, http2))
        if made is None:
            made = await asyncio.to_thread(self._of, config, http2)
        now = self._now()
        if made.files and now - made.checked_at >= CHECK_SECONDS:
            made.checked_at = now  # Set before the wait, so that only one attempt checks.
            seen = await asyncio.to_thread(marks, made.files)
            if seen != made.marks:
                made.marks = seen
                try:
                    made.context = await asyncio.to_thread(tls_context, made.config)
                except ConfigError as error:
                    self._statistics.tls_files_unusable += 1
                    _log.warning("the last usable certificates stay in force: %s", error)
                else:
                    self._statistics.tls_files_reloaded += 1
        return made.context

    def _of(self, config: TLSClientConfig, http2: bool) -> _Made:
        key = _key(config, http2)
        with self._making:  # Many first requests at once, each in a thread, make one context.
            found = self._made.get(key)
            if found is not None:
                return found
            files = tuple(Path(file) for file in (config.ca_file, config.cert_file, config.key_file) if file)
            seen = marks(files)  # Read before the files, so that a change meanwhile is noticed.
            made = self._made[key] = _Made(config, tls_context(config), files, seen, self._now())
            return made


def _key(config: TLSClientConfig, http2: bool) -> tuple[TLSClientConfig, bool]:
    # ``server_name`` is passed with each connection.
    return (config.replaced(server_name="") if config.server_name else config), http2


class TLSFiles:
    """The context of one ``tls_config``: made when it is first needed, and anew when one of its files has
    changed."""

    def __init__(self, config: TLSClientConfig) -> None:
        self._config = config
        self._files = [file for file in (config.ca_file, config.cert_file, config.key_file) if file]
        self._made: tuple[object, ssl.SSLContext] | None = None

    async def context(self) -> ssl.SSLContext:
        """The context; :class:`ConfigError` for certificates that cannot be used."""
        return await asyncio.to_thread(self._current)

    def _current(self) -> ssl.SSLContext:
        state = [_state(file) for file in self._files]
        if self._made is None or self._made[0] != state:
            self._made = state, tls_context(self._config)
        return self._made[1]


def _state(file: str) -> object:
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def tls_context(config: TLSClientConfig) -> ssl.SSLContext:
    """The context for ``tls_config``."""
    for file in (config.ca_file, config.cert_file, config.key_file):
        _check_regular(file)
    try:
        context = ssl.create_default_context(cafile=config.ca_file or None, cadata=config.ca or None)
        context.hostname_checks_common_name = False  # As in Go: only alternative names count.
        context.minimum_version = _VERSIONS.get(config.min_version, ssl.TLSVersion.TLSv1_2)
        if config.max_version:
            context.maximum_version = _VERSIONS[config.max_version]
        if config.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if config.cert or config.cert_file:
            with _path(config.cert, config.cert_file) as cert, _path(config.key, config.key_file) as key:
                # The callback keeps OpenSSL from asking for a password on the terminal.
                context.load_cert_chain(cert, key or None, password=lambda: b"")
    except (OSError, ValueError) as error:
        place = config.cert_file or config.ca_file or "tls_config"
        problem = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(place, f"cannot be used for TLS: {problem}") from None
    return context


def _check_regular(file: str) -> None:
    """OpenSSL, which opens files by itself, would wait for a pipe."""
    try:
        if file:
            read(Path(file))
    except OSError as error:
        raise ConfigError(file, f"cannot be used for TLS: {error.strerror or error}") from None


def _path(text: str, path: str) -> AbstractContextManager[str]:
    """A path: as given, or of a file with the given text, as the ``ssl`` module reads files only."""
    return MemoryFile(text.encode()) if text else nullcontext(path)
