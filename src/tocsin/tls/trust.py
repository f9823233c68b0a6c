"""What is asked of a peer's certificate beside what OpenSSL asks: revocation lists and allowed names.

And, for connections that are open while the files change: whether the new authorities still vouch for it.
Python's ``ssl`` can neither ask a name list nor verify a second time, and with OpenSSL's own revocation check
a list that is a minute too old, or that one of two authorities lacks, would shut out everybody. Here a list
revokes what it lists, for as long as it is configured.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from tocsin.errors import ConfigError
from tocsin.tls.files import Files
from tocsin.tls.names import subject_alternative_names
from tocsin.tls.refusal import RefusalError

_CRL: Final = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
_LONGEST_CHAIN: Final = 8


@dataclass(frozen=True, slots=True)
class Trust:
    """One side's: of the certificates of clients, or of servers."""

    allow_list: str
    """The key that ``allowed`` comes from."""
    allowed: frozenset[str]
    """Of these names one is needed; empty: any will do."""
    authorities: tuple[x509.Certificate, ...]
    """Empty: the system's, which cannot be asked again."""
    revoked: frozenset[tuple[bytes, int]]
    """Issuer and serial number."""
    next_update: float | None
    """When the first of the lists wants to be replaced, Unix time."""
    required: bool
    """There must be a certificate."""
    verified: bool
    """Certificates are verified at all."""

    def check(self, certificate: bytes | None) -> None:
        """A certificate (DER) that OpenSSL has just verified; :class:`RefusalError`.

        No certificate is a refusal if there is a list of names: otherwise ``VerifyClientCertIfGiven`` would
        let it be bypassed.
        """
        if certificate and self.revoked:
            found = x509.load_der_x509_certificate(certificate)
            if (found.issuer.public_bytes(), found.serial_number) in self.revoked:
                raise RefusalError("revoked", f"certificate {found.serial_number:x} is revoked")
        if not self.allowed:
            return
        names = subject_alternative_names(certificate or b"")
        if names.isdisjoint(self.allowed):
            shown = ", ".join(sorted(names)) or "none"
            raise RefusalError(
                "name_not_allowed", f"{self.allow_list} has none of the certificate's names ({shown})"
            )

    def check_again(self, certificate: bytes | None, chain: Sequence[bytes], now: datetime) -> None:
        """A certificate that was verified under older files. ``chain``: what the peer sent beside it."""
        if self.verified and certificate is None and self.required:
            raise RefusalError("no_certificate", "it showed no certificate, and now has to")
        if self.verified and certificate is not None and self.authorities:
            _check_chain(certificate, chain, self.authorities, now)
        self.check(certificate)


def load_trust(
    files: Files,
    section: str,
    *,
    authority: tuple[str, Path | None, bytes | None],
    revocations: tuple[str, Path | None, bytes | None],
    allow_list: str,
    allowed: Iterable[str],
    required: bool,
    verified: bool,
) -> Trust:
    """:class:`ConfigError` when an authority or a revocation list cannot be used.

    ``authority`` and ``revocations`` are each the key, the file and the inline PEM.
    """
    key, file, inline = authority
    authorities: tuple[x509.Certificate, ...] = ()
    if file is not None or inline is not None:
        place, pem = files.source(section, key, file, inline)
        try:
            authorities = tuple(x509.load_pem_x509_certificates(pem))
        except ValueError:
            raise ConfigError(place, "holds no readable PEM certificate", "check the file") from None
    revoked, next_update = _load_revocations(files, section, revocations, authorities)
    names = frozenset(map(_canonical, allowed))
    if not verified and (names or revoked):
        what = allow_list if names else revocations[0]
        raise ConfigError(
            f"{section}.{what}", "has no effect where certificates are not verified", "turn verification on"
        )
    return Trust(allow_list, names, authorities, revoked, next_update, required, verified)


def _load_revocations(
    files: Files,
    section: str,
    source: tuple[str, Path | None, bytes | None],
    authorities: tuple[x509.Certificate, ...],
) -> tuple[frozenset[tuple[bytes, int]], float | None]:
    key, file, inline = source
    if file is None and inline is None:
        return frozenset(), None
    if file is not None and inline is not None:
        raise ConfigError(f"{section}.{key}", f"both {key} and {key}_file are set", "keep one")
    place, pem = files.source(section, key, file, inline)
    blocks = _CRL.findall(pem)
    if not blocks:
        raise ConfigError(place, "holds no PEM revocation list", "give a file with BEGIN X509 CRL blocks")
    revoked: set[tuple[bytes, int]] = set()
    updates: list[float] = []
    for block in blocks:
        try:
            found = x509.load_pem_x509_crl(block)
        except ValueError:
            raise ConfigError(place, "a revocation list in it cannot be read", "check the file") from None
        if not any(_signed(found, one) for one in authorities):
            raise ConfigError(
                place,
                f"the revocation list of {found.issuer.rfc4514_string() or 'nobody'} is signed by none of"
                " the authorities",
                "put its authority into the CA file, or take the list out",
            )
        issuer = found.issuer.public_bytes()
        revoked.update([(issuer, one.serial_number) for one in found])
        if found.next_update_utc is not None:
            updates.append(found.next_update_utc.timestamp())
    return frozenset(revoked), min(updates, default=None)


def _signed(revocations: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    if revocations.issuer != authority.subject:
        return False
    try:
        return bool(revocations.is_signature_valid(authority.public_key()))  # type: ignore[arg-type]
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False


def _check_chain(
    certificate: bytes, chain: Sequence[bytes], authorities: tuple[x509.Certificate, ...], now: datetime
) -> None:
    current = x509.load_der_x509_certificate(certificate)
    others = [x509.load_der_x509_certificate(one) for one in chain[:_LONGEST_CHAIN]]
    for _ in range(_LONGEST_CHAIN):
        if current.not_valid_after_utc < now:
            raise RefusalError("expired", "certificate has expired")
        if current in authorities or any(
            one.not_valid_after_utc >= now and _issued(current, one) for one in authorities
        ):
            return
        above = next((one for one in others if one != current and _issued(current, one)), None)
        if above is None:
            break
        current = above
    raise RefusalError("unknown_authority", "certificate signed by an authority that is trusted no longer")


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def peer_chain(session: ssl.SSLObject | ssl.SSLSocket) -> list[bytes]:
    """The certificates (DER) that the peer sent, not verified; empty where this Python cannot tell."""
    # Public since Python 3.13; before, only on the object within.
    thing: Any = session if hasattr(session, "get_unverified_chain") else getattr(session, "_sslobj", None)
    read = getattr(thing, "get_unverified_chain", None)
    found: list[bytes] = []
    for one in (read() if read is not None else None) or ():
        if isinstance(one, bytes):
            found.append(one)
        else:
            pem: str = one.public_bytes()
            found.append(ssl.PEM_cert_to_DER_cert(pem))
    return found


def expiry(files: Files, section: str, file: Path | None, inline: bytes | None) -> float:
    """When the leaf certificate there, which ``ssl`` could read, runs out; Unix time."""
    place, pem = files.source(section, "cert", file, inline)
    try:
        return x509.load_pem_x509_certificates(pem)[0].not_valid_after_utc.timestamp()
    except ValueError:
        raise ConfigError(place, "holds no readable PEM certificate", "check the file") from None


def _canonical(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name
