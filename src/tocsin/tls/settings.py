"""The two halves of Alertmanager's ``--cluster.tls-config`` file, after parsing.

Field names are the file's keys (``tls_server_config`` and ``tls_client_config``); file names are already
resolved against the file's directory. Empty text, ``None`` and empty tuples mean "not set". Inline PEM
(``cert``, ``key``, ``client_ca``, ``ca``, ``crl`` ...) is bytes. The keys ``ca_ref``, ``cert_ref`` and
``key_ref`` exist in Alertmanager's parser only to fail afterwards, so they have no field here.

These are plain values: names are checked against the tables below by the code that knows the line they came
from, and once more by :mod:`tocsin.tls.identity`, which makes ``ssl`` contexts of them.

Source: wire 3.3; Go's ``crypto/tls`` names.
"""

from __future__ import annotations

import ssl
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tocsin.dataclass import dataclass


class ClientAuthType(Enum):
    """What a server asks of a client's certificate, by Go's names."""

    NO_CLIENT_CERT = "NoClientCert"
    REQUEST_CLIENT_CERT = "RequestClientCert"
    REQUIRE_ANY_CLIENT_CERT = "RequireAnyClientCert"
    VERIFY_CLIENT_CERT_IF_GIVEN = "VerifyClientCertIfGiven"
    REQUIRE_AND_VERIFY_CLIENT_CERT = "RequireAndVerifyClientCert"

    @classmethod
    def from_name(cls, name: str) -> ClientAuthType:
        """By Go's name, the old alias ``RequireClientCert`` included; empty is ``NoClientCert``.

        :class:`ValueError` for any other name.
        """
        if not name:
            return cls.NO_CLIENT_CERT
        return cls(CLIENT_AUTH_ALIASES.get(name, name))


CLIENT_AUTH_ALIASES: Final = MappingProxyType({"RequireClientCert": "RequireAnyClientCert"})

VERSIONS: Final = MappingProxyType(
    {
        "TLS10": ssl.TLSVersion.TLSv1,
        "TLS11": ssl.TLSVersion.TLSv1_1,
        "TLS12": ssl.TLSVersion.TLSv1_2,
        "TLS13": ssl.TLSVersion.TLSv1_3,
    }
)
"""``min_version`` and ``max_version``, oldest first."""

CIPHER_SUITES: Final = MappingProxyType(
    {
        "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
        "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
        "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
        "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    }
)
"""``cipher_suites`` for TLS 1.2: Go's name to OpenSSL's."""

TLS13_CIPHER_SUITES: Final = frozenset(
    {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
)
"""Accepted in ``cipher_suites`` without effect, as in Go: TLS 1.3 has no choice of suites there."""

CURVES: Final = MappingProxyType(
    {
        "CurveP256": "prime256v1",
        "CurveP384": "secp384r1",
        "CurveP521": "secp521r1",
        "X25519": "X25519",
    }
)
"""``curve_preferences``: Go's name to OpenSSL's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSServerConfig:
    """``tls_server_config``: how this node answers. One source each of certificate and key is needed."""

    cert_file: Path | None = None
    key_file: Path | None = None
    cert: bytes | None = None
    key: bytes | None = None
    client_ca_file: Path | None = None
    client_ca: bytes | None = None
    client_auth_type: ClientAuthType = ClientAuthType.NO_CLIENT_CERT
    client_allowed_sans: tuple[str, ...] = ()
    client_crl_file: Path | None = None
    """Tocsin's own key: certificates that the client CA has revoked."""
    client_crl: bytes | None = None
    cipher_suites: tuple[str, ...] = ()
    curve_preferences: tuple[str, ...] = ()
    min_version: str = ""
    max_version: str = ""
    prefer_server_cipher_suites: bool = False
    """No effect, as in current Go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSClientConfig:
    """``tls_client_config``: how this node dials others. Without a CA the system's roots decide."""

    ca_file: Path | None = None
    ca: bytes | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    cert: bytes | None = None
    key: bytes | None = None
    crl_file: Path | None = None
    """Tocsin's own key: certificates that the CA has revoked."""
    crl: bytes | None = None
    server_allowed_sans: tuple[str, ...] = ()
    """Tocsin's own key: a server's certificate must have one of these names as well."""
    server_name: str = ""
    insecure_skip_verify: bool = False
    min_version: str = ""
    max_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterTLSConfig:
    """Both halves; ``client`` may be left out in the file, as Alertmanager 0.28 and newer allow."""

    server: TLSServerConfig
    client: TLSClientConfig = TLSClientConfig()
