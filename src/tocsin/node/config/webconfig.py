"""The file of ``--web.config.file``: exporter-toolkit's keys, strict.

Two steps, because the watcher of the files must know their names before anything in them is read:
:func:`read_web_file` reads the YAML alone, :meth:`WebFile.resolve` the certificates, keys and CAs in it.

Source: exporter-toolkit's documentation, and what Alertmanager 0.33 does with such a file. Refuses what fails
only later in Alertmanager, as the cluster's file does (:mod:`tocsin.node.config.tls`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tocsin.config.readers import map_of, secret, text
from tocsin.config.scalars import boolean, go_duration, unsigned
from tocsin.config.schema import Section, option
from tocsin.config.texts import Secret
from tocsin.config.yaml import Node, load, read_file
from tocsin.dataclass import dataclass
from tocsin.node.config.tls import ServerSection, check_server, server_config
from tocsin.tls.settings import ClientAuthType, TLSServerConfig

HEADERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "Strict-Transport-Security": (),
        "X-Content-Type-Options": ("nosniff",),
        "X-Frame-Options": ("deny", "sameorigin"),
        "X-XSS-Protection": (),
        "Content-Security-Policy": (),
    }
)
"""Headers that may be set, with the values that they may have; empty: any."""

MAX_USERS: Final = 10_000
_NANOSECONDS: Final = 1_000_000_000
_BCRYPT: Final = re.compile(r"\$2[abxy]?\$(\d\d)\$[./A-Za-z0-9]{53}")
_MAKE_HASH: Final = "make one with: htpasswd -nBC 10 USER"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """``rate_limit``: ``burst`` requests at once, then one each ``interval`` seconds, for all clients."""

    burst: int
    interval: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """The checked content of the file. ``users``: name to bcrypt hash; empty: no passwords are required."""

    tls: TLSServerConfig | None = None
    headers: tuple[tuple[str, str], ...] = ()
    users: Mapping[str, Secret] = field(default_factory=lambda: MappingProxyType({}))
    rate_limit: RateLimit | None = None


def _header_values(node: Node) -> dict[str, str]:
    found = map_of(lambda each: each)(node)
    values: dict[str, str] = {}
    for name, each in found.items():
        if name not in HEADERS:
            raise each.mark.error(
                f"HTTP header {name!r} can not be configured", f"known here: {', '.join(HEADERS)}"
            )
        value = text(each)
        allowed = HEADERS[name]
        if allowed and value not in allowed:
            raise each.mark.error(f"invalid value for {name}", f"use one of {', '.join(allowed)}")
        if not value.isprintable() or not value.isascii():
            raise each.mark.error(f"the value of {name} is not printable ASCII", "write it on one line")
        values[name] = value
    return values


def _user_hashes(node: Node) -> dict[str, Secret]:
    found = map_of(lambda each: each)(node)
    if len(found) > MAX_USERS:
        raise node.mark.error(f"more than {MAX_USERS} users")
    hashes: dict[str, Secret] = {}
    for name, each in found.items():
        if ":" in name:
            raise each.mark.error(f"the user name {name!r} holds a colon: nobody could log in", "rename it")
        value = secret(each)
        written = _BCRYPT.fullmatch(value)
        if written is None:
            raise each.mark.error(f"the password of {name!r} is not a bcrypt hash", _MAKE_HASH)
        if not 4 <= int(written[1]) <= 31:
            raise each.mark.error(f"the bcrypt cost {written[1]} of {name!r} is not in 04 to 31", _MAKE_HASH)
        hashes[name] = value
    return hashes


class _HTTPSection(Section):
    http2: bool = option(boolean, default=True)
    headers: dict[str, str] = option(_header_values, default={})


class _RateSection(Section):
    burst: int = option(unsigned, default=0)
    interval: int = option(go_duration, default=0)


class _FileSection(Section):
    tls_server_config: ServerSection | None = option(ServerSection.read, default=None)
    http_server_config: _HTTPSection | None = option(_HTTPSection.read, default=None)
    rate_limit: _RateSection | None = option(_RateSection.read, default=None)
    basic_auth_users: dict[str, Secret] = option(_user_hashes, default={})


_ENABLING: Final = ("cert", "key", "client_ca", "cert_file", "key_file", "client_ca_file", "client_auth_type")
"""Keys each of which enables TLS; the others alone leave it off, as upstream."""


@dataclass(frozen=True, slots=True)
class WebFile:
    """The file's YAML, before anything that it names was read."""

    path: Path
    found: _FileSection | None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it names: certificate, key, client CAs, revocation lists."""
        server = self._server
        if server is None:
            return ()
        names = (server.cert_file, server.key_file, server.client_ca_file, server.client_crl_file)
        return tuple(Path(name) for name in names if name)

    @property
    def _server(self) -> ServerSection | None:
        server = self.found.tls_server_config if self.found is not None else None
        return server if server is not None and any(server[key] for key in _ENABLING) else None

    def resolve(self) -> WebConfig:
        """Read and check what it names; :class:`~tocsin.errors.ConfigError` with file, line and column."""
        found = self.found
        if found is None:
            return WebConfig()
        server = self._server
        if server is not None:
            check_server(server)
            _check_client_auth(server)
        rate = found.rate_limit
        return WebConfig(
            tls=None if server is None else server_config(server),
            headers=tuple(found.http_server_config.headers.items()) if found.http_server_config else (),
            users=MappingProxyType(dict(found.basic_auth_users)),
            rate_limit=RateLimit(rate.burst, rate.interval / _NANOSECONDS)
            if rate and rate.interval
            else None,
        )


def _check_client_auth(server: ServerSection) -> None:
    kind = ClientAuthType.from_name(server.client_auth_type)
    if kind is ClientAuthType.REQUIRE_ANY_CLIENT_CERT:
        raise server.at("client_auth_type").error(
            f"{server.client_auth_type} accepts certificates without verifying them, which is not supported",
            "use RequireAndVerifyClientCert with client_ca_file",
        )
    verifies = (ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT, ClientAuthType.VERIFY_CLIENT_CERT_IF_GIVEN)
    if server.client_allowed_sans and kind not in verifies:
        raise server.at("client_allowed_sans").error(
            f"client_allowed_sans has no effect with client_auth_type {kind.value}",
            "use RequireAndVerifyClientCert with client_ca_file",
        )


def read_web_file(path: str | Path) -> WebFile:
    """The YAML at ``path``; :class:`~tocsin.errors.ConfigError` with file, line and column."""
    path = Path(path)
    tree = load(read_file(path), str(path))
    return WebFile(path, None if tree is None else _FileSection.read(tree))


def load_web_config(path: str | Path) -> WebConfig:
    """The file at ``path``, relative file names of its directory; :class:`~tocsin.errors.ConfigError`."""
    return read_web_file(path).resolve()
