"""Contexts from the configuration: what is accepted, what is refused with one clear line, what is re-read."""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import DAY, CertificateAuthority, encrypted_key
from tests.support.transports import eventually
from tocsin.errors import ConfigError
from tocsin.tls.files import MAX_BYTES, SMALL_BYTES, read
from tocsin.tls.identity import (
    ClusterIdentity,
    build_client_context,
    build_server_context,
    check_validity,
    subject_alternative_names,
)
from tocsin.tls.refusal import RefusalError
from tocsin.tls.settings import (
    CIPHER_SUITES,
    CURVES,
    ClientAuthType,
    ClusterTLSConfig,
    TLSClientConfig,
    TLSServerConfig,
)

AUTHORITY = CertificateAuthority()
CONFIG = AUTHORITY.cluster_config()


def server(**changes: object) -> TLSServerConfig:
    return replace(CONFIG.server, **changes)  # type: ignore[arg-type]


def client(**changes: object) -> TLSClientConfig:
    return replace(CONFIG.client, **changes)  # type: ignore[arg-type]


def test_client_auth_types_have_gos_names_and_the_old_alias() -> None:
    assert ClientAuthType.from_name("RequireClientCert") is ClientAuthType.REQUIRE_ANY_CLIENT_CERT
    assert ClientAuthType.from_name("") is ClientAuthType.NO_CLIENT_CERT
    for kind in ClientAuthType:
        assert ClientAuthType.from_name(kind.value) is kind
    with pytest.raises(ValueError):
        ClientAuthType.from_name("Sometimes")


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        (ClientAuthType.VERIFY_CLIENT_CERT_IF_GIVEN, ssl.CERT_OPTIONAL),
        (ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT, ssl.CERT_REQUIRED),
    ],
)
def test_verifying_servers_ask_for_certificates(kind: ClientAuthType, mode: ssl.VerifyMode) -> None:
    context = build_server_context(server(client_auth_type=kind))
    assert context.verify_mode is mode
    assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize("kind", [ClientAuthType.NO_CLIENT_CERT, ClientAuthType.REQUEST_CLIENT_CERT])
def test_other_servers_accept_every_client(kind: ClientAuthType) -> None:
    context = build_server_context(server(client_auth_type=kind, client_ca=None))
    assert context.verify_mode is ssl.CERT_NONE


def test_defaults_are_tls_1_2_and_newer_and_a_lower_floor_is_raised() -> None:
    for context in (build_server_context(server(min_version="TLS10")), build_client_context(CONFIG.client)):
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_versions_are_applied_on_both_sides() -> None:
    assert build_server_context(server(max_version="TLS12")).maximum_version is ssl.TLSVersion.TLSv1_2
    assert build_client_context(client(min_version="TLS13")).minimum_version is ssl.TLSVersion.TLSv1_3


def test_cipher_suites_by_gos_names() -> None:
    context = build_server_context(
        server(cipher_suites=("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"))
    )
    names = [suite["name"] for suite in context.get_ciphers() if suite["protocol"] != "TLSv1.3"]
    assert names == ["ECDHE-ECDSA-AES256-GCM-SHA384"]
    for name in CIPHER_SUITES:
        build_server_context(server(cipher_suites=(name,)))


@pytest.mark.parametrize("curve", CURVES)
def test_every_curve_can_be_used(curve: str) -> None:
    build_server_context(server(curve_preferences=(curve,)))


def test_server_verification_can_be_skipped_only_on_request() -> None:
    assert build_client_context(CONFIG.client).check_hostname
    context = build_client_context(client(insecure_skip_verify=True))
    assert context.verify_mode is ssl.CERT_NONE
    assert not context.check_hostname


def test_without_a_ca_the_systems_roots_decide() -> None:
    context = build_client_context(client(ca=None))
    assert context.verify_mode is ssl.CERT_REQUIRED
    build_server_context(server(client_ca=None))


BAD = [
    (server(cert=None, key=None), "cert_file: no certificate"),
    (server(key=None), "key_file: missing, though a cert is set"),
    (server(cert_file=Path("x.crt")), "both cert and cert_file"),
    (server(cert=None, cert_file=Path("/nowhere/x.crt")), "/nowhere/x.crt: .* cannot be read: No such file"),
    (server(cert=b"nothing"), "cert: holds no PEM certificate"),
    (
        server(cert=CONFIG.server.cert and CONFIG.server.cert[:200] + b"\n-----END CERTIFICATE-----\n"),
        "cannot be used",
    ),
    (server(key=b"nothing"), "key: holds no PEM private key"),
    (server(key=AUTHORITY.issue().key), "is not the private key of the certificate"),
    (server(key=encrypted_key(AUTHORITY.issue())), "encrypted .decrypt it"),
    (server(client_ca=b"nothing"), "client_ca: holds no PEM certificate"),
    (server(client_ca=b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "cannot be read"),
    (server(client_ca=b"-----BEGIN CERTIFICATE-----\n\xff\xfe"), "cannot be read"),
    (server(client_ca_file=Path("x")), "both client_ca and client_ca_file"),
    (
        server(client_auth_type=ClientAuthType.REQUIRE_ANY_CLIENT_CERT),
        "RequireAnyClientCert is not supported",
    ),
    (server(client_auth_type=ClientAuthType.NO_CLIENT_CERT), "no client certificate is asked for"),
    (
        server(client_auth_type=ClientAuthType.REQUEST_CLIENT_CERT, client_allowed_sans=("a",)),
        "client_allowed_sans: has no effect with client_auth_type RequestClientCert",
    ),
    (server(min_version="SSL3"), "unknown TLS version 'SSL3'"),
    (server(max_version="TLS11"), "TLS11 is not supported"),
    (server(min_version="TLS13", max_version="TLS12"), "newer than max_version"),
    (server(cipher_suites=("TLS_NULL",)), "unknown cipher suite 'TLS_NULL'"),
    (server(curve_preferences=("Curve25519",)), "unknown curve 'Curve25519'"),
]


@pytest.mark.parametrize(("config", "words"), BAD, ids=[words for _, words in BAD])
def test_a_server_configuration_that_cannot_be_used_is_one_clear_line(
    config: TLSServerConfig, words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        build_server_context(config)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (client(ca_file=Path("x")), "both ca and ca_file"),
        (client(cert=None), "cert_file: missing, though a key is set"),
        (client(key=None), "key_file: missing, though a cert is set"),
        (client(key=AUTHORITY.issue().key), "is not the private key"),
        (client(ca=b""), "ca: holds no PEM certificate"),
        (client(max_version="TLS10"), "TLS10 is not supported"),
    ],
)
def test_a_client_configuration_that_cannot_be_used_is_one_clear_line(
    config: TLSClientConfig, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        build_client_context(config)


def test_several_curves_are_narrowed_to_the_first_and_said_so(caplog: pytest.LogCaptureFixture) -> None:
    build_server_context(server(curve_preferences=("X25519", "CurveP256")))
    if not hasattr(ssl.SSLContext, "set_groups"):
        assert "one curve only: X25519" in caplog.text


def test_all_kinds_of_names_are_read_from_a_certificate() -> None:
    pem = AUTHORITY.issue(
        "10.0.0.1", "::1", "node-1.example", emails=("a@b.example",), uris=("spiffe://x/y",)
    )
    der = ssl.PEM_cert_to_DER_cert(pem.certificate.decode())
    assert subject_alternative_names(der) == {
        "10.0.0.1",
        "::1",
        "node-1.example",
        "a@b.example",
        "spiffe://x/y",
    }
    assert subject_alternative_names(b"no certificate") == frozenset()


@pytest.mark.parametrize("allowed", ["node-1.example", "spiffe://x/y", "a@b.example", "0:0:0:0:0:0:0:1"])
def test_one_allowed_name_is_enough(allowed: str) -> None:
    pem = AUTHORITY.issue("::1", "node-1.example", emails=("a@b.example",), uris=("spiffe://x/y",))
    der = ssl.PEM_cert_to_DER_cert(pem.certificate.decode())
    identity = ClusterIdentity(replace(CONFIG, server=server(client_allowed_sans=("other", allowed))))
    identity.check_client(der)


def test_a_client_without_an_allowed_name_or_a_certificate_is_refused() -> None:
    pem = AUTHORITY.issue("node-1.example.evil")
    identity = ClusterIdentity(replace(CONFIG, server=server(client_allowed_sans=("node-1.example",))))
    with pytest.raises(RefusalError, match=r"node-1\.example\.evil") as caught:
        identity.check_client(ssl.PEM_cert_to_DER_cert(pem.certificate.decode()))
    assert caught.value.reason == "name_not_allowed"
    with pytest.raises(RefusalError, match="none"):
        identity.check_client(None)


def test_without_an_allow_list_every_verified_client_passes() -> None:
    ClusterIdentity(CONFIG).check_client(None)


def test_the_dialled_address_is_verified_unless_a_name_is_set() -> None:
    assert ClusterIdentity(CONFIG).server_hostname("10.0.0.1") == "10.0.0.1"
    named = replace(CONFIG, client=client(server_name="cluster.example"))
    assert ClusterIdentity(named).server_hostname("10.0.0.1") == "cluster.example"


def file_config(directory: Path, authority: CertificateAuthority) -> ClusterTLSConfig:
    cert_file, key_file = authority.issue().write(directory, "node")
    ca_file = directory / "ca.crt"
    ca_file.write_bytes(authority.certificate)
    return ClusterTLSConfig(
        server=TLSServerConfig(
            cert_file=cert_file,
            key_file=key_file,
            client_ca_file=ca_file,
            client_auth_type=ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT,
        ),
        client=TLSClientConfig(cert_file=cert_file, key_file=key_file, ca_file=ca_file),
    )


def test_unchanged_files_are_read_once(tmp_path: Path) -> None:
    identity = ClusterIdentity(file_config(tmp_path, AUTHORITY))
    assert identity.server_context() is identity.server_context()
    assert identity.client_context() is identity.client_context()
    assert identity.reloads == 0


def test_changed_files_give_new_contexts(tmp_path: Path) -> None:
    identity = ClusterIdentity(file_config(tmp_path, AUTHORITY))
    before = identity.server_context(), identity.client_context()
    AUTHORITY.issue("10.9.9.9").write(tmp_path, "node")
    after = identity.server_context(), identity.client_context()
    assert before[0] is not after[0]
    assert before[1] is not after[1]
    assert identity.reloads == 1


def test_nothing_that_protects_is_given_up_without_a_restart(tmp_path: Path) -> None:
    """The file of ``tocsinctl certs issue`` without its last lines is a whole one that lets everybody in."""
    strict = file_config(tmp_path, AUTHORITY)
    crl = tmp_path / "crl.pem"
    crl.write_bytes(AUTHORITY.revoke())
    strict = replace(
        strict,
        server=replace(
            strict.server, client_crl_file=crl, client_allowed_sans=("127.0.0.1",), min_version="TLS13"
        ),
        client=replace(strict.client, crl_file=crl, server_allowed_sans=("127.0.0.1",), min_version="TLS13"),
    )
    server, client = strict.server, strict.client
    weaker = [
        replace(strict, server=replace(server, client_auth_type=kind))
        for kind in ClientAuthType
        if kind is not ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT
    ]
    weaker += [
        replace(strict, server=replace(server, client_ca_file=None, client_crl_file=None)),
        replace(strict, server=replace(server, client_crl_file=None)),
        replace(strict, server=replace(server, client_allowed_sans=())),
        replace(strict, client=TLSClientConfig()),
        replace(strict, client=replace(client, cert_file=None, key_file=None)),
        replace(strict, client=replace(client, ca_file=None, crl_file=None)),
        replace(strict, client=replace(client, crl_file=None)),
        replace(strict, client=replace(client, server_allowed_sans=())),
        replace(strict, server=replace(server, min_version="TLS12")),
        replace(strict, client=replace(client, min_version="")),
    ]
    other = replace(strict, server=replace(server, client_allowed_sans=("127.0.0.1", "other")))
    wanted = [strict]
    identity = ClusterIdentity(source=lambda: wanted[-1], watched=(tmp_path / "tls.yml",))
    for number, each in enumerate([*weaker, other]):
        wanted.append(each)
        (tmp_path / "tls.yml").write_text(str(number))
        if each is other:
            identity.reload()
        else:
            with pytest.raises(ConfigError, match="a running node gives up nothing that protects"):
                identity.reload()
        assert identity.config is (other if each is other else strict)


@pytest.mark.parametrize("aside", [False, True])
def test_certificates_are_renewed_although_a_change_of_the_configuration_is_refused(
    tmp_path: Path, aside: bool
) -> None:
    """Else the certificate runs out weeks after somebody has taken out the revocation list on purpose."""
    strict = file_config(tmp_path, AUTHORITY)
    crl = tmp_path / "crl.pem"
    crl.write_bytes(AUTHORITY.revoke())
    strict = replace(strict, server=replace(strict.server, client_crl_file=crl))
    weaker = replace(strict, server=replace(strict.server, client_crl_file=None))
    wanted = [strict]
    identity = ClusterIdentity(source=lambda: wanted[-1], watched=(tmp_path / "tls.yml",))

    def reload() -> None:
        with pytest.raises(ConfigError, match=r"client_crl: is gone; .*restart"):
            asyncio.run(identity.reload_aside()) if aside else identity.reload()

    before = identity.server_context()
    wanted.append(weaker)
    (tmp_path / "tls.yml").write_text("weaker")
    reload()
    assert identity.server_context() is before  # No peer shakes hands anew for nothing.
    AUTHORITY.issue("10.9.9.9").write(tmp_path, "node")
    reload()
    assert "10.9.9.9" in identity.hosts
    crl.write_bytes(AUTHORITY.revoke(stolen := AUTHORITY.issue()))
    assert identity.server_context() is not before
    with pytest.raises(RefusalError, match="revoked"):
        identity.check_client(ssl.PEM_cert_to_DER_cert(stolen.certificate.decode()))
    assert identity.config is strict
    assert not identity.reload_successful
    assert identity.reload_failures == 3
    wanted.append(strict)
    (tmp_path / "tls.yml").write_text("as it was")
    identity.reload()
    assert identity.reload_successful


@pytest.mark.parametrize("aside", [False, True])
def test_certificates_are_renewed_although_the_changed_configuration_cannot_be_read(
    tmp_path: Path, aside: bool
) -> None:
    config, file = file_config(tmp_path, AUTHORITY), tmp_path / "tls.yml"
    file.write_text("good")

    def source() -> ClusterTLSConfig:
        if file.read_text() != "good":
            raise ConfigError(str(file), "is no YAML")
        return config

    identity = ClusterIdentity(source=source, watched=(file,))

    def reload() -> None:
        with pytest.raises(ConfigError, match="is no YAML"):
            asyncio.run(identity.reload_aside()) if aside else identity.reload()

    before = identity.server_context()
    file.write_text("torn")
    reload()
    assert identity.server_context() is before
    AUTHORITY.issue("10.9.9.9").write(tmp_path, "node")
    reload()
    assert identity.server_context() is not before
    assert "10.9.9.9" in identity.hosts
    assert (identity.reload_failures, identity.reload_successful) == (2, False)
    file.write_text("good")
    identity.reload()
    assert identity.reload_successful


def test_an_authority_taken_out_of_the_file_is_trusted_no_longer(tmp_path: Path) -> None:
    identity = ClusterIdentity(file_config(tmp_path, AUTHORITY))
    other = CertificateAuthority("another authority")
    (tmp_path / "ca.crt").write_bytes(other.certificate)
    (subject,) = [dict(part[0] for part in ca["subject"]) for ca in identity.server_context().get_ca_certs()]  # type: ignore[misc]
    assert subject["commonName"] == "another authority"


def test_bad_files_leave_the_old_ones_in_use_and_are_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    identity = ClusterIdentity(file_config(tmp_path, AUTHORITY))
    before = identity.server_context()
    (tmp_path / "node.key").write_bytes(AUTHORITY.issue().key)
    assert identity.server_context() is before
    assert identity.server_context() is before
    assert identity.reload_failures == 1
    assert "the old ones stay in use" in caplog.text
    assert "node.key" in caplog.text
    (tmp_path / "node.crt").unlink()
    assert identity.server_context() is before
    AUTHORITY.issue().write(tmp_path, "node")
    assert identity.server_context() is not before
    assert (identity.reloads, identity.reload_failures) == (1, 2)


def test_a_failure_of_what_was_replaced_meanwhile_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        identity = ClusterIdentity(file_config(tmp_path, AUTHORITY))
        loaded, begun, go_on = identity._loaded, threading.Event(), threading.Event()

        def slow(config: ClusterTLSConfig) -> Any:
            if threading.current_thread() is threading.main_thread():
                return loaded(config)
            begun.set()
            go_on.wait(60)
            raise ConfigError("node.crt", "cannot be used")

        monkeypatch.setattr(identity, "_loaded", slow)
        (tmp_path / "node.crt").write_bytes(b"torn")
        waiting = asyncio.create_task(identity.reload_aside())
        await asyncio.to_thread(begun.wait, 60)
        AUTHORITY.issue().write(tmp_path, "node")
        identity.reload()
        go_on.set()
        await waiting
        assert (identity.reloads, identity.reload_failures) == (1, 0)
        assert identity.reload_successful

    asyncio.run(story())


def test_a_peer_that_resumes_with_an_expired_certificate_is_refused() -> None:
    class Resumed:
        def getpeercert(self) -> dict[str, str]:
            return {"notAfter": "Jan  1 00:00:00 2030 GMT"}

    session: ssl.SSLObject = Resumed()  # type: ignore[assignment]
    expiry = ssl.cert_time_to_seconds("Jan  1 00:00:00 2030 GMT")
    check_validity(session, expiry - DAY.total_seconds())
    with pytest.raises(RefusalError, match="expired"):
        check_validity(session, expiry + 1)


def _revocation_list(folder: Path, count: int) -> Path:
    """Of so many certificates, none of which anybody has."""
    path = folder / "crl.pem"
    path.write_bytes(AUTHORITY.revocation_list(range(10**20, 10**20 + count)))
    return path


def test_large_files_are_read_beside_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(_large_files(tmp_path, monkeypatch))


async def _large_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = file_config(tmp_path, AUTHORITY)
    revoked = _revocation_list(tmp_path, 1)
    config = replace(config, server=replace(config.server, client_crl_file=revoked))
    identity = ClusterIdentity(config)
    before = identity.server_context()
    threads: set[threading.Thread] = set()
    loaded = identity._load

    def load(config: ClusterTLSConfig) -> Any:
        threads.add(threading.current_thread())
        return loaded(config)

    monkeypatch.setattr(identity, "_load", load)
    _revocation_list(tmp_path, 2000)
    assert revoked.stat().st_size > SMALL_BYTES
    assert identity.server_context() is before  # It is under way.
    await eventually(lambda: identity.reloads == 1)
    assert identity.server_context() is not before
    revoked.write_bytes(revoked.read_bytes() + b"\n")
    await identity.reload_aside()
    assert identity.reloads == 2
    assert threading.main_thread() not in threads
    revoked.write_bytes(b"-----BEGIN X509 CRL-----\nx\n-----END X509 CRL-----\n" + bytes(SMALL_BYTES))
    for _ in range(2):
        with pytest.raises(ConfigError):
            await identity.reload_aside()
    assert identity.reload_failures == 2


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    identity = ClusterIdentity(file_config(tmp_path, AUTHORITY))
    before = identity.server_context()
    (tmp_path / "ca.crt").unlink()
    os.mkfifo(tmp_path / "ca.crt")
    assert identity.server_context() is before
    assert identity.reload_failures == 1


def test_a_file_without_end_is_read_to_a_bound(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(OSError, match="more than 64 MiB"):
        read(large)
    with pytest.raises(OSError, match="not a regular file"):
        read(Path("/dev/zero"))
