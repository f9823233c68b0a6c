"""An HTTP client from ``http_config``, as Prometheus understands it."""

from __future__ import annotations

import base64
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpx

from tocsin import __version__
from tocsin.alerting.config import HTTPClientConfig, ProxyConfig, TLSClientConfig
from tocsin.errors import ConfigError

USER_AGENT: Final = f"Alertmanager/{__version__} (Tocsin)"
"""Begins as upstream's, which receivers are known to match on."""

MAX_REDIRECTS: Final = 10
"""As Go's client, so that a loop costs no more requests than with Alertmanager."""

_VERSIONS: Final = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
_LIMITS: Final = httpx.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=300.0)


class TLSContexts:
    """One TLS context for all receivers of a configuration that ask for the same.

    A context holds the system's authorities: 1 MB and some 20 ms of work, too much for each receiver.
    """

    def __init__(self) -> None:
        self._made: dict[TLSClientConfig, ssl.SSLContext] = {}

    def get(self, config: TLSClientConfig) -> ssl.SSLContext:
        """What ``tls_config`` asks for; :class:`ConfigError` for certificates that cannot be used."""
        config = replace(config, server_name="")  # goes with each request
        context = self._made.get(config)
        if context is None:
            context = self._made[config] = tls_context(config)
        return context


def make_client(config: HTTPClientConfig, contexts: TLSContexts | None = None) -> httpx.AsyncClient:
    """A client with kept connections; :class:`ConfigError` for certificates that cannot be used."""
    context = (contexts or TLSContexts()).get(config.tls)
    return httpx.AsyncClient(
        verify=context,
        follow_redirects=config.follow_redirects,
        max_redirects=MAX_REDIRECTS,
        mounts=_mounts(config.proxy, context),
        trust_env=config.proxy.from_environment,
        headers={"User-Agent": USER_AGENT},
        limits=_LIMITS,
    )


def _mounts(proxy: ProxyConfig, context: ssl.SSLContext) -> dict[str, httpx.AsyncBaseTransport | None] | None:
    """Which way each request goes: through the proxy, save to the hosts of ``no_proxy``.

    A host stands for its subdomains too, as in Prometheus; networks (CIDR) are not understood here.
    """
    if not proxy.url:
        return None
    headers = [(name, value) for name, values in proxy.connect_header.items() for value in values]
    way = httpx.Proxy(proxy.url, headers=headers, ssl_context=None)
    mounts: dict[str, httpx.AsyncBaseTransport | None] = {
        "all://": httpx.AsyncHTTPTransport(verify=context, proxy=way, limits=_LIMITS)
    }
    for host in proxy.no_proxy.replace(",", " ").split():
        if host == "*":
            return None
        mounts[f"all://*{host}" if host.startswith(".") else f"all://{host}"] = None
        if not host.startswith("."):
            mounts[f"all://*.{host}"] = None
    return mounts


def request_extensions(config: HTTPClientConfig) -> Mapping[str, str]:
    """What a request has to carry for ``server_name`` to count: as SNI, and to check the certificate by."""
    return {"sni_hostname": config.tls.server_name} if config.tls.server_name else {}


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


def request_headers(config: HTTPClientConfig) -> list[tuple[str, str]]:
    """The headers that the configuration adds to each request; files are read anew each time.

    ``OSError`` when a file cannot be read.
    """
    headers: list[tuple[str, str]] = []
    basic = config.basic_auth
    if basic is not None:
        username = _value(basic.username, basic.username_file)
        password = _value(basic.password, basic.password_file)
        token = base64.b64encode(f"{username}:{password}".encode()).decode()
        headers.append(("Authorization", f"Basic {token}"))
    authorization = config.authorization
    if authorization is not None:
        credentials = _value(authorization.credentials, authorization.credentials_file)
        headers.append(("Authorization", f"{authorization.type} {credentials}"))
    for name, header in config.headers.items():
        values = (*header.values, *header.secrets, *(_value("", file) for file in header.files))
        headers.extend((name, value) for value in values)
    return headers


def _value(value: str, file: str) -> str:
    return Path(file).read_text(encoding="utf-8").strip() if file else value
