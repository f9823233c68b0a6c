"""--cluster.tls-config: every key, every rule, and errors that name file, line and hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.certificates import CertificateAuthority, encrypted_key
from tocsin.errors import ConfigError
from tocsin.node.config.tls import load_cluster_tls
from tocsin.tls.settings import ClientAuthType

AUTHORITY = CertificateAuthority()
NODE = AUTHORITY.issue()
OTHER = AUTHORITY.issue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    NODE.write(tmp_path / "pki", "node")
    OTHER.write(tmp_path / "pki", "other")
    (tmp_path / "pki/ca.crt").write_bytes(AUTHORITY.certificate)
    (tmp_path / "pki/locked.key").write_bytes(encrypted_key(NODE))
    (tmp_path / "pki/empty").write_text("nothing\n")
    return tmp_path


SERVER = "tls_server_config:\n  cert_file: pki/node.crt\n  key_file: pki/node.key\n"
CLIENT = "tls_client_config:\n  cert_file: pki/node.crt\n  key_file: pki/node.key\n  ca_file: pki/ca.crt\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "tls.yml"
    path.write_text(text)
    return path


def test_every_key(folder: Path) -> None:
    config = load_cluster_tls(
        write(
            folder,
            SERVER + "  client_ca_file: pki/ca.crt\n  client_auth_type: RequireAndVerifyClientCert\n"
            "  client_allowed_sans: [a.example, 10.0.0.1]\n"
            "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]\n"
            "  curve_preferences: [X25519, CurveP256]\n  min_version: TLS12\n  max_version: TLS13\n"
            "  prefer_server_cipher_suites: yes\n"
            + CLIENT
            + "  server_name: node\n  insecure_skip_verify: true\n"
            "  min_version: TLS13\n  max_version: TLS13\n",
        )
    )
    server, client = config.server, config.client
    assert server.cert_file == folder / "pki/node.crt"
    assert server.key_file == folder / "pki/node.key"
    assert server.client_ca_file == folder / "pki/ca.crt"
    assert server.client_auth_type is ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT
    assert server.client_allowed_sans == ("a.example", "10.0.0.1")
    assert len(server.cipher_suites) == 2
    assert server.curve_preferences == ("X25519", "CurveP256")
    assert (server.min_version, server.max_version) == ("TLS12", "TLS13")
    assert server.prefer_server_cipher_suites
    assert (client.cert_file, client.ca_file) == (folder / "pki/node.crt", folder / "pki/ca.crt")
    assert (client.server_name, client.insecure_skip_verify) == ("node", True)
    assert (client.min_version, client.max_version) == ("TLS13", "TLS13")


def test_inline_pem(folder: Path) -> None:
    def block(pem: bytes) -> str:
        return "|\n" + "".join(f"    {line}\n" for line in pem.decode().splitlines())

    text = (
        f"tls_server_config:\n  cert: {block(NODE.certificate)}  key: {block(NODE.key)}"
        f"  client_ca: {block(AUTHORITY.certificate)}  client_auth_type: RequireClientCert\n"
    )
    config = load_cluster_tls(write(folder, text))
    assert config.server.cert == NODE.certificate
    assert config.server.key == NODE.key
    assert config.server.client_ca == AUTHORITY.certificate
    assert config.server.client_auth_type is ClientAuthType.REQUIRE_ANY_CLIENT_CERT
    assert config.client.cert_file is None


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("", "1:1", "missing 'tls_server_config' entry"),
        (CLIENT, "1:1", "missing 'tls_server_config' entry"),
        ("tls_server_config: {}\n", "1:20", "TLS config is not present"),
        ("tls_server_config:\n  key_file: k\n", "2:3", "the server has no certificate"),
        ("tls_server_config:\n  cert_file: c\n", "2:3", "the server has no key"),
        (SERVER + "  cert: x\n", "2:14", "at most one of cert & cert_file"),
        (SERVER + "  key: x\n", "3:13", "at most one of key & key_file"),
        (
            SERVER + "  client_ca_file: pki/ca.crt\n",
            "4:19",
            "a client CA has no effect with client_auth_type",
        ),
        (SERVER + "  client_auth_type: Always\n", "4:21", "unknown client_auth_type 'Always'"),
        (SERVER + "  cipher_suites: [TLS_NONE]\n", "4:19", "unknown cipher suite 'TLS_NONE'"),
        (SERVER + "  curve_preferences: [P256]\n", "4:23", "unknown curve 'P256' (use one of CurveP256"),
        (SERVER + "  min_version: TLS14\n", "4:16", "unknown TLS version: TLS14"),
        (SERVER + "  min_version: TLS13\n  max_version: TLS12\n", "4:16", "is above max_version TLS12"),
        (SERVER + "  keyfile: x\n", "4:3", "unknown key 'keyfile' (did you mean 'key_file'?)"),
        (SERVER + "  key_file: x\n", "4:3", "the key 'key_file' is here twice"),
        (SERVER + "tls_client_config:\n", "4:19", "tls_client_config is empty"),
        (SERVER + "tls_client_config: {ca: a, ca_file: b}\n", "4:37", "at most one of ca & ca_file"),
        (SERVER + "tls_client_config: {cert_file: a}\n", "4:20", "needs its key"),
        (SERVER + "tls_client_config: {key_file: a}\n", "4:20", "needs its certificate"),
        (SERVER + "tls_client_config: {ca_ref: a}\n", "4:29", "secrets by reference"),
        (SERVER + "tls_client_config: {min_version: TLS13, max_version: TLS10}\n", "4:34", "no connection"),
        (SERVER.replace("node.crt", "none.crt"), "2:14", "pki/none.crt cannot be read: No such file"),
        (SERVER.replace("node.crt", "empty"), "2:14", "pki/empty holds no readable certificate"),
        (SERVER.replace("node.key", "none.key"), "3:13", "pki/none.key cannot be read"),
        (SERVER.replace("node.key", "empty"), "3:13", "pki/empty holds no readable key"),
        (SERVER.replace("node.key", "locked.key"), "3:13", "PEM without a password"),
        (SERVER.replace("node.key", "other.key"), "3:13", "is not the key of the certificate"),
        (SERVER + "tls_client_config: {ca_file: pki/empty}\n", "4:30", "holds no readable certificate"),
        (
            SERVER + "  client_ca_file: pki/empty\n  client_auth_type: VerifyClientCertIfGiven\n",
            "4:19",
            "holds no readable certificate",
        ),
    ],
)
def test_what_is_refused(folder: Path, text: str, place: str, problem: str) -> None:
    path = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load_cluster_tls(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:{place}: ")
    assert problem in message
    assert "\n" not in message
    assert "PRIVATE" not in message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_cluster_tls(tmp_path / "tls.yml")


def test_no_key_is_ever_shown(folder: Path) -> None:
    text = SERVER.replace("key_file: pki/node.key", "key: hush")
    with pytest.raises(ConfigError) as caught:
        load_cluster_tls(write(folder, text))
    assert "hush" not in str(caught.value)


def test_keys_of_our_own(folder: Path) -> None:
    revoked = AUTHORITY.revoke(OTHER)
    (folder / "pki/ca.crl").write_bytes(revoked)
    inline = "".join(f"\n    {line}" for line in revoked.decode().splitlines())
    config = load_cluster_tls(
        write(
            folder,
            SERVER + "  client_ca_file: pki/ca.crt\n  client_auth_type: RequireAndVerifyClientCert\n"
            "  client_crl_file: pki/ca.crl\n"
            + CLIENT
            + f"  crl: |{inline}\n  server_allowed_sans: [node-1]\n",
        )
    )
    assert config.server.client_crl_file == folder / "pki/ca.crl"
    assert config.client.crl == revoked
    assert config.client.server_allowed_sans == ("node-1",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SERVER + "  client_crl_file: x\n", "needs the authority that signed it"),
        (SERVER + "  client_crl_file: x\n  client_crl: y\n", "at most one of client_crl & client_crl_file"),
        (SERVER + CLIENT + "  crl: x\n  crl_file: y\n", "at most one of crl & crl_file"),
        (
            SERVER + CLIENT + "  insecure_skip_verify: true\n  server_allowed_sans: [a]\n",
            "server_allowed_sans has no effect with insecure_skip_verify",
        ),
        (SERVER + "tls_client_config:\n  crl_file: y\n", "a revocation list needs the authority"),
    ],
)
def test_keys_of_our_own_that_make_no_sense(folder: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_cluster_tls(write(folder, text))
