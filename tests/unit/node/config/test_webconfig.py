"""--web.config.file: every key, every rule, and errors that name file, line, column and hint."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.certificates import CertificateAuthority
from tocsin.errors import ConfigError
from tocsin.node.config.webconfig import RateLimit, WebConfig, load_web_config
from tocsin.tls.settings import ClientAuthType

AUTHORITY = CertificateAuthority()
NODE = AUTHORITY.issue()
OTHER = AUTHORITY.issue()
HASH = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
SERVER = "tls_server_config:\n  cert_file: pki/node.crt\n  key_file: pki/node.key\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    NODE.write(tmp_path / "pki", "node")
    OTHER.write(tmp_path / "pki", "other")
    (tmp_path / "pki/ca.crt").write_bytes(AUTHORITY.certificate)
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "web.yml"
    path.write_text(text)
    return path


def test_every_key(folder: Path) -> None:
    config = load_web_config(
        write(
            folder,
            SERVER + "  client_ca_file: pki/ca.crt\n  client_auth_type: RequireAndVerifyClientCert\n"
            "  client_allowed_sans: [a.example]\n  cipher_suites: [TLS_AES_128_GCM_SHA256]\n"
            "  curve_preferences: [X25519]\n  min_version: TLS12\n  max_version: TLS13\n"
            "  prefer_server_cipher_suites: true\n"
            "http_server_config:\n  http2: false\n  headers:\n    X-Frame-Options: deny\n"
            "    Strict-Transport-Security: max-age=3600\n"
            "rate_limit:\n  burst: 5\n  interval: 500ms\n"
            f"basic_auth_users:\n  alice: {HASH}\n",
        )
    )
    assert config.tls is not None
    assert config.tls.cert_file == folder / "pki/node.crt"
    assert config.tls.client_auth_type is ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT
    assert config.tls.client_allowed_sans == ("a.example",)
    assert dict(config.headers) == {"X-Frame-Options": "deny", "Strict-Transport-Security": "max-age=3600"}
    assert config.rate_limit == RateLimit(burst=5, interval=0.5)
    assert dict(config.users) == {"alice": HASH}
    assert HASH not in repr(config)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tls_server_config:\n",
        "tls_server_config:\n  min_version: TLS13\n",
        "tls_server_config:\n  client_allowed_sans: [a]\n",
        "http_server_config:\n",
        "basic_auth_users:\n",
        "rate_limit:\n  burst: 3\n",
    ],
)
def test_what_turns_nothing_on(folder: Path, text: str) -> None:
    assert load_web_config(write(folder, text)) == WebConfig()


def test_certificate_and_key_may_stand_in_the_file(folder: Path) -> None:
    inline = "".join(
        f"  {name}: |\n" + "".join(f"    {line}\n" for line in pem.decode().splitlines())
        for name, pem in (("cert", NODE.certificate), ("key", NODE.key))
    )
    config = load_web_config(write(folder, "tls_server_config:\n" + inline))
    assert config.tls is not None
    assert config.tls.cert == NODE.certificate


@pytest.mark.parametrize("kind", ["", "NoClientCert", "RequestClientCert", "VerifyClientCertIfGiven"])
def test_client_auth_types(folder: Path, kind: str) -> None:
    config = load_web_config(write(folder, SERVER + f"  client_auth_type: {kind}\n"))
    assert config.tls is not None
    assert config.tls.client_auth_type is ClientAuthType.from_name(kind)


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("x: 1\n", "1:1", "unknown key 'x'"),
        ("tls_server_config:\n  cert_file: pki/node.crt\n", "2:3", "the server has no key"),
        (
            SERVER + "  client_auth_type: RequireAnyClientCert\n",
            "4:21",
            "RequireAnyClientCert accepts certificates without verifying them, which is not supported",
        ),
        (
            SERVER + "  client_auth_type: RequireClientCert\n",
            "4:21",
            "RequireClientCert accepts certificates",
        ),
        (
            SERVER + "  client_allowed_sans: [a]\n",
            "4:24",
            "client_allowed_sans has no effect with client_auth_type NoClientCert",
        ),
        (SERVER + "  client_ca_file: pki/ca.crt\n", "4:19", "a client CA has no effect"),
        (SERVER + "  client_auth_type: Maybe\n", "4:21", "unknown client_auth_type 'Maybe'"),
        (SERVER + "  min_version: TLS9\n", "4:16", "unknown TLS version"),
        (SERVER + "  curve_preferences: [P1]\n", "4:23", "unknown curve 'P1'"),
        (SERVER + "  cipher_suites: [X]\n", "4:19", "unknown cipher suite 'X'"),
        (SERVER.replace("node.key", "other.key"), "3:13", "is not the key of the certificate"),
        (SERVER.replace("node.crt", "no.crt"), "2:14", "cannot be read"),
        ("http_server_config:\n  headers:\n    X-Foo: a\n", "3:12", "'X-Foo' can not be configured"),
        (
            "http_server_config:\n  headers:\n    X-Frame-Options: a\n",
            "3:22",
            "invalid value for X-Frame-Options (use one of deny, sameorigin)",
        ),
        (
            'http_server_config:\n  headers:\n    Content-Security-Policy: "a\\nb"\n',
            "3:30",
            "printable ASCII",
        ),
        ("basic_auth_users:\n  a: secret\n", "2:6", "the password of 'a' is not a bcrypt hash"),
        (f"basic_auth_users:\n  a: {HASH.replace('10', '99')}\n", "2:6", "the bcrypt cost 99 of 'a'"),
        (f'basic_auth_users:\n  "a:b": {HASH}\n', "2:10", "holds a colon"),
        ("rate_limit:\n  interval: soon\n", "2:13", "a duration here looks like"),
    ],
)
def test_what_is_refused(folder: Path, text: str, place: str, problem: str) -> None:
    path = write(folder, text)
    with pytest.raises(ConfigError, match=re.escape(problem)) as caught:
        load_web_config(path)
    assert str(caught.value).startswith(f"{path}:{place}: ")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
