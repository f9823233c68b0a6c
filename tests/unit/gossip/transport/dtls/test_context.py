"""Who may associate with whom: the rules of the TLS transport, both ways, told on both ends."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.certificates import DAY, Certificate, CertificateAuthority
from tests.support.dtls import HOSTS, Node, World, authority, shared_tls
from tocsin.errors import ConfigError
from tocsin.gossip.transport.dtls.context import DTLSContexts
from tocsin.gossip.transport.dtls.verification import name_rule
from tocsin.tls.identity import ClusterIdentity
from tocsin.tls.refusal import RefusalError
from tocsin.tls.settings import ClientAuthType, ClusterTLSConfig

SOURCE = Path(__file__).parents[5] / "src"


def contexts(tls: ClusterTLSConfig) -> DTLSContexts:
    return DTLSContexts(ClusterIdentity(tls))


def config(
    certificate: Certificate | None = None,
    *,
    trusts: CertificateAuthority | None = None,
    server: Mapping[str, object] | None = None,
    client: Mapping[str, object] | None = None,
) -> ClusterTLSConfig:
    own = authority().cluster_config(certificate or authority().issue(*HOSTS))
    trusted = (trusts or authority()).certificate
    return ClusterTLSConfig(
        server=replace(own.server, client_ca=trusted, **(server or {})),  # type: ignore[arg-type]
        client=replace(own.client, ca=trusted, **(client or {})),  # type: ignore[arg-type]
    )


def dial(dialling: ClusterTLSConfig, answering: ClusterTLSConfig) -> tuple[Node, Node]:
    world = World()
    a = Node(world, HOSTS[0], contexts=contexts(dialling))
    b = Node(world, HOSTS[1], contexts=contexts(answering))
    a.send(b, b"hello")
    world.run(30.0, lambda: b.packets or a.failures)
    world.run(1.0)
    return a, b


def refused(a: Node, b: Node) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    assert not b.packets
    assert b.statistics.dtls.associations_inbound == 0
    first, second = ([(each.reason, each.by_peer) for _, each in node.refusals] for node in (a, b))
    return first, second


def test_both_sides_of_one_authority_are_accepted() -> None:
    a, b = dial(config(), config())
    assert b.data == [b"hello"]
    assert not a.refusals
    assert not b.refusals


OTHER = CertificateAuthority("another authority")
STRANGERS = {
    "another authority": (OTHER.issue(*HOSTS), "unknown_authority"),
    "expired": (authority().issue(*HOSTS, ends=-DAY), "expired"),
    "not yet valid": (authority().issue(*HOSTS, starts=DAY, ends=2 * DAY), "not_yet_valid"),
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_a_dialling_peer_without_a_good_certificate_is_refused_and_told_why(kind: str) -> None:
    certificate, reason = STRANGERS[kind]
    a, b = dial(config(certificate), config())
    theirs, ours = refused(a, b)
    assert ours == [(reason, False)]
    assert len(theirs) == 1
    assert theirs[0][1]
    assert a.statistics.dial_failures == {"refused": 1}
    assert a.failures
    assert b.statistics.refusals == {reason: 1}
    assert sum(a.statistics.refused_by_peer.values()) == 1


@pytest.mark.parametrize("kind", STRANGERS)
def test_an_answering_peer_without_a_good_certificate_is_refused_and_told_why(kind: str) -> None:
    certificate, reason = STRANGERS[kind]
    a, b = dial(config(), config(certificate))
    ours, theirs = refused(a, b)
    assert ours == [(reason, False)]
    assert len(theirs) == 1
    assert theirs[0][1]


def test_a_certificate_for_another_address_is_refused_by_who_dials() -> None:
    a, b = dial(config(), config(authority().issue("10.9.9.9", "elsewhere.example")))
    ours, _ = refused(a, b)
    assert ours == [("wrong_name", False)]
    assert "elsewhere.example" in str(a.refusals[0][1])


def test_a_server_name_stands_in_for_the_address() -> None:
    named = authority().issue("node.cluster.example")
    a, b = dial(config(client={"server_name": "node.cluster.example"}), config(named))
    assert b.data == [b"hello"]
    a, b = dial(config(client={"server_name": "other.cluster.example"}), config(named))
    assert refused(a, b)[0] == [("wrong_name", False)]


def test_without_verification_any_server_is_taken() -> None:
    _a, b = dial(config(client={"insecure_skip_verify": True}), config(OTHER.issue("10.9.9.9"), server={}))
    assert b.data == [b"hello"]


def test_only_names_on_the_list_are_let_in() -> None:
    allowed = {"client_allowed_sans": ("friend.example", HOSTS[8])}
    friend = authority().issue(*HOSTS[:2], "friend.example")
    a, b = dial(config(friend), config(server=allowed))
    assert b.data == [b"hello"]
    a, b = dial(config(authority().issue(*HOSTS[:2])), config(server=allowed))
    theirs, ours = refused(a, b)
    assert ours == [("name_not_allowed", False)]
    assert theirs == [("name_not_allowed", True)]


def without_certificate() -> ClusterTLSConfig:
    return config(client={"cert": None, "key": None})


def test_a_peer_without_a_certificate_is_refused_where_one_is_required() -> None:
    a, b = dial(without_certificate(), config())
    _, ours = refused(a, b)
    assert ours == [("no_certificate", False)]


@pytest.mark.parametrize("kind", [ClientAuthType.VERIFY_CLIENT_CERT_IF_GIVEN, ClientAuthType.NO_CLIENT_CERT])
def test_a_peer_without_a_certificate_is_let_in_where_none_is_required(kind: ClientAuthType) -> None:
    answering = config(server={"client_auth_type": kind})
    if kind is ClientAuthType.NO_CLIENT_CERT:
        answering = replace(answering, server=replace(answering.server, client_ca=None))
    _a, b = dial(without_certificate(), answering)
    assert b.data == [b"hello"]
    assert not b.incoming._admission.knows(HOSTS[0])


def test_only_who_has_shown_a_verified_certificate_is_known_from_then_on() -> None:
    """Known sources have places of their own, which anybody could have who needs no certificate."""
    answering = config(server={"client_auth_type": ClientAuthType.VERIFY_CLIENT_CERT_IF_GIVEN})
    for certificate, known in ((None, False), (authority().issue(*HOSTS), True)):
        _a, b = dial(config(certificate) if certificate else without_certificate(), answering)
        assert b.data == [b"hello"]
        assert b.incoming._admission.knows(HOSTS[0]) is known


def test_the_list_of_names_cannot_be_passed_by_showing_no_certificate() -> None:
    answering = config(
        server={
            "client_auth_type": ClientAuthType.VERIFY_CLIENT_CERT_IF_GIVEN,
            "client_allowed_sans": ("friend.example",),
        }
    )
    a, b = dial(without_certificate(), answering)
    theirs, ours = refused(a, b)
    assert ours == [("name_not_allowed", False)]
    assert theirs == [("name_not_allowed", True)]


def test_a_certificate_for_servers_only_does_not_serve_to_dial_nor_the_other_way_round() -> None:
    server_only = authority().issue(*HOSTS, usages=(ExtendedKeyUsageOID.SERVER_AUTH,))
    client_only = authority().issue(*HOSTS, usages=(ExtendedKeyUsageOID.CLIENT_AUTH,))
    a, b = dial(config(server_only), config())
    assert refused(a, b)[1] == [("bad_certificate", False)]
    a, b = dial(config(), config(client_only))
    assert refused(a, b)[0] == [("bad_certificate", False)]


def test_suites_and_curves_of_the_file_are_kept_to() -> None:
    wanted = {
        "cipher_suites": ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",),
        "curve_preferences": ("CurveP384", "CurveP256"),
    }
    a, b = dial(config(), config(server=wanted))
    assert b.data == [b"hello"]
    # With a key that the only suite does not suit there is nothing in common.
    a, b = dial(config(), config(server={"cipher_suites": ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",)}))
    assert refused(a, b)[1] == [("no_common_parameters", False)]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"min_version": "TLS13"}, "min_version"),
        ({"cipher_suites": ("TLS_RSA_WITH_AES_128_CBC_SHA",)}, "cipher_suites"),
        ({"curve_preferences": ("X25519",)}, "curve_preferences"),
    ],
)
def test_what_dtls_cannot_keep_is_refused_in_words(changes: dict[str, object], place: str) -> None:
    with pytest.raises(ConfigError, match=place) as caught:
        contexts(config(server=changes))
    assert caught.value.hint


def test_the_client_half_cannot_ask_for_tls_13_either() -> None:
    with pytest.raises(ConfigError, match=r"tls_client_config\.min_version"):
        contexts(config(client={"min_version": "TLS13"}))


def test_changed_files_are_in_use_for_the_next_handshake(tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_bytes(authority().certificate)
    cert_file, key_file = authority().issue(*HOSTS).write(tmp_path, "node")
    base = shared_tls()
    files: dict[str, object] = {"cert": None, "key": None, "cert_file": cert_file, "key_file": key_file}
    tls = ClusterTLSConfig(
        server=replace(base.server, client_ca=None, client_ca_file=ca, **files),  # type: ignore[arg-type]
        client=replace(base.client, ca=None, ca_file=ca, **files),  # type: ignore[arg-type]
    )
    made = contexts(tls)
    server, client = made.server_context(), made.client_context()
    assert made.server_context() is server
    ca.write_bytes(OTHER.certificate)
    assert made.server_context() is not server
    assert made.client_context() is not client
    server = made.server_context()
    key_file.write_bytes(b"no key")
    assert made.server_context() is server  # What cannot be used leaves the old in place.


def test_no_secret_is_told_of_a_key_that_cannot_be_used(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = authority().issue(*HOSTS).key
    with pytest.raises(ConfigError) as caught:
        contexts(config(server={"key": secret}))
    assert secret.splitlines()[1].decode() not in str(caught.value) + caplog.text


@pytest.mark.parametrize(
    ("wanted", "names", "accepted"),
    [
        ("10.0.0.1", ["10.0.0.1"], True),
        ("10.0.0.1", ["10.0.0.2"], False),
        ("::1", ["::1"], True),
        ("a.example", ["a.example"], True),
        ("A.Example.", ["a.example"], True),
        ("a.example.org", ["*.example.org"], True),
        ("a.b.example.org", ["*.example.org"], False),
        ("example.org", ["*.org"], False),
        ("example.org", ["*.example.org"], False),
        ("a.example", ["b.example", "a.example"], True),
    ],
)
def test_names_are_matched_as_go_matches_them(wanted: str, names: list[str], accepted: bool) -> None:
    pem = authority().issue(*names).certificate
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    if accepted:
        name_rule(wanted)(der)
    else:
        with pytest.raises(RefusalError):
            name_rule(wanted)(der)
    with pytest.raises(RefusalError):
        name_rule(wanted)(None)


def test_without_pyopenssl_there_is_one_clear_error_with_the_mend() -> None:
    program = (
        "import sys\n"
        "sys.modules['OpenSSL'] = None\n"
        "import tocsin.node.cluster.transports\n"
        "from tocsin.errors import ConfigError\n"
        "try:\n"
        "    import tocsin.gossip.transport.dtls.transport\n"
        "except ConfigError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(SOURCE)},
        timeout=60,
    )
    (line,) = done.stdout.splitlines()
    assert line.startswith("--cluster.transport=dtls: needs pyOpenSSL")
    assert line.endswith("(pip install tocsin[dtls])")


def test_both_ends_know_whom_they_speak_with() -> None:
    mine, theirs = authority().issue(*HOSTS, "Mine.example"), authority().issue(*HOSTS, "theirs.example")
    a, b = dial(config(mine), config(theirs))
    (peer,) = b.peers
    assert peer.carries("mine.example")
    assert peer.host == HOSTS[0]
    ((address, answering),) = a.identified
    assert address == b.listen
    assert answering.carries("theirs.example")
    assert answering.certificate != peer.certificate


def test_revoked_certificates_and_names_that_are_not_allowed_are_refused_both_ways() -> None:
    good, bad = authority().issue(*HOSTS, "good.example"), authority().issue(*HOSTS)
    revoked = authority().revoke(bad)
    a, b = dial(config(bad), config(good, server={"client_crl": revoked}))
    assert refused(a, b)[1] == [("revoked", False)]
    a, b = dial(config(good, client={"crl": revoked}), config(bad))
    assert refused(a, b)[0] == [("revoked", False)]
    a, b = dial(config(good, client={"server_allowed_sans": ("good.example",)}), config(bad))
    assert refused(a, b)[0] == [("name_not_allowed", False)]
