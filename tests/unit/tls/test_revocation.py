"""A list revokes what its authority's key has signed, however names are written."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from tests.support.pki import PRINTABLE, UTF8, Issued, authority, issue, name, revocations
from tocsin.errors import ConfigError
from tocsin.tls.distinguished import canonical
from tocsin.tls.files import Files
from tocsin.tls.refusal import RefusalError
from tocsin.tls.revocation import Revocations, load_revocations

ROOT = authority(name("Tocsin  Root"))


def load(pem: bytes, *authorities: Issued) -> Revocations:
    return load_revocations(
        Files(), "section", ("client_crl", None, pem), [one.certificate for one in authorities or (ROOT,)]
    )


@pytest.mark.parametrize(
    "issuer",
    [
        name("Tocsin  Root"),
        name("Tocsin  Root", PRINTABLE),
        name("tocsin root", _ASN1Type.IA5String),
        name(" TOCSIN \t Root ", UTF8),
        name("tocsin root", _ASN1Type.BMPString),
    ],
)
@pytest.mark.parametrize("listed_as", [name("Tocsin  Root"), name("tocsin ROOT", PRINTABLE)])
def test_however_the_issuer_is_written(issuer: x509.Name, listed_as: x509.Name) -> None:
    revoked, other = (issue("node", ROOT, issuer=issuer) for _ in range(2))
    found = load(revocations(ROOT, revoked.certificate.serial_number, issuer=listed_as))
    with pytest.raises(RefusalError, match=r"of node\b.* is revoked"):
        found.check(revoked.der)
    found.check(other.der)


def test_the_number_alone_revokes_nobody_elses() -> None:
    other = authority("other")
    theirs, ours = issue("node", other, serial=7), issue("node", ROOT, serial=7)
    found = load(revocations(ROOT, 7), ROOT, other)
    found.check(theirs.der)
    with pytest.raises(RefusalError):
        found.check(ours.der)
    both = load(revocations(ROOT, 7) + revocations(other, 7), ROOT, other)
    for one in (theirs, ours):
        with pytest.raises(RefusalError):
            both.check(one.der)


def test_an_authority_that_was_issued_anew_with_the_same_key() -> None:
    renewed = authority(ROOT.certificate.subject, key=ROOT.key)
    found = load(revocations(ROOT, 7), renewed)
    with pytest.raises(RefusalError):
        found.check(issue("node", ROOT, serial=7).der)


@pytest.mark.parametrize(
    ("more", "entry", "problem"),
    [
        ([(x509.DeltaCRLIndicator(1), True)], [], "delta"),
        (
            [(x509.IssuingDistributionPoint(None, None, False, False, None, True, False), True)],
            [],
            "indirect",
        ),
        (
            [(x509.IssuingDistributionPoint(None, None, False, True, None, False, False), True)],
            [],
            "no certificates of nodes",
        ),
        ([], [(x509.CertificateIssuer([x509.DirectoryName(name("other"))]), True)], "indirect"),
        ([(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)], [], "1.2.3.4"),
    ],
)
def test_what_is_no_whole_list_is_refused_by_name(
    more: list[tuple[x509.ExtensionType, bool]], entry: list[tuple[x509.ExtensionType, bool]], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem) as told:
        load(revocations(ROOT, 7, more=more, entry=entry))
    assert "Tocsin" in str(told.value)


def test_what_a_usual_list_has_beside_is_taken() -> None:
    point = x509.IssuingDistributionPoint(
        [x509.UniformResourceIdentifier("http://ca.example.org/crl")], None, True, False, None, False, False
    )
    key = x509.AuthorityKeyIdentifier.from_issuer_public_key(ROOT.key.public_key())
    reason = x509.CRLReason(x509.ReasonFlags.key_compromise)
    since = x509.InvalidityDate(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    found = load(
        revocations(
            ROOT,
            7,
            more=[(x509.CRLNumber(1), False), (key, False), (point, True)],
            entry=[
                (reason, False),
                (since, False),
            ],
        )
    )
    assert found.keys.keys() == {7}
    assert found.next_update is not None
    assert found.last_update is not None
    assert found.last_update < found.next_update


def test_a_file_that_is_cut_off_within_a_list_is_refused() -> None:
    """The list that is not whole would be passed over, and whom it revokes let in."""
    first, second = (revocations(ROOT, serial).strip() for serial in (7, 8))
    whole = first + b"\n" + second
    assert load(b"in words\n" + whole + b"\nmore words\n").keys.keys() == {7, 8}
    for end in range(len(first) + 2, len(whole)):
        with pytest.raises(ConfigError, match="is not whole"):
            load(whole[:end])
    with pytest.raises(ConfigError, match="is not whole"):
        load(second[: len(second) // 2] + b"\n" + first)


def test_a_list_of_a_stranger_is_refused() -> None:
    with pytest.raises(ConfigError, match="signed by none"):
        load(revocations(authority(name("Tocsin  Root")), 7))
    with pytest.raises(ConfigError, match="signed by none"):
        load(revocations(ROOT, 7, issuer=name("somebody")))


def test_names_that_differ_stay_different() -> None:
    assert canonical(name("a b")) != canonical(name("ab"))
    assert canonical(name("a", organisation="b")) != canonical(name("a"))
    two = [x509.NameAttribute(NameOID.COMMON_NAME, one) for one in "ab"]
    assert canonical(x509.Name(two)) != canonical(x509.Name(two[::-1]))
    together = x509.Name([x509.RelativeDistinguishedName(two)])
    assert canonical(together) == canonical(x509.Name([x509.RelativeDistinguishedName(two[::-1])]))
    assert canonical(together) != canonical(x509.Name(two))
    assert canonical(name("Ä")) != canonical(name("ä"))  # OpenSSL lowers ASCII letters alone.
