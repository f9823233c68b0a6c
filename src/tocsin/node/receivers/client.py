"""An HTTP client from ``http_config``, as Prometheus understands it."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from typing import Final

import httpx

from tocsin import __version__
from tocsin.alerting.config import HTTPClientConfig, TLSClientConfig
from tocsin.errors import ConfigError

USER_AGENT: Final = f"Alertmanager/{__version__} (Tocsin)"
"""Begins as upstream's, which receivers are known to match on."""

_VERSIONS: Final = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
_LIMITS: Final = httpx.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=300.0)


def make_client(config: HTTPClientConfig) -> httpx.AsyncClient:
    """A client with kept connections; :class:`ConfigError` for certificates that cannot be used."""
    return httpx.AsyncClient(
        verify=tls_context(config.tls),
        follow_redirects=config.follow_redirects,
        proxy=config.proxy.url or None,
        trust_env=config.proxy.from_environment,
        headers={"User-Agent": USER_AGENT},
        limits=_LIMITS,
    )


def tls_context(config: TLSClientConfig) -> ssl.SSLContext:
    """What ``tls_config`` asks for."""
    try:
        context = ssl.create_default_context(cafile=config.ca_file or None, cadata=config.ca or None)
        context.minimum_version = _VERSIONS.get(config.min_version, ssl.TLSVersion.TLSv1_2)
        if config.max_version:
            context.maximum_version = _VERSIONS[config.max_version]
        if config.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if config.cert_file:
            context.load_cert_chain(config.cert_file, config.key_file or None)
    except (OSError, ssl.SSLError) as error:
        place = config.cert_file or config.ca_file or "tls_config"
        raise ConfigError(place, f"cannot be used for TLS: {error.strerror or error}") from None
    return context


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
