"""The file of ``--cluster.tls-config``: Alertmanager's keys, strict, every file it names read once and
checked.

Keys of our own, which Go's Alertmanager refuses as unknown: ``client_crl``, ``client_crl_file``, ``crl``,
``crl_file``, ``server_allowed_sans``.

Source: wire 3.3. Refuses what fails only later in Alertmanager: ``min_version`` above
``max_version``, a client CA file without a certificate, a key that is not its certificate's.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tocsin.config.httpclient import TLSClientConfig as TLSSection
from tocsin.config.httpclient import check_versions, tls_version
from tocsin.config.readers import file_path, list_of, secret, text
from tocsin.config.scalars import boolean
from tocsin.config.schema import Section, option
from tocsin.config.texts import Secret
from tocsin.config.yaml import Mark, Node, Reader, load, read_file
from tocsin.tls.files import read
from tocsin.tls.settings import (
    CIPHER_SUITES,
    CLIENT_AUTH_ALIASES,
    CURVES,
    TLS13_CIPHER_SUITES,
    ClientAuthType,
    ClusterTLSConfig,
    TLSClientConfig,
    TLSServerConfig,
)

if TYPE_CHECKING:  # Loaded with a file that names certificates.
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

Source: TypeAlias = "tuple[Path | None, bytes | None]"
"""A file, or the PEM text itself, or neither."""


def _one_of(what: str, known: Collection[str]) -> Reader[str]:
    def read(node: Node) -> str:
        written = text(node)
        if written not in known:
            raise node.mark.error(f"unknown {what} {written!r}", f"use one of {', '.join(known)}")
        return written

    return read


_CLIENT_AUTH_NAMES = (*(each.value for each in ClientAuthType), *CLIENT_AUTH_ALIASES)


class ServerSection(Section):
    """``tls_server_config``."""

    cert: str = option(text, default="")
    key: str = option(secret, default=Secret(""))
    client_ca: str = option(text, default="")
    cert_file: str = option(file_path, default="")
    key_file: str = option(file_path, default="")
    client_auth_type: str = option(_one_of("client_auth_type", ("", *_CLIENT_AUTH_NAMES)), default="")
    client_ca_file: str = option(file_path, default="")
    client_allowed_sans: tuple[str, ...] = option(list_of(text), default=())
    client_crl: str = option(text, default="")
    client_crl_file: str = option(file_path, default="")
    cipher_suites: tuple[str, ...] = option(
        list_of(_one_of("cipher suite", (*CIPHER_SUITES, *sorted(TLS13_CIPHER_SUITES)))), default=()
    )
    curve_preferences: tuple[str, ...] = option(list_of(_one_of("curve", tuple(CURVES))), default=())
    min_version: str = option(tls_version, default="")
    max_version: str = option(tls_version, default="")
    prefer_server_cipher_suites: bool = option(boolean, default=False)


def check_server(server: ServerSection) -> None:
    """Check which keys need or exclude each other."""
    if not server.given:
        raise server.mark.error("TLS config is not present", "add cert_file and key_file")
    server.at_most_one("cert", "cert_file")
    server.at_most_one("key", "key_file")
    server.at_most_one("client_ca", "client_ca_file")
    server.at_most_one("client_crl", "client_crl_file")
    if (server.client_crl or server.client_crl_file) and not (server.client_ca or server.client_ca_file):
        raise server.at("client_crl_file" if server.client_crl_file else "client_crl").error(
            "a revocation list needs the authority that signed it", "add client_ca_file"
        )
    if not (server.cert or server.cert_file):
        raise server.mark.error("the server has no certificate", "add cert_file, or cert with PEM text")
    if not (server.key or server.key_file):
        raise server.mark.error("the server has no key", "add key_file, or key with PEM text")
    if (server.client_ca or server.client_ca_file) and server.client_auth_type in ("", "NoClientCert"):
        given = "client_ca_file" if server.client_ca_file else "client_ca"
        raise server.at(given).error(
            "a client CA has no effect with client_auth_type NoClientCert, which is the default",
            "set client_auth_type: RequireAndVerifyClientCert",
        )
    check_versions(server, server.min_version, server.max_version)


def _read_server(node: Node) -> ServerSection:
    found = ServerSection.read(node)
    check_server(found)
    return found


class ClientSection(TLSSection):
    """``tls_client_config``: Alertmanager's keys and, from ``crl`` on, our own."""

    crl: str = option(text, default="")
    crl_file: str = option(file_path, default="")
    server_allowed_sans: tuple[str, ...] = option(list_of(text), default=())

    def check(self) -> None:
        """Check which keys need or exclude each other."""
        super().check()
        self.at_most_one("crl", "crl_file")
        for name in ("crl", "crl_file", "server_allowed_sans"):
            if self.insecure_skip_verify and self[name]:
                raise self.at(name).error(
                    f"{name} has no effect with insecure_skip_verify", "remove insecure_skip_verify"
                )
        if (self.crl or self.crl_file) and not (self.ca or self.ca_file):
            raise self.at("crl_file" if self.crl_file else "crl").error(
                "a revocation list needs the authority that signed it", "add ca_file"
            )


class FileSection(Section):
    """The top level."""

    tls_server_config: ServerSection | None = option(_read_server, default=None)
    tls_client_config: ClientSection | None = option(ClientSection.read, default=None)


def load_cluster_tls(path: str | Path) -> ClusterTLSConfig:
    """The file at ``path``, relative file names of its directory.

    :class:`~tocsin.errors.ConfigError` (one line: file, line, column, what, hint) when it cannot be used or a
    certificate, key or CA that it names cannot be read or parsed.
    """
    path = Path(path)
    start = Mark(str(path), 1, 1)
    tree = load(read_file(path), str(path))
    missing = "missing 'tls_server_config' entry in the TLS configuration"
    if tree is None:
        raise start.error(missing, "add it with cert_file and key_file")
    found = FileSection.read(tree)
    server, client = found.tls_server_config, found.tls_client_config
    if server is None:
        raise found.mark.error(missing, "add it with cert_file and key_file")
    if client is None and found.has("tls_client_config"):
        raise found.at("tls_client_config").error("tls_client_config is empty", "fill it in or remove it")
    return ClusterTLSConfig(
        server=server_config(server),
        client=TLSClientConfig() if client is None else _client(client),
    )


def server_config(found: ServerSection) -> TLSServerConfig:
    """The configuration that the section describes; reads and checks the files that it names."""
    certificate = _source(found, "cert")
    private_key = _source(found, "key")
    client_ca = _source(found, "client_ca")
    client_crl = _source(found, "client_crl")
    _check_pair(found, certificate, private_key)
    if client_ca != (None, None):
        _certificates(found, "client_ca", client_ca)
    return TLSServerConfig(
        cert_file=certificate[0],
        cert=certificate[1],
        key_file=private_key[0],
        key=private_key[1],
        client_ca_file=client_ca[0],
        client_ca=client_ca[1],
        client_auth_type=ClientAuthType.from_name(found.client_auth_type),
        client_allowed_sans=found.client_allowed_sans,
        client_crl_file=client_crl[0],
        client_crl=client_crl[1],
        cipher_suites=found.cipher_suites,
        curve_preferences=found.curve_preferences,
        min_version=found.min_version,
        max_version=found.max_version,
        prefer_server_cipher_suites=found.prefer_server_cipher_suites,
    )


def _client(found: ClientSection) -> TLSClientConfig:
    certificate = _source(found, "cert")
    private_key = _source(found, "key")
    ca = _source(found, "ca")
    crl = _source(found, "crl")
    if certificate != (None, None):
        _check_pair(found, certificate, private_key)
    if ca != (None, None):
        _certificates(found, "ca", ca)
    return TLSClientConfig(
        ca_file=ca[0],
        ca=ca[1],
        cert_file=certificate[0],
        cert=certificate[1],
        key_file=private_key[0],
        key=private_key[1],
        crl_file=crl[0],
        crl=crl[1],
        server_allowed_sans=found.server_allowed_sans,
        server_name=found.server_name,
        insecure_skip_verify=found.insecure_skip_verify,
        min_version=found.min_version,
        max_version=found.max_version,
    )


def _source(found: Section, name: str) -> Source:
    inline, file = found[name], found[f"{name}_file"]
    return (Path(file) if file else None), (inline.encode() if inline else None)


def _where(found: Section, name: str) -> Mark:
    return found.at(f"{name}_file") if found.has(f"{name}_file") else found.at(name)


def _pem(found: Section, name: str, source: Source) -> bytes:
    file, inline = source
    if file is None:
        return inline or b""
    try:
        return read(file)
    except OSError as error:
        raise _where(found, name).error(
            f"{file} cannot be read: {error.strerror or error}", "check the path and who may read it"
        ) from None


def _certificates(found: Section, name: str, source: Source) -> list[x509.Certificate]:
    from cryptography import x509

    pem = _pem(found, name, source)
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise _where(found, name).error(
            f"{source[0] or name} holds no readable certificate",
            "give PEM, which begins with -----BEGIN CERTIFICATE-----",
        ) from None


def _check_pair(found: Section, certificate: Source, private_key: Source) -> None:
    leaf = _certificates(found, "cert", certificate)[0]
    if leaf.public_key() != _public_of_key(found, private_key):
        raise _where(found, "key").error(
            f"{private_key[0] or 'key'} is not the key of the certificate {certificate[0] or 'cert'}",
            "give the pair that was made together",
        )


def _public_of_key(found: Section, source: Source) -> PublicKeyTypes:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem = _pem(found, "key", source)
    try:
        return load_pem_private_key(pem, None).public_key()
    except (ValueError, TypeError):
        # The parser's message may hold parts of the key.
        raise _where(found, "key").error(
            f"{source[0] or 'key'} holds no readable key", "give PEM without a password"
        ) from None
