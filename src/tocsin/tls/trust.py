"""What is asked of a peer's certificate beside what OpenSSL asks: revocation lists and allowed names.

And, for connections that are open while the files change: whether the new authorities still vouch for it.
Python's ``ssl`` can neither ask a name list nor verify a second time, and with OpenSSL's own revocation check
a list that is a minute too old, or that one of two authorities lacks, would shut out everybody. Here a list
revokes what it lists, for as long as it is configured.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from tocsin.dataclass import dataclass
from tocsin.errors import ConfigError
from tocsin.text import plain
from tocsin.tls.chain import verify_chain
from tocsin.tls.files import Files
from tocsin.tls.names import subject_alternative_names
from tocsin.tls.refusal import RefusalError
from tocsin.tls.revocation import Revocations, load_revocations


@dataclass(frozen=True, slots=True)
class Trust:
    """One side's: of the certificates of clients, or of servers."""

    allow_list: str
    """The key that ``allowed`` comes from."""
    allowed: frozenset[str]
    """Of these names one is needed; empty: any will do."""
    authorities: tuple[x509.Certificate, ...]
    """Empty: the system's, which cannot be asked again."""
    revocations: Revocations
    required: bool
    """There must be a certificate."""
    verified: bool
    """Certificates are verified at all."""
    servers: bool
    """They are servers' certificates, else clients'."""

    def check(self, certificate: bytes | None) -> None:
        """A certificate (DER) that OpenSSL has just verified; :class:`RefusalError`.

        No certificate is a refusal if there is a list of names: otherwise ``VerifyClientCertIfGiven`` would
        let it be bypassed.
        """
        if certificate:
            self.revocations.check(certificate)
        if not self.allowed:
            return
        names = subject_alternative_names(certificate or b"")
        if names.isdisjoint(self.allowed):
            shown = plain(", ".join(sorted(names))) or "none"
            raise RefusalError(
                "name_not_allowed", f"{self.allow_list} has none of the certificate's names ({shown})"
            )

    def check_again(self, certificate: bytes | None, chain: Sequence[bytes], now: datetime) -> None:
        """A certificate that was verified under older files. ``chain``: what the peer sent beside it."""
        if self.verified and certificate is None and self.required:
            raise RefusalError("no_certificate", "it showed no certificate, and now has to")
        if self.verified and certificate is not None and self.authorities:
            verify_chain(certificate, chain, self.authorities, now, servers=self.servers)
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
    servers: bool,
) -> Trust:
    """:class:`ConfigError` when an authority or a revocation list cannot be used.

    ``authority`` and ``revocations`` are each the key, the file and the inline PEM.
    """
    key, file, inline = authority
    authorities: tuple[x509.Certificate, ...] = ()
    if file is not None or inline is not None:
        location, pem = files.source(section, key, file, inline)
        try:
            authorities = tuple(x509.load_pem_x509_certificates(pem))
        except ValueError:
            raise ConfigError(location, "holds no readable PEM certificate", "check the file") from None
    revoked = load_revocations(files, section, revocations, authorities)
    names = frozenset(map(_canonical, allowed))
    if not verified and (names or revoked):
        what = allow_list if names else revocations[0]
        raise ConfigError(
            f"{section}.{what}", "has no effect where certificates are not verified", "enable verification"
        )
    return Trust(allow_list, names, authorities, revoked, required, verified, servers)


def peer_chain(session: ssl.SSLObject | ssl.SSLSocket) -> list[bytes]:
    """The certificates (DER) that the peer sent, not verified; empty where this Python does not expose
    them."""
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


def leaf(files: Files, section: str, file: Path | None, inline: bytes | None) -> x509.Certificate:
    """The leaf certificate there, which ``ssl`` could read."""
    location, pem = files.source(section, "cert", file, inline)
    try:
        return x509.load_pem_x509_certificates(pem)[0]
    except ValueError:
        raise ConfigError(location, "holds no readable PEM certificate", "check the file") from None


def _canonical(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name
