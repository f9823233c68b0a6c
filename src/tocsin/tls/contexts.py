"""``ssl`` contexts from the configuration.

Two things that Go's server can do, Python's ``ssl`` cannot, because it has no way to accept a certificate
that does not verify. ``RequireAnyClientCert`` is therefore refused with a :class:`ConfigError`.
``RequestClientCert`` asks for a certificate and accepts every client whatever comes, so the same clients are
accepted here without asking; with ``client_allowed_sans``, which needs the certificate, it is refused.

TLS 1.0 and 1.1 are never spoken: a lower ``min_version`` is taken as TLS 1.2, a lower ``max_version`` is
refused.
"""

from __future__ import annotations

import logging
import os
import ssl
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tocsin.errors import ConfigError
from tocsin.tls.files import Files
from tocsin.tls.settings import (
    CIPHER_SUITES,
    CURVES,
    TLS13_CIPHER_SUITES,
    VERSIONS,
    ClientAuthType,
    TLSClientConfig,
    TLSServerConfig,
)

_log = logging.getLogger(__name__)

_VERIFYING: Final = (
    ClientAuthType.VERIFY_CLIENT_CERT_IF_GIVEN,
    ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT,
)
_CERTIFICATE_MARK: Final = b"-----BEGIN CERTIFICATE-----"


def build_server_context(config: TLSServerConfig, files: Files | None = None) -> ssl.SSLContext:
    """The context that answers connections. Reads the files; :class:`ConfigError` names what is wrong."""
    section, files = "tls_server_config", files or Files()
    if config.cert_file is None and config.cert is None:
        raise ConfigError(
            f"{section}.cert_file", "no certificate", "set cert_file and key_file, or cert and key"
        )
    context = _context(ssl.PROTOCOL_TLS_SERVER, section, config.min_version, config.max_version)
    # Two lets TLS 1.3 clients resume once per ticket on two connections; it is also OpenSSL's own default.
    context.num_tickets = 2
    _load_certificate(context, files, section, config.cert_file, config.key_file, config.cert, config.key)
    _set_cipher_suites(context, config.cipher_suites)
    _set_curves(context, config.curve_preferences)
    _ask_for_client_certificate(context, files, config)
    return context


def build_client_context(config: TLSClientConfig, files: Files | None = None) -> ssl.SSLContext:
    """The context that dials. Reads the files; :class:`ConfigError` names what is wrong."""
    section, files = "tls_client_config", files or Files()
    context = _context(ssl.PROTOCOL_TLS_CLIENT, section, config.min_version, config.max_version)
    if config.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if not _load_authorities(context, files, section, "ca", config.ca_file, config.ca):
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if any(source is not None for source in (config.cert_file, config.key_file, config.cert, config.key)):
        _load_certificate(context, files, section, config.cert_file, config.key_file, config.cert, config.key)
    return context


def _context(protocol: int, section: str, minimum: str, maximum: str) -> ssl.SSLContext:
    for key, name in (("min_version", minimum), ("max_version", maximum)):
        if name and name not in VERSIONS:
            raise ConfigError(
                f"{section}.{key}", f"unknown TLS version {name!r}", "one of " + ", ".join(VERSIONS)
            )
    order = list(VERSIONS)
    if maximum and order.index(maximum) < order.index("TLS12"):
        raise ConfigError(f"{section}.max_version", f"{maximum} is not supported", "use TLS12 or TLS13")
    if minimum and maximum and order.index(minimum) > order.index(maximum):
        raise ConfigError(
            f"{section}.min_version",
            f"{minimum} is newer than max_version {maximum}, so no handshake could succeed",
            "swap them",
        )
    context = ssl.SSLContext(protocol)
    context.minimum_version = max(VERSIONS.get(minimum, ssl.TLSVersion.TLSv1_2), ssl.TLSVersion.TLSv1_2)
    if maximum:
        context.maximum_version = VERSIONS[maximum]
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    # Else the subject's common name stands in where there is no alternative name (RFC 9525, 2).
    context.hostname_checks_common_name = False
    return context


def _ask_for_client_certificate(context: ssl.SSLContext, files: Files, config: TLSServerConfig) -> None:
    kind = config.client_auth_type
    location = "tls_server_config.client_auth_type"
    has_authority = config.client_ca_file is not None or config.client_ca is not None
    hint = f"use {ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT.value} with client_ca_file"
    if kind is ClientAuthType.REQUIRE_ANY_CLIENT_CERT:
        raise ConfigError(location, f"{kind.value} is not supported: certificates are always verified", hint)
    if kind is ClientAuthType.NO_CLIENT_CERT and has_authority:
        raise ConfigError(location, "a client CA is set, but no client certificate is asked for", hint)
    if kind not in _VERIFYING:
        if config.client_allowed_sans:
            raise ConfigError(
                "tls_server_config.client_allowed_sans",
                f"has no effect with client_auth_type {kind.value}, which verifies no certificate",
                hint,
            )
        return
    if not _load_authorities(
        context, files, "tls_server_config", "client_ca", config.client_ca_file, config.client_ca
    ):
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = (
        ssl.CERT_REQUIRED if kind is ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT else ssl.CERT_OPTIONAL
    )


def _set_cipher_suites(context: ssl.SSLContext, names: Sequence[str]) -> None:
    location = "tls_server_config.cipher_suites"
    for name in names:
        if name not in CIPHER_SUITES and name not in TLS13_CIPHER_SUITES:
            raise ConfigError(location, f"unknown cipher suite {name!r}", "use Go's names of secure suites")
    chosen = [CIPHER_SUITES[name] for name in names if name in CIPHER_SUITES]
    if chosen:
        try:
            context.set_ciphers(":".join(chosen))
        except ssl.SSLError:
            raise ConfigError(
                location, "this OpenSSL offers none of these suites", "choose newer ones"
            ) from None


def _set_curves(context: ssl.SSLContext, names: Sequence[str]) -> None:
    location = "tls_server_config.curve_preferences"
    for name in names:
        if name not in CURVES:
            raise ConfigError(location, f"unknown curve {name!r}", "one of " + ", ".join(CURVES))
    if not names:
        return
    set_groups: Callable[[str], None] | None = getattr(context, "set_groups", None)
    if set_groups is not None:
        set_groups(":".join("P-256" if name == "CurveP256" else CURVES[name] for name in names))
        return
    # Python before 3.15 can set one curve only. The first alone stays inside the policy that the list states.
    if len(names) > 1:
        _log.warning("%s: this Python can use one curve only: %s", location, names[0])
    context.set_ecdh_curve(CURVES[names[0]])


def _load_authorities(
    context: ssl.SSLContext, files: Files, section: str, key: str, file: Path | None, inline: bytes | None
) -> bool:
    """Whether there was a source."""
    if file is not None and inline is not None:
        raise ConfigError(f"{section}.{key}", f"both {key} and {key}_file are set", "keep one")
    if file is None and inline is None:
        return False
    location, pem = files.source(section, key, file, inline)
    if _CERTIFICATE_MARK not in pem:
        raise ConfigError(location, "holds no PEM certificate", "give a file with BEGIN CERTIFICATE blocks")
    try:
        context.load_verify_locations(cadata=pem.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            location, f"a certificate in it cannot be read: {_reason(error)}", "check the file"
        ) from None
    return True


def _load_certificate(
    context: ssl.SSLContext,
    files: Files,
    section: str,
    cert_file: Path | None,
    key_file: Path | None,
    cert: bytes | None,
    key: bytes | None,
) -> None:
    for name, file, inline in (("cert", cert_file, cert), ("key", key_file, key)):
        if file is not None and inline is not None:
            raise ConfigError(f"{section}.{name}", f"both {name} and {name}_file are set", "keep one")
        if file is None and inline is None:
            other = "key" if name == "cert" else "cert"
            raise ConfigError(
                f"{section}.{name}_file", f"missing, though a {other} is set", "give both or none"
            )
    cert_location, cert_pem = files.source(section, "cert", cert_file, cert)
    key_location, key_pem = files.source(section, "key", key_file, key)
    if _CERTIFICATE_MARK not in cert_pem:
        raise ConfigError(cert_location, "holds no PEM certificate", "give the certificate, then its chain")
    if b"PRIVATE KEY-----" not in key_pem:
        raise ConfigError(key_location, "holds no PEM private key", "give the certificate's private key")
    if b"ENCRYPTED" in key_pem:
        raise ConfigError(
            key_location,
            "the private key is encrypted",
            "decrypt it: openssl pkey -in KEY -out PLAIN, mode 0600",
        )
    with MemoryFile(cert_pem) as cert_path, MemoryFile(key_pem) as key_path:
        try:
            # The callback keeps OpenSSL from ever asking for a password on the terminal.
            context.load_cert_chain(cert_path, key_path, password=lambda: b"")
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH" or error.reason == "KEY_TYPE_MISMATCH":
                raise ConfigError(
                    key_location,
                    f"is not the private key of the certificate in {cert_location}",
                    "use the matching pair",
                ) from None
            raise ConfigError(
                cert_location,
                f"certificate or key {key_location} cannot be used: {_reason(error)}",
                "check both files",
            ) from None


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return str(reason).replace("_", " ").lower() if reason else str(error)


class MemoryFile:
    """Bytes under a path for as long as the ``with`` lasts: ``ssl`` reads keys from paths only.

    In memory where the system can (so that an inline key never reaches a disk), else a file with mode 0600.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._descriptor = -1
        self._path = ""

    def __enter__(self) -> str:
        if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
            self._descriptor = os.memfd_create("pem")
            path = f"/proc/self/fd/{self._descriptor}"
        else:
            self._descriptor, path = tempfile.mkstemp()
            self._path = path
        with open(self._descriptor, "wb", closefd=False) as file:
            file.write(self._content)
        return path

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
        if self._path:
            Path(self._path).unlink()
