"""The revocation list of the local authority: who is on it, since when, and until when it is fresh."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from tocsin.certificates.authority import CLOCK_SKEW, Identity
from tocsin.errors import ConfigError

MAX_LISTED = 10_000


def write_list(
    authority: Identity,
    old: x509.CertificateRevocationList | None,
    revoked: Iterable[x509.Certificate],
    *,
    now: datetime,
    lifetime: timedelta,
) -> bytes:
    """A list (PEM) of all that was on ``old`` and of ``revoked``, dated ``now``, to be replaced within
    ``lifetime``. Who is on it stays on it, with the date of the first time. ConfigError when it is too long.
    """
    listed = {one.serial_number: one.revocation_date_utc for one in old or ()}
    for one in revoked:
        listed.setdefault(one.serial_number, now)
    if len(listed) > MAX_LISTED:
        raise ConfigError("NAME", f"the list would hold {len(listed)} certificates", "make a new authority")
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now - CLOCK_SKEW)
        .next_update(now + lifetime)
        .add_extension(x509.CRLNumber(_number(old) + 1), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False
        )
    )
    for serial, when in sorted(listed.items(), key=lambda each: (each[1], each[0])):
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(when).build()
        )
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _number(old: x509.CertificateRevocationList | None) -> int:
    if old is None:
        return 0
    try:
        return old.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0
