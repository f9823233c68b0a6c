"""Certificates for tests: a certificate authority on EC P-256 that issues, writes and expires on demand."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tocsin.tls.settings import (
    ClientAuthType,
    ClusterTLSConfig,
    TLSClientConfig,
    TLSServerConfig,
)

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes

    def write(self, directory: Path, name: str) -> tuple[Path, Path]:
        """To ``name.crt`` and ``name.key`` in ``directory`` (made if missing); their paths."""
        directory.mkdir(parents=True, exist_ok=True)
        paths = directory / f"{name}.crt", directory / f"{name}.key"
        for path, content in zip(paths, (self.certificate, self.key), strict=True):
            replacement = path.with_suffix(path.suffix + ".new")
            replacement.write_bytes(content)
            replacement.replace(path)
        return paths


class CertificateAuthority:
    """A certificate authority of its own; ``certificate`` is PEM."""

    def __init__(self, name: str = "test authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 30 * DAY)
            .not_valid_after(now + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        *hosts: str,
        name: str = "node",
        starts: datetime.timedelta = -DAY,
        ends: datetime.timedelta = DAY,
        emails: tuple[str, ...] = (),
        uris: tuple[str, ...] = (),
        usages: tuple[x509.ObjectIdentifier, ...] = (
            ExtendedKeyUsageOID.SERVER_AUTH,
            ExtendedKeyUsageOID.CLIENT_AUTH,
        ),
    ) -> Certificate:
        """A certificate for server and client use. ``hosts``: IP addresses or DNS names (default loopback).

        ``starts`` and ``ends`` count from now: ``ends=-DAY`` makes an expired certificate.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        names: list[x509.GeneralName] = [_general_name(host) for host in hosts or ("127.0.0.1", "::1")]
        names += [x509.RFC822Name(email) for email in emails]
        names += [x509.UniformResourceIdentifier(uri) for uri in uris]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(now + starts, now + ends - DAY))
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.ExtendedKeyUsage(usages),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        return Certificate(
            certificate.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )

    def revoke(self, *certificates: Certificate, next_update: datetime.timedelta = DAY) -> bytes:
        """A revocation list (PEM) of these certificates."""
        numbers = [x509.load_pem_x509_certificate(one.certificate).serial_number for one in certificates]
        return self.revocation_list(numbers, next_update=next_update)

    def revocation_list(self, numbers: Iterable[int], *, next_update: datetime.timedelta = DAY) -> bytes:
        """The same, by serial numbers."""
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._name)
            .last_update(min(now - DAY, now + next_update - DAY))
            .next_update(now + next_update)
        )
        for number in numbers:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now).build()
            )
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def cluster_config(
        self,
        certificate: Certificate | None = None,
        *,
        client_auth_type: ClientAuthType = ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT,
    ) -> ClusterTLSConfig:
        """Mutual TLS with inline PEM: one certificate for both halves, this authority trusted by both."""
        certificate = certificate or self.issue()
        return ClusterTLSConfig(
            server=TLSServerConfig(
                cert=certificate.certificate,
                key=certificate.key,
                client_ca=self.certificate,
                client_auth_type=client_auth_type,
            ),
            client=TLSClientConfig(cert=certificate.certificate, key=certificate.key, ca=self.certificate),
        )


def encrypted_key(certificate: Certificate, password: bytes = b"secret") -> bytes:
    """The key of ``certificate`` as PEM under a password."""
    key = serialization.load_pem_private_key(certificate.key, None)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password),
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
