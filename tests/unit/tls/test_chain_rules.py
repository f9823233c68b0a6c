"""Whom an authority vouches for: the look after a rotation takes nobody whom OpenSSL refuses."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.certificates import DAY
from tests.support.dtls import HOSTS, Node, World
from tests.support.handshakes import shake_hands
from tests.support.pki import BOTH, PRINTABLE, Issued, authority, issue, name, usage
from tocsin.gossip.transport.dtls.context import DTLSContexts
from tocsin.tls.chain import verify_chain
from tocsin.tls.identity import ClusterIdentity
from tocsin.tls.refusal import RefusalError
from tocsin.tls.settings import ClientAuthType, ClusterTLSConfig, TLSClientConfig, TLSServerConfig

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True)
class Case:
    """A certificate with what is sent beside it, and the authorities."""

    leaf: Issued
    sent: tuple[Issued, ...]
    authorities: tuple[Issued, ...]
    good: bool


def node(by: Issued | None, **more: object) -> Issued:
    given = {"hosts": ("127.0.0.1", "node.example.org"), "uses": BOTH, **more}
    return issue("node", by, **given)  # type: ignore[arg-type]


def nobody_elses() -> Case:
    """Row 14: a node's own certificate signs another."""
    root = authority()
    first = node(root)
    return Case(node(first, issuer=first.certificate.subject), (first,), (root,), False)


def straight() -> Case:
    root = authority()
    return Case(node(root), (), (root,), True)


def by_way_of_another() -> Case:
    root = authority()
    middle = authority("middle", root)
    return Case(node(middle), (middle,), (root,), True)


def a_missing_link() -> Case:
    root = authority()
    middle = authority("middle", root)
    return Case(node(middle), (), (root,), False)


def of_another_root() -> Case:
    return Case(node(authority("other")), (), (authority(),), False)


def of_a_root_of_the_same_name() -> Case:
    return Case(node(authority()), (), (authority(),), False)


def too_long_by_the_root() -> Case:
    root = authority(path_length=0)
    middle = authority("middle", root)
    return Case(node(middle), (middle,), (root,), False)


def as_long_as_the_root_allows() -> Case:
    root = authority(path_length=1)
    middle = authority("middle", root)
    return Case(node(middle), (middle,), (root,), True)


def too_long_by_the_one_between() -> Case:
    root = authority()
    first = authority("first", root, path_length=0)
    second = authority("second", first)
    return Case(node(second), (second, first), (root,), False)


def self_issued_ones_do_not_count() -> Case:
    root = authority(path_length=0, more=[(x509.SubjectKeyIdentifier(b"old"), False)])
    of_the_old = x509.AuthorityKeyIdentifier(b"old", None, None)
    renewed = authority("root", root, more=[(x509.SubjectKeyIdentifier(b"new"), False), (of_the_old, False)])
    leaf = node(renewed, more=[(x509.AuthorityKeyIdentifier(b"new", None, None), False)])
    return Case(leaf, (renewed,), (root,), True)


def no_certificates_by_key_usage() -> Case:
    root = authority()
    middle = authority("middle", root, key_usage=usage("digital_signature", "crl_sign"))
    return Case(node(middle), (middle,), (root,), False)


def a_root_without_the_right_to_sign() -> Case:
    root = authority(key_usage=usage("crl_sign"))
    return Case(node(root), (), (root,), False)


def no_basic_constraints() -> Case:
    root = authority()
    middle = authority("middle", root, ca=None, key_usage=None)
    return Case(node(middle), (middle,), (root,), False)


def limited_to_servers(what: tuple[x509.ObjectIdentifier, ...]) -> Case:
    root = authority()
    middle = authority("middle", root, uses=what)
    return Case(node(middle), (middle,), (root,), what == BOTH)


def expired_between() -> Case:
    root = authority()
    middle = authority("middle", root, starts=-3 * DAY, ends=-DAY)
    return Case(node(middle), (middle,), (root,), False)


def expired_root() -> Case:
    root = authority(starts=-3 * DAY, ends=-DAY)
    return Case(node(root), (), (root,), False)


def root_not_yet_valid() -> Case:
    root = authority(starts=DAY, ends=2 * DAY)
    return Case(node(root), (), (root,), False)


def leaf_not_yet_valid() -> Case:
    root = authority()
    return Case(node(root, starts=DAY, ends=2 * DAY), (), (root,), False)


def for_another_use() -> Case:
    root = authority()
    return Case(node(root, uses=(ExtendedKeyUsageOID.CODE_SIGNING,)), (), (root,), False)


def for_any_use() -> Case:
    """OpenSSL takes "any" for neither server nor client."""
    root = authority()
    return Case(node(root, uses=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)), (), (root,), False)


def a_key_that_only_signs_lists() -> Case:
    root = authority()
    return Case(node(root, key_usage=usage("crl_sign")), (), (root,), False)


def unknown_critical_extension() -> Case:
    root = authority()
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
    return Case(node(root, more=[(odd, True)]), (), (root,), False)


def unknown_extension() -> Case:
    root = authority()
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
    return Case(node(root, more=[(odd, False)]), (), (root,), True)


def an_authority_that_does_not_sign_itself() -> Case:
    root = authority()
    middle = authority("middle", root)
    return Case(node(middle), (middle,), (middle,), False)


def a_trusted_one_between() -> Case:
    root = authority()
    middle = authority("middle", root)
    return Case(node(middle), (), (root, middle), True)


def the_peers_own_certificate_trusted() -> Case:
    root = authority()
    leaf = node(root)
    return Case(leaf, (), (leaf,), False)


def written_otherwise() -> Case:
    """The same name, as another kind of string, with other spaces and letters."""
    root = authority(name("The  Root"))
    return Case(node(root, issuer=name(" the root ", PRINTABLE)), (), (root,), True)


def another_identifier() -> Case:
    root = authority(more=[(x509.SubjectKeyIdentifier(b"mine"), False)])
    other = x509.AuthorityKeyIdentifier(b"another", None, None)
    return Case(node(root, more=[(other, False)]), (), (root,), False)


def short_key_between() -> Case:
    root = authority()
    middle = authority("middle", root, key=ec.generate_private_key(ec.SECP192R1()))
    return Case(node(middle), (middle,), (root,), False)


def rsa_between() -> Case:
    root = authority(key=rsa.generate_private_key(65537, 2048))
    middle = authority("middle", root, key=rsa.generate_private_key(65537, 2048))
    return Case(node(middle), (middle,), (root,), True)


def constrained(permitted: str = "", excluded: str = "", good: bool = True) -> Case:
    def trees(text: str) -> list[x509.GeneralName] | None:
        if not text:
            return None
        try:
            return [x509.IPAddress(ipaddress.ip_network(text))]
        except ValueError:
            pass
        if text.startswith("CN="):
            return [x509.DirectoryName(name(text[3:]))]
        return [x509.DNSName(text)]

    root = authority()
    limits = x509.NameConstraints(trees(permitted), trees(excluded))
    middle = authority("middle", root, more=[(limits, True)])
    return Case(node(middle), (middle,), (root,), good)


CASES: dict[str, Callable[[], Case]] = {
    each.__name__: each
    for each in (
        straight,
        nobody_elses,
        by_way_of_another,
        a_missing_link,
        of_another_root,
        of_a_root_of_the_same_name,
        too_long_by_the_root,
        as_long_as_the_root_allows,
        too_long_by_the_one_between,
        self_issued_ones_do_not_count,
        no_certificates_by_key_usage,
        a_root_without_the_right_to_sign,
        no_basic_constraints,
        expired_between,
        expired_root,
        root_not_yet_valid,
        leaf_not_yet_valid,
        for_another_use,
        for_any_use,
        a_key_that_only_signs_lists,
        unknown_critical_extension,
        unknown_extension,
        an_authority_that_does_not_sign_itself,
        a_trusted_one_between,
        the_peers_own_certificate_trusted,
        written_otherwise,
        another_identifier,
        rsa_between,
    )
}
CASES |= {
    "authority for code": lambda: limited_to_servers((ExtendedKeyUsageOID.CODE_SIGNING,)),
    "authority for both": lambda: limited_to_servers(BOTH),
    "names: permitted": lambda: constrained("example.org"),
    "names: others permitted": lambda: constrained("example.net", good=False),
    "names: end of a label": lambda: constrained("ple.org", good=False),
    "names: excluded": lambda: constrained("", "example.org", good=False),
    "names: address permitted": lambda: constrained("127.0.0.0/8"),
    "names: address of others": lambda: constrained("10.0.0.0/8", good=False),
    "names: address excluded": lambda: constrained("", "127.0.0.0/8", good=False),
    "names: subject permitted": lambda: constrained("CN=node"),
    "names: subject of others": lambda: constrained("CN=other", good=False),
}


def second_look(case: Case, *, servers: bool) -> bool:
    try:
        verify_chain(
            case.leaf.der,
            [one.der for one in case.sent],
            [one.certificate for one in case.authorities],
            datetime.now(UTC),
            servers=servers,
        )
    except RefusalError:
        return False
    return True


def config(case: Case) -> ClusterTLSConfig:
    """A node that trusts the authorities and shows the certificate."""
    shown = case.leaf.pair(*case.sent)
    trusted = b"".join(one.pem for one in case.authorities)
    return ClusterTLSConfig(
        server=TLSServerConfig(
            cert=shown.certificate,
            key=shown.key,
            client_ca=trusted,
            client_auth_type=ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT,
        ),
        client=TLSClientConfig(
            cert=shown.certificate, key=shown.key, ca=trusted, server_name="node.example.org"
        ),
    )


def taken_by_tls(case: Case, *, servers: bool) -> bool:
    whole = config(case)
    shown = ClusterTLSConfig(
        server=TLSServerConfig(cert=whole.server.cert, key=whole.server.key),
        client=TLSClientConfig(
            cert=whole.client.cert, key=whole.client.key, insecure_skip_verify=True, ca=whole.client.ca
        ),
    )
    ours = straight().leaf.pair()
    verifying = ClusterTLSConfig(
        server=TLSServerConfig(
            cert=ours.certificate,
            key=ours.key,
            client_ca=whole.server.client_ca,
            client_auth_type=ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT,
        ),
        client=TLSClientConfig(ca=whole.client.ca),
    )
    they, we = ClusterIdentity(shown), ClusterIdentity(verifying)
    try:
        if servers:
            shake_hands(we.client_context(), they.server_context(), "node.example.org")
        else:
            shake_hands(they.client_context(), we.server_context(), None)
    except ssl.SSLCertVerificationError:
        return False
    return True


def taken_by_dtls(case: Case) -> bool:
    world = World()
    contexts = DTLSContexts(ClusterIdentity(config(case)))
    a, b = (Node(world, host, contexts=contexts) for host in HOSTS[:2])
    a.send(b, b"hello")
    world.run(30.0, lambda: b.packets or a.failures)
    assert bool(b.packets) != bool(a.failures)
    return bool(b.packets)


@pytest.mark.parametrize("kind", list(CASES))
def test_every_way_in_comes_to_the_same_verdict(kind: str) -> None:
    case = CASES[kind]()
    for servers in (False, True):
        assert taken_by_tls(case, servers=servers) is case.good
        assert second_look(case, servers=servers) is case.good
    assert taken_by_dtls(case) is case.good


@pytest.mark.parametrize(
    ("uses", "servers", "good"),
    [((CLIENT,), False, True), ((CLIENT,), True, False), ((SERVER,), True, True), ((SERVER,), False, False)],
)
def test_an_authority_for_one_use_vouches_for_that_use(
    uses: tuple[x509.ObjectIdentifier, ...], servers: bool, good: bool
) -> None:
    case = limited_to_servers(uses)
    assert taken_by_tls(case, servers=servers) is good
    assert second_look(case, servers=servers) is good


def test_a_key_that_openssl_would_not_load_is_refused_in_a_chain() -> None:
    assert not second_look(short_key_between(), servers=False)


def test_ed25519_is_taken() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])
    now = datetime.now(UTC)
    root = (
        x509.CertificateBuilder()
        .subject_name(root_name)
        .issuer_name(root_name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .sign(key, None)
    )
    leaf = (
        x509.CertificateBuilder()
        .subject_name(name("node"))
        .issuer_name(root_name)
        .public_key(ec.generate_private_key(ec.SECP256R1()).public_key())
        .serial_number(2)
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .sign(key, None)
    )
    verify_chain(leaf.public_bytes(Encoding.DER), [], [root], now, servers=True)


def test_many_authorities_of_one_name_cost_a_bounded_number_of_looks() -> None:
    """A chain of cross-signed certificates has as many ways as one likes."""
    key = ec.generate_private_key(ec.SECP256R1())
    same: Sequence[Issued] = [authority("same", key=key) for _ in range(2)]
    sent = [authority("same", same[0], key=key, serial=number) for number in range(1, 9)]
    leaf = node(sent[0])
    with pytest.raises(RefusalError):
        verify_chain(
            leaf.der, [one.der for one in sent], [authority().certificate], datetime.now(UTC), servers=False
        )
