"""A running node gives up nothing that protects it.

What is written to a file piece by piece, or cut off as the disk is full, is often a whole configuration that
only protects less: without ``client_auth_type`` everybody is let in.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Final

from tocsin.errors import ConfigError
from tocsin.tls.settings import VERSIONS, ClientAuthType, ClusterTLSConfig, TLSClientConfig, TLSServerConfig

_VERIFYING: Final = (
    ClientAuthType.VERIFY_CLIENT_CERT_IF_GIVEN,
    ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT,
)
"""Weaker ones first."""

WHY: Final = "a running node gives up nothing that protects, as the file may be cut off"
PROBLEM: Final = f"is gone; {WHY}"
HINT: Final = "put it back; if it is meant, restart the node, which takes it"


def wanted_or_kept(
    before: ClusterTLSConfig, source: Callable[[], ClusterTLSConfig] | None
) -> tuple[ClusterTLSConfig, ConfigError | None]:
    """What ``source`` gives; or ``before``, if that protects more or the other cannot be read, and why: its
    files can still be renewed."""
    try:
        after = source() if source is not None else before
        check_kept(before, after)
    except ConfigError as error:
        return before, error
    return after, None


def check_kept(before: ClusterTLSConfig, after: ClusterTLSConfig) -> None:
    """:class:`ConfigError` if ``after`` asks less of peers than ``before``."""
    check_server_kept(before.server, after.server)
    section = "tls_client_config"
    _check(section, _of_client(before.client), _of_client(after.client))
    _check_version(section, before.client.min_version, after.client.min_version)


def check_server_kept(before: TLSServerConfig, after: TLSServerConfig) -> None:
    """:class:`ConfigError` if ``after`` asks less of clients than ``before``."""
    section = "tls_server_config"
    _check(section, _of_server(before), _of_server(after))
    _check_version(section, before.min_version, after.min_version)
    if _strength(after.client_auth_type) < _strength(before.client_auth_type):
        raise ConfigError(
            f"{section}.client_auth_type",
            f"{after.client_auth_type.value} asks less of clients than {before.client_auth_type.value}:"
            f" {WHY}",
            HINT,
        )


def _of_server(config: TLSServerConfig) -> dict[str, object]:
    return {
        "client_ca": config.client_ca_file or config.client_ca,
        "client_crl": config.client_crl_file or config.client_crl,
        "client_allowed_sans": config.client_allowed_sans,
    }


def _of_client(config: TLSClientConfig) -> dict[str, object]:
    return {
        "cert": config.cert_file or config.cert,
        "ca": config.ca_file or config.ca,
        "crl": config.crl_file or config.crl,
        "server_allowed_sans": config.server_allowed_sans,
    }


def _check(section: str, before: dict[str, object], after: dict[str, object]) -> None:
    for name, value in before.items():
        if value and not after[name]:
            raise ConfigError(f"{section}.{name}", PROBLEM, HINT)


def _check_version(section: str, before: str, after: str) -> None:
    if _oldest(after) < _oldest(before):
        raise ConfigError(f"{section}.min_version", f"{after or 'none'} is lower than {before}: {WHY}", HINT)


def _oldest(name: str) -> ssl.TLSVersion:
    """TLS 1.2 where nothing newer is asked for."""
    return max(VERSIONS.get(name, ssl.TLSVersion.TLSv1_2), ssl.TLSVersion.TLSv1_2)


def _strength(kind: ClientAuthType) -> int:
    return _VERIFYING.index(kind) + 1 if kind in _VERIFYING else 0
