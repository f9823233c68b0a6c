"""DTLS contexts from the same configuration as the TLS ones, renewed when those are.

:class:`~tocsin.tls.identity.ClusterIdentity` has checked the configuration and notices when
its files change: it then gives another TLS context, and so another DTLS context is built here. Who swaps the
identity itself, assigns :attr:`DTLSContexts.identity`.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tocsin.errors import ConfigError
from tocsin.gossip.address import Address
from tocsin.gossip.transport.dtls.openssl import SSL, crypto
from tocsin.gossip.transport.dtls.settings import DTLSStatistics
from tocsin.gossip.transport.dtls.verification import Rule, name_rule, no_rule, verify
from tocsin.tls.files import read
from tocsin.tls.identity import ClusterIdentity
from tocsin.tls.settings import (
    CIPHER_SUITES,
    CURVES,
    ClientAuthType,
    TLSClientConfig,
    TLSServerConfig,
)

_log = logging.getLogger(__name__)

_DTLS_1_2: Final = 0xFEFD
_DEFAULT_SUITES: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
_KEY_CURVES: Final = {"secp256r1": "CurveP256", "secp384r1": "CurveP384", "secp521r1": "CurveP521"}
_VERIFY_MODES: Final = {
    ClientAuthType.VERIFY_CLIENT_CERT_IF_GIVEN: SSL.VERIFY_PEER,
    ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT: SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT,
}


class DTLSContexts:
    """What each handshake asks for: the context of the moment, and the rule for the peer's certificate."""

    def __init__(self, identity: ClusterIdentity, statistics: DTLSStatistics | None = None) -> None:
        """:class:`ConfigError` for what TLS can do and DTLS cannot."""
        self.identity = identity
        self._statistics = statistics or DTLSStatistics()
        self._server_for: ssl.SSLContext = identity.server_context()
        self._client_for: ssl.SSLContext = identity.client_context()
        self._server = build_server_context(identity.config.server)
        self._client = build_client_context(identity.config.client)

    def server_context(self) -> SSL.Context:
        """For the next handshake that a peer began."""
        wanted = self.identity.server_context()
        if wanted is not self._server_for:
            self._server_for = wanted
            self._server = self._rebuilt(
                lambda: build_server_context(self.identity.config.server), self._server
            )
        return self._server

    def client_context(self) -> SSL.Context:
        """For the next handshake that we begin."""
        wanted = self.identity.client_context()
        if wanted is not self._client_for:
            self._client_for = wanted
            self._client = self._rebuilt(
                lambda: build_client_context(self.identity.config.client), self._client
            )
        return self._client

    def client_rule(self) -> Rule:
        """For the certificate of a peer that dialled."""
        return self.identity.check_client

    def server_rule(self, address: Address) -> Rule:
        """For the certificate of a peer that we dialled at ``address``."""
        identity = self.identity
        if identity.config.client.insecure_skip_verify:
            return no_rule
        has_name = name_rule(identity.server_hostname(address.host, address.port))

        def check(certificate: bytes | None) -> None:
            has_name(certificate)
            identity.check_server(certificate)

        return check

    def _rebuilt(self, build: Callable[[], SSL.Context], old: SSL.Context) -> SSL.Context:
        try:
            return build()
        except ConfigError as error:
            self._statistics.reloads_failed += 1
            _log.error("changed TLS files are not usable for DTLS, the old ones stay in use: %s", error)
            return old


def build_server_context(config: TLSServerConfig) -> SSL.Context:
    """The context that answers; :class:`ConfigError`."""
    section = "tls_server_config"
    context = _context(SSL.DTLS_SERVER_METHOD, section, config.min_version)
    leaf = _load_certificate(context, section, config.cert_file, config.key_file, config.cert, config.key)
    _set_suites(context, config.cipher_suites)
    _set_curves(context, config.curve_preferences, leaf)
    mode = _VERIFY_MODES.get(config.client_auth_type)
    if mode is not None:
        if not _load_authorities(context, section, config.client_ca_file, config.client_ca):
            context.set_default_verify_paths()
        context.set_verify(mode, verify)
    # Cookies are made and checked before a context is asked for (see .cookies); OpenSSL needs this call.
    context.set_cookie_generate_callback(lambda _: b"unused")
    context.set_cookie_verify_callback(lambda *_: True)
    return context


def build_client_context(config: TLSClientConfig) -> SSL.Context:
    """The context that dials; :class:`ConfigError`."""
    section = "tls_client_config"
    context = _context(SSL.DTLS_CLIENT_METHOD, section, config.min_version)
    context.set_cipher_list(_DEFAULT_SUITES.encode())
    if config.cert_file is not None or config.cert is not None:
        _load_certificate(context, section, config.cert_file, config.key_file, config.cert, config.key)
    if not config.insecure_skip_verify:
        if not _load_authorities(context, section, config.ca_file, config.ca):
            context.set_default_verify_paths()
        context.set_verify(SSL.VERIFY_PEER, verify)
    return context


def _context(method: int, section: str, minimum: str) -> SSL.Context:
    if minimum == "TLS13":
        raise ConfigError(
            f"{section}.min_version",
            "TLS13 cannot be kept by --cluster.transport=dtls: OpenSSL's DTLS ends at version 1.2",
            "use TLS12, or --cluster.transport=tls",
        )
    context = SSL.Context(method)
    context.set_min_proto_version(_DTLS_1_2)
    context.set_options(
        SSL.OP_NO_QUERY_MTU | SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION
    )
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    # Each association proves both sides anew.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    return context


def _set_suites(context: SSL.Context, names: tuple[str, ...]) -> None:
    chosen = [CIPHER_SUITES[name] for name in names if name in CIPHER_SUITES]
    authenticated = [name for name in chosen if name.startswith("ECDHE") and not name.endswith("-SHA")]
    if chosen and not authenticated:
        raise ConfigError(
            "tls_server_config.cipher_suites",
            "has no suite that --cluster.transport=dtls uses (ECDHE with GCM or CHACHA20)",
            "add TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, or the RSA one that suits the key",
        )
    context.set_cipher_list(":".join(authenticated or [_DEFAULT_SUITES]).encode())


def _set_curves(context: SSL.Context, names: tuple[str, ...], leaf: x509.Certificate) -> None:
    if not names:
        return
    key = leaf.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and _KEY_CURVES.get(key.curve.name) not in names:
        raise ConfigError(
            "tls_server_config.curve_preferences",
            f"leaves out {key.curve.name}, which is the certificate's own: DTLS 1.2 could not use the key",
            f"add {_KEY_CURVES.get(key.curve.name, 'it')}, or use --cluster.transport=tls",
        )
    # pyOpenSSL's own method knows one curve, and not X25519.
    library: Any = SSL._lib  # type: ignore[attr-defined]
    set_curves = getattr(library, "SSL_CTX_set1_curves_list", None)
    wanted = ":".join(CURVES[name] for name in names).encode()
    if set_curves is None or set_curves(context._context, wanted) != 1:
        raise ConfigError(
            "tls_server_config.curve_preferences", "cannot be kept by this pyOpenSSL", "leave it out"
        )


def _load_authorities(context: SSL.Context, section: str, file: Path | None, inline: bytes | None) -> bool:
    """Whether there was a source."""
    if file is None and inline is None:
        return False
    location, pem = _read(section, file, inline)
    store = context.get_cert_store()
    assert store is not None  # noqa: S101 (a context always has one)
    try:
        for certificate in x509.load_pem_x509_certificates(pem):
            store.add_cert(crypto.X509.from_cryptography(certificate))
    except (ValueError, crypto.Error, SSL.Error) as error:
        raise ConfigError(
            location, f"a certificate in it cannot be used: {error}", "check the file"
        ) from None
    return True


def _load_certificate(
    context: SSL.Context,
    section: str,
    cert_file: Path | None,
    key_file: Path | None,
    cert: bytes | None,
    key: bytes | None,
) -> x509.Certificate:
    cert_location, cert_pem = _read(section, cert_file, cert)
    key_location, key_pem = _read(section, key_file, key)
    try:
        leaf, *chain = x509.load_pem_x509_certificates(cert_pem)
        context.use_certificate(leaf)
        for certificate in chain:
            context.add_extra_chain_cert(certificate)
    except (ValueError, SSL.Error):
        raise ConfigError(cert_location, "holds no usable certificate", "check the file") from None
    try:
        context.use_privatekey(load_pem_private_key(key_pem, None))  # type: ignore[arg-type]
        context.check_privatekey()
    except (ValueError, TypeError, SSL.Error):
        # What the parser says of it may hold parts of the key.
        raise ConfigError(
            key_location, f"is not the private key of {cert_location}", "use the matching pair"
        ) from None
    return leaf


def _read(section: str, file: Path | None, inline: bytes | None) -> tuple[str, bytes]:
    if inline is not None:
        return section, inline
    if file is None:
        raise ConfigError(section, "certificate or key is missing", "give both or none")
    try:
        return str(file), read(file)
    except OSError as error:
        raise ConfigError(str(file), f"cannot be read: {error.strerror}", "check path and mode") from None
