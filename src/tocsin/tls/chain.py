"""Whether authorities vouch for a certificate, by OpenSSL's rules, where OpenSSL itself cannot be asked.

A connection that is open while the authorities change was verified by OpenSSL under the old ones. Python's
``ssl`` can verify in a handshake only, so this does it again: never more lenient than OpenSSL (RFC 5280, 6.1,
with OpenSSL's choices), and stricter where nobody would notice. A peer that is refused wrongly shakes hands
again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from tocsin.dataclass import dataclass
from tocsin.tls.constraints import within
from tocsin.tls.distinguished import canonical
from tocsin.tls.refusal import RefusalError
from tocsin.tls.signatures import is_signed_by

MAX_SENT: Final = 8
"""Certificates of the peer that are considered."""
MAX_STEPS: Final = 64
"""Tried issuers, over all ways from a certificate to an authority."""
_UNDERSTOOD: Final = (
    x509.KeyUsage,
    x509.SubjectAlternativeName,
    x509.BasicConstraints,
    x509.CertificatePolicies,
    x509.CRLDistributionPoints,
    x509.ExtendedKeyUsage,
    x509.NameConstraints,
)
"""Extensions that may be critical."""
_WEAK: Final = (hashes.MD5, hashes.SHA1)
_E = TypeVar("_E", bound=x509.ExtensionType)


def verify_chain(
    certificate: bytes,
    sent: Sequence[bytes],
    authorities: Sequence[x509.Certificate],
    now: datetime,
    *,
    servers: bool,
) -> None:
    """:class:`RefusalError` unless one of ``authorities`` vouches for ``certificate`` (DER), by way of what
    was ``sent`` with it. ``servers``: the certificate is for a server, else for a client.
    """
    try:
        leaf = _Link(x509.load_der_x509_certificate(certificate))
        others = [_Link(x509.load_der_x509_certificate(one)) for one in sent[:MAX_SENT]]
        anchors = [_Link(one) for one in authorities]
        _dates(leaf, now)
        search = _Search(others, anchors, now, servers)
        accepted = any(search.fits(path) for path in search.paths([leaf]))
    except ValueError as error:
        raise RefusalError("bad_certificate", f"a certificate cannot be read: {error}") from None
    if not accepted:
        raise search.refusal or RefusalError(
            "unknown_authority", "certificate signed by an authority that is trusted no longer"
        )


class _Link:
    """A certificate, with what is asked of it more than once."""

    __slots__ = ("certificate", "issuer", "self_issued", "subject")

    def __init__(self, certificate: x509.Certificate) -> None:
        self.certificate = certificate
        self.subject = canonical(certificate.subject)
        self.issuer = canonical(certificate.issuer)
        self.self_issued = self.subject == self.issuer

    def extension(self, kind: type[_E]) -> _E | None:
        try:
            return self.certificate.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None

    def may_sign(self) -> bool:
        """Certificates: as basic constraints and key usage say."""
        usage = self.extension(x509.KeyUsage)
        if usage is not None and not usage.key_cert_sign:
            return False
        basic = self.extension(x509.BasicConstraints)
        if basic is not None:
            return basic.ca
        if usage is not None:
            return True
        return self.certificate.version is x509.Version.v1 and self.self_issued

    def has_issued(self, other: _Link) -> bool:
        """By names and identifiers; the signature is another question."""
        if self.subject != other.issuer:
            return False
        wanted = other.extension(x509.AuthorityKeyIdentifier)
        if wanted is None:
            return True
        mine = self.extension(x509.SubjectKeyIdentifier)
        if wanted.key_identifier is not None and mine is not None and mine.digest != wanted.key_identifier:
            return False
        number = wanted.authority_cert_serial_number
        return number is None or number == self.certificate.serial_number


@dataclass(slots=True)
class _Search:
    """Ways from the certificate to an authority that signs itself; the best reason why none will do."""

    others: list[_Link]
    anchors: list[_Link]
    now: datetime
    servers: bool
    refusal: RefusalError | None = None
    steps: int = 0

    def paths(self, path: list[_Link]) -> Iterator[list[_Link]]:
        """Known authorities first. An authority that does not sign itself ends no way, as in OpenSSL."""
        last = path[-1]
        if last.has_issued(last):
            if any(one.certificate == last.certificate for one in self.anchors):
                yield path
            return
        if len(path) > MAX_SENT + 1:
            return
        for one in [*self.anchors, *self.others]:
            if self.steps >= MAX_STEPS:
                return
            if any(one.certificate == each.certificate for each in path) or not one.has_issued(last):
                continue
            self.steps += 1
            if is_signed_by(last.certificate, one.certificate.public_key()):
                yield from self.paths([*path, one])

    def fits(self, path: list[_Link]) -> bool:
        """Whether each certificate of a whole way may be where it is."""
        try:
            _check(path, self.now, servers=self.servers)
        except RefusalError as refusal:
            self.refusal = self.refusal or refusal
            return False
        return True


def _check(path: list[_Link], now: datetime, *, servers: bool) -> None:
    below = 0  # authorities between this one and the certificate, save those that issued themselves
    for position, link in enumerate(path):
        _dates(link, now)
        _critical(link)
        _strength(link, is_anchor=position == len(path) - 1)
        _purpose(link, servers=servers, is_leaf=position == 0)
        if position == 0:
            continue
        if not link.may_sign():
            raise RefusalError("bad_certificate", "certificate signed by one that is not an authority")
        basic = link.extension(x509.BasicConstraints)
        if basic is not None and basic.path_length is not None and below > basic.path_length:
            raise RefusalError("bad_certificate", "more authorities in its chain than one of them allows")
        constraints = link.extension(x509.NameConstraints)
        if constraints is not None:
            for number, each in enumerate(path[:position]):
                if (number == 0 or not each.self_issued) and not within(each.certificate, constraints):
                    raise RefusalError("bad_certificate", "an authority of it may not name it so")
        if not link.self_issued:
            below += 1


def _dates(link: _Link, now: datetime) -> None:
    if link.certificate.not_valid_after_utc < now:
        raise RefusalError("expired", "certificate has expired")
    if link.certificate.not_valid_before_utc > now:
        raise RefusalError("not_yet_valid", "certificate is not yet valid")


def _critical(link: _Link) -> None:
    for one in link.certificate.extensions:
        if one.critical and not isinstance(one.value, _UNDERSTOOD):
            raise RefusalError("bad_certificate", f"unknown critical extension {one.oid.dotted_string}")


def _strength(link: _Link, *, is_anchor: bool) -> None:
    """Of OpenSSL's security level 2."""
    key = link.certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey):
        strong = key.key_size >= 2048
    elif isinstance(key, ec.EllipticCurvePublicKey):
        strong = key.key_size >= 224
    else:
        strong = True
    if not strong:
        raise RefusalError("bad_certificate", "a key in its chain is too short")
    if not is_anchor and isinstance(link.certificate.signature_hash_algorithm, _WEAK):
        raise RefusalError("bad_certificate", "a signature in its chain is too weak")


def _purpose(link: _Link, *, servers: bool, is_leaf: bool) -> None:
    """An authority's extended key usage limits what is below it."""
    uses = link.extension(x509.ExtendedKeyUsage)
    wanted = ExtendedKeyUsageOID.SERVER_AUTH if servers else ExtendedKeyUsageOID.CLIENT_AUTH
    if uses is not None and wanted not in uses:
        raise RefusalError("bad_certificate", f"not for use as a {'server' if servers else 'client'}")
    if not is_leaf:
        return
    usage = link.extension(x509.KeyUsage)
    if usage is None or usage.digital_signature or usage.key_agreement:
        return
    if not (servers and usage.key_encipherment):
        raise RefusalError("bad_certificate", "its key is not for use in TLS")
