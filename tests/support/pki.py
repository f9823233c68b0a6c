"""Certificates of any shape, the wrong ones too: chains, string types, lists of every kind."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.certificates import DAY, Certificate

UTF8 = _ASN1Type.UTF8String
PRINTABLE = _ASN1Type.PrintableString
BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def name(common: str, kind: _ASN1Type = UTF8, organisation: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation, kind)] if organisation else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common, kind)])


def usage(*names: str) -> x509.KeyUsage:
    known = [
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ]
    return x509.KeyUsage(**{one: one in names for one in known})


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def pair(self, *chain: Issued) -> Certificate:
        """With the certificates between it and the root."""
        return Certificate(self.pem + b"".join(one.pem for one in chain), self.key_pem)


def issue(
    subject: x509.Name | str,
    by: Issued | None = None,
    *,
    hosts: Sequence[str] = (),
    key: Key | None = None,
    issuer: x509.Name | None = None,
    serial: int | None = None,
    starts: datetime.timedelta = -DAY,
    ends: datetime.timedelta = DAY,
    ca: bool | None = False,
    path_length: int | None = None,
    key_usage: x509.KeyUsage | None = None,
    uses: Iterable[x509.ObjectIdentifier] | None = None,
    more: Iterable[tuple[x509.ExtensionType, bool]] = (),
) -> Issued:
    """A certificate; without ``by`` it signs itself. ``ca`` None: no basic constraints."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = name(subject) if isinstance(subject, str) else subject
    now = datetime.datetime.now(datetime.UTC)
    signer = key if by is None else by.key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or (subject if by is None else by.certificate.subject))
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(now + starts)
        .not_valid_after(now + ends)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
    if key_usage is not None:
        builder = builder.add_extension(key_usage, critical=True)
    if uses is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName(_names(hosts)), critical=False)
    for extension, critical in more:
        builder = builder.add_extension(extension, critical=critical)
    return Issued(builder.sign(signer, hashes.SHA256()), key)


def authority(subject: x509.Name | str = "root", by: Issued | None = None, **more: object) -> Issued:
    """One that may sign everything."""
    given = {"ca": True, "key_usage": usage("key_cert_sign", "crl_sign"), **more}
    return issue(subject, by, **given)  # type: ignore[arg-type]


def revocations(
    by: Issued,
    *serials: int,
    issuer: x509.Name | None = None,
    more: Iterable[tuple[x509.ExtensionType, bool]] = (),
    entry: Iterable[tuple[x509.ExtensionType, bool]] = (),
) -> bytes:
    """A list (PEM)."""
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer or by.certificate.subject)
        .last_update(now - DAY)
        .next_update(now + DAY)
    )
    for extension, critical in more:
        builder = builder.add_extension(extension, critical)
    for serial in serials:
        one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
        for extension, critical in entry:
            one = one.add_extension(extension, critical)
        builder = builder.add_revoked_certificate(one.build())
    return builder.sign(by.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for host in hosts:
        kind, _, text = host.rpartition("=")
        if kind == "uri":
            found.append(x509.UniformResourceIdentifier(text))
        elif kind == "email":
            found.append(x509.RFC822Name(text))
        elif kind == "dns":
            found.append(x509.DNSName(text))
        else:
            try:
                found.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                found.append(x509.DNSName(host))
    return found
