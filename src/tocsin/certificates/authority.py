"""Makes certificates: an authority that signs itself, and nodes that are server and client at once.

Shapes are RFC 5280's. Every key is EC P-256: small, quick, and known to every TLS peer of the protocol.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tocsin.dataclass import dataclass
from tocsin.errors import ConfigError

MAX_NAME_LENGTH = 64  # RFC 5280, ub-common-name
MAX_HOSTS = 100
CLOCK_SKEW = timedelta(minutes=5)  # a peer whose clock is a little behind must not refuse a fresh certificate

_NODE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_DNS_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and the private key that fits it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as PEM text."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key as unencrypted PKCS #8 PEM text, the form that every TLS library reads."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def parse_host(text: str) -> x509.GeneralName:
    """A ``--host``: an IP address or a DNS name (a leading ``*.`` is allowed). Raises ConfigError."""
    try:
        return x509.IPAddress(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        pass
    if text.isascii() and re.fullmatch(r".*:\d+", text):
        raise ConfigError("--host", f"{text!r} has a port", "give the name or address alone")
    labels = text.removeprefix("*.").removesuffix(".").split(".")
    if len(text) > 253 or not all(_DNS_LABEL.fullmatch(label) for label in labels):
        raise ConfigError("--host", f"{text!r} is neither an IP address nor a DNS name")
    if all(label.isdigit() for label in labels):
        raise ConfigError("--host", f"{text!r} is not a whole IP address", "such as 192.0.2.7")
    return x509.DNSName(text.removesuffix("."))


def check_node_name(name: str) -> str:
    """The name, if it can be both a certificate's common name and a folder's name. Raises ConfigError."""
    if len(name) > MAX_NAME_LENGTH or not _NODE_NAME.fullmatch(name):
        raise ConfigError(
            "NAME", f"{name!r} is not usable", "letters, digits, dot, dash and underscore, at most 64"
        )
    return name


def create_authority(name: str, *, now: datetime, lifetime: timedelta) -> Identity:
    """A new authority named ``name``, valid from ``now`` (with a little skew) for ``lifetime``.

    It may sign nodes only, no further authorities (path length 0). Raises ConfigError for a bad name.
    """
    if not 1 <= len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        raise ConfigError("--name", f"{name!r} is not usable", "1 to 64 printable characters")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        _builder(subject, subject, key.public_key(), now, _end(now, lifetime))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Identity(builder.sign(key, hashes.SHA256()), key)


def issue_node_certificate(
    authority: Identity, name: str, hosts: Iterable[str], *, now: datetime, lifetime: timedelta
) -> Identity:
    """A certificate for the node ``name``, good for ``hosts``, for serving and for dialling.

    Both uses are needed: a gossip peer is the server of one connection and the client of the next. It never
    outlives the authority. Raises ConfigError for a bad name or host, or an authority that cannot sign now.
    """
    check_node_name(name)
    alternatives = list(dict.fromkeys(parse_host(host) for host in hosts))
    if not 1 <= len(alternatives) <= MAX_HOSTS:
        raise ConfigError("--host", f"{len(alternatives)} hosts given", f"give 1 to {MAX_HOSTS}")
    ends = authority.certificate.not_valid_after_utc
    if not authority.certificate.not_valid_before_utc <= now < ends:
        raise ConfigError(
            "CA", f"not valid now (ends {ends:%Y-%m-%d %H:%M} UTC)", "make a new one with certs init"
        )
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        _builder(
            subject, authority.certificate.subject, key.public_key(), now, min(_end(now, lifetime), ends)
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False
        )
    )
    return Identity(builder.sign(authority.key, hashes.SHA256()), key)


def _end(now: datetime, lifetime: timedelta) -> datetime:
    if lifetime <= timedelta(0):
        raise ConfigError("--days", "the certificate would never be valid", "give 1 or more")
    try:
        return now + lifetime
    except OverflowError:
        raise ConfigError("--days", "past the year 9999", "give fewer days") from None


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(ends)
    )


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
