"""What the authority issues: an EC P-256 certificate for both directions of a mutual TLS connection."""

import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from tocsin.certificates import Identity, create_authority, issue_node_certificate
from tocsin.certificates.authority import parse_host
from tocsin.errors import ConfigError

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
YEAR = timedelta(days=365)


@pytest.fixture(scope="module")
def authority() -> Identity:
    return create_authority("Test CA", now=NOW, lifetime=10 * YEAR)


def test_a_node_certificate_serves_and_dials(authority: Identity) -> None:
    node = issue_node_certificate(authority, "one", ["127.0.0.1", "one.example"], now=NOW, lifetime=YEAR)
    extensions = node.certificate.extensions
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usage) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.IPAddress(ipaddress.IPv4Address("127.0.0.1")), x509.DNSName("one.example")]
    assert isinstance(node.key.curve, ec.SECP256R1)
    assert node.key.public_key() == node.certificate.public_key()
    node.certificate.verify_directly_issued_by(authority.certificate)


def test_the_authority_signs_nodes_but_no_further_authority(authority: Identity) -> None:
    constraints = authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.value.ca, constraints.value.path_length, constraints.critical) == (True, 0, True)
    node = issue_node_certificate(authority, "one", ["127.0.0.1"], now=NOW, lifetime=YEAR)
    assert not node.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_peer_whose_clock_is_behind_takes_a_fresh_certificate(authority: Identity) -> None:
    node = issue_node_certificate(authority, "one", ["127.0.0.1"], now=NOW, lifetime=YEAR)
    assert node.certificate.not_valid_before_utc <= NOW - timedelta(minutes=1)


def test_a_node_does_not_outlive_its_authority(authority: Identity) -> None:
    node = issue_node_certificate(authority, "one", ["127.0.0.1"], now=NOW, lifetime=50 * YEAR)
    assert node.certificate.not_valid_after_utc == authority.certificate.not_valid_after_utc


@pytest.mark.parametrize("later", [timedelta(days=-1), 11 * YEAR])
def test_an_authority_outside_its_validity_signs_nothing(authority: Identity, later: timedelta) -> None:
    with pytest.raises(ConfigError, match="not valid now"):
        issue_node_certificate(authority, "one", ["127.0.0.1"], now=NOW + later, lifetime=YEAR)


def test_a_host_given_twice_is_named_once(authority: Identity) -> None:
    node = issue_node_certificate(authority, "one", ["::1", "[::1]", "0:0::1"], now=NOW, lifetime=YEAR)
    names = node.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.IPAddress(ipaddress.IPv6Address("::1"))]


@pytest.mark.parametrize("hosts", [[], [f"h{number}.example" for number in range(101)]])
def test_the_number_of_hosts_is_bounded(authority: Identity, hosts: list[str]) -> None:
    with pytest.raises(ConfigError, match="give 1 to 100"):
        issue_node_certificate(authority, "one", hosts, now=NOW, lifetime=YEAR)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../up", "-x", "a b", "é", "x" * 65, "a\n"])
def test_a_name_that_is_no_folder_is_refused(authority: Identity, name: str) -> None:
    with pytest.raises(ConfigError, match="not usable"):
        issue_node_certificate(authority, name, ["127.0.0.1"], now=NOW, lifetime=YEAR)


@pytest.mark.parametrize("name", ["", "x" * 65, "line\nbreak"])
def test_an_authority_needs_a_name(name: str) -> None:
    with pytest.raises(ConfigError, match="not usable"):
        create_authority(name, now=NOW, lifetime=YEAR)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("127.0.0.1:9094", "has a port"),
        ("node:9094", "has a port"),
        ("", "neither"),
        ("a..b", "neither"),
        ("-a.example", "neither"),
        ("x" * 64 + ".example", "neither"),
        (".".join(["x" * 60] * 5), "neither"),
        ("a b", "neither"),
        ("é.example", "neither"),
        ("10.0.0", "not a whole IP address"),
        ("10.0.0.256", "not a whole IP address"),
    ],
)
def test_a_host_that_cannot_be_one_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse_host(text)


@pytest.mark.parametrize("text", ["node", "node.example.", "*.cluster.local", "a_b.example"])
def test_names_in_use_are_taken(text: str) -> None:
    assert parse_host(text) == x509.DNSName(text.removesuffix("."))


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(days=-1), timedelta(days=999_999_999)])
def test_a_lifetime_must_be_possible(lifetime: timedelta) -> None:
    with pytest.raises(ConfigError, match="--days"):
        create_authority("CA", now=NOW, lifetime=lifetime)
