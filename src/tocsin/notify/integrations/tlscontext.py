"""TLS contexts out of ``tls_config``."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tocsin.config.httpclient import TLSClientConfig
from tocsin.errors import ConfigError

_VERSIONS: Final = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}


class TLSContexts:
    """One TLS context for all receivers of a configuration that ask for the same.

    A context holds the system's authorities: 1 MB and some 20 ms of work, too much for each receiver.
    """

    def __init__(self) -> None:
        self._made: dict[tuple[TLSClientConfig, bool], ssl.SSLContext] = {}

    def get(self, config: TLSClientConfig, *, http2: bool = True) -> ssl.SSLContext:
        """What ``tls_config`` asks for; :class:`ConfigError` for certificates that cannot be used.

        ``http2``: whether its user offers HTTP/2, which is said through the context.
        """
        key = config.replaced(server_name=""), http2  # The name goes with each connection.
        context = self._made.get(key)
        if context is None:
            context = self._made[key] = tls_context(config)
        return context


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
    """What ``tls_config`` asks for."""
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
            with _file(config.cert, config.cert_file) as cert, _file(config.key, config.key_file) as key:
                context.load_cert_chain(cert, key or None)
    except (OSError, ValueError) as error:
        place = config.cert_file or config.ca_file or "tls_config"
        problem = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(place, f"cannot be used for TLS: {problem}") from None
    return context


@contextmanager
def _file(text: str, path: str) -> Iterator[str]:
    """A path to what is given as a path, or as a text: the ``ssl`` module reads files only."""
    if not text:
        yield path
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".pem") as file:  # mode 0600
        file.write(text)
        file.flush()
        yield file.name
