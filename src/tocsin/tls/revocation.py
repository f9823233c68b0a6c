"""Revocation lists: whole ones of known authorities, and whom they revoke (RFC 5280, 5).

A list revokes what the authority's *key* has signed under a listed number. The issuer's name in the
certificate plays no part, so nobody escapes by the way that name is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from tocsin.dataclass import dataclass
from tocsin.errors import ConfigError
from tocsin.tls.distinguished import canonical
from tocsin.tls.files import Files
from tocsin.tls.names import shown_name
from tocsin.tls.refusal import RefusalError
from tocsin.tls.signatures import is_signed_by

_BEGIN: Final = b"-----BEGIN X509 CRL-----"
_BLOCK: Final = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
_UNDERSTOOD: Final = (
    x509.AuthorityKeyIdentifier,
    x509.CRLNumber,
    x509.IssuingDistributionPoint,
    x509.IssuerAlternativeName,
)
_UNDERSTOOD_OF_ENTRY: Final = (x509.CRLReason, x509.InvalidityDate)


@dataclass(frozen=True, slots=True)
class Revocations:
    """All lists of one side."""

    keys: dict[int, tuple[PublicKeyTypes, ...]] = field(default_factory=dict)
    """By serial number, the keys of the authorities that have revoked it."""
    next_update: float | None = None
    """When the first of the lists wants to be replaced, Unix time."""
    last_update: float | None = None
    """When the oldest of the lists was issued, Unix time."""

    def __bool__(self) -> bool:
        return bool(self.keys)

    def check(self, certificate: bytes) -> None:
        """:class:`RefusalError` for a certificate (DER) that is revoked."""
        if not self.keys:
            return
        found = x509.load_der_x509_certificate(certificate)
        if any(is_signed_by(found, key) for key in self.keys.get(found.serial_number, ())):
            raise RefusalError(
                "revoked", f"certificate {found.serial_number:x} of {shown_name(found)} is revoked"
            )


def load_revocations(
    files: Files,
    section: str,
    source: tuple[str, Path | None, bytes | None],
    authorities: Sequence[x509.Certificate],
) -> Revocations:
    """``source``: the key, the file and the inline PEM. :class:`ConfigError` if a list cannot be used."""
    key, file, inline = source
    if file is None and inline is None:
        return Revocations()
    if file is not None and inline is not None:
        raise ConfigError(f"{section}.{key}", f"both {key} and {key}_file are set", "keep one")
    location, pem = files.source(section, key, file, inline)
    blocks = _BLOCK.findall(pem)
    if not blocks and _BEGIN not in pem:
        raise ConfigError(location, "holds no PEM revocation list", "give a file with BEGIN X509 CRL blocks")
    if not _is_whole(pem, len(blocks)):
        raise ConfigError(location, "a revocation list in it is not whole", "put the whole file there")
    keys: dict[int, dict[bytes, PublicKeyTypes]] = {}
    updates: list[float] = []
    issued: list[float] = []
    for block in blocks:
        try:
            found = x509.load_pem_x509_crl(block)
            _check_whole(location, found)
            signers = _signers(location, found, authorities)
            for one in found:
                _check_entry(location, found, one)
                keys.setdefault(one.serial_number, {}).update(signers)
        except ValueError:
            raise ConfigError(location, "a revocation list in it cannot be read", "check the file") from None
        issued.append(found.last_update_utc.timestamp())
        if found.next_update_utc is not None:
            updates.append(found.next_update_utc.timestamp())
    revoked = {serial: tuple(each.values()) for serial, each in keys.items()}
    return Revocations(revoked, min(updates, default=None), min(issued, default=None))


def _is_whole(pem: bytes, blocks: int) -> bool:
    """Whether each list that begins in ``pem`` is one of the ``blocks``. What begins to begin counts."""
    last = pem.rstrip().rpartition(b"\n")[2]
    return pem.count(_BEGIN) == blocks and not (last and _BEGIN.startswith(last))


def _signers(
    location: str, found: x509.CertificateRevocationList, authorities: Iterable[x509.Certificate]
) -> dict[bytes, PublicKeyTypes]:
    """The key that signed the list, by its authority's certificate: the same key may be in several."""
    issuer = canonical(found.issuer)
    signers: dict[bytes, PublicKeyTypes] = {}
    for one in authorities:
        if canonical(one.subject) != issuer:
            continue
        try:
            if found.is_signature_valid(one.public_key()):  # type: ignore[arg-type]
                signers[one.tbs_certificate_bytes] = one.public_key()
                break
        except (TypeError, ValueError, UnsupportedAlgorithm):
            continue
    if not signers:
        raise ConfigError(
            location,
            f"the revocation list of {_name(found)} is signed by none of the authorities",
            "put its authority into the CA file, or take the list out",
        )
    return signers


def _check_whole(location: str, found: x509.CertificateRevocationList) -> None:
    """What would be taken wrongly if it were taken for a whole list is refused."""
    for one in found.extensions:
        value = one.value
        if isinstance(value, x509.DeltaCRLIndicator):
            raise _unsupported(
                location, found, "is a delta list, with changes alone", "give the complete list"
            )
        if isinstance(value, x509.IssuingDistributionPoint):
            if value.indirect_crl:
                raise _unsupported(
                    location, found, "is an indirect list, of several issuers", "give each issuer's own list"
                )
            if value.only_contains_ca_certs or value.only_contains_attribute_certs:
                raise _unsupported(
                    location, found, "lists no certificates of nodes", "give the list of end entities"
                )
        elif one.critical and not isinstance(value, _UNDERSTOOD):
            raise _unsupported(
                location,
                found,
                f"has the critical extension {one.oid.dotted_string}, which is not supported",
                "give a list without it",
            )


def _check_entry(
    location: str, found: x509.CertificateRevocationList, entry: x509.RevokedCertificate
) -> None:
    for one in entry.extensions:
        if isinstance(one.value, x509.CertificateIssuer):
            raise _unsupported(
                location, found, "is an indirect list, of several issuers", "give each issuer's own list"
            )
        if one.critical and not isinstance(one.value, _UNDERSTOOD_OF_ENTRY):
            raise _unsupported(
                location,
                found,
                f"has an entry with the critical extension {one.oid.dotted_string}, which is not supported",
                "give a list without it",
            )


def _unsupported(
    location: str, found: x509.CertificateRevocationList, problem: str, hint: str
) -> ConfigError:
    return ConfigError(location, f"the revocation list of {_name(found)} {problem}", hint)


def _name(found: x509.CertificateRevocationList) -> str:
    return found.issuer.rfc4514_string() or "nobody"
