"""One --web.config.file, given to Tocsin and to a real Alertmanager 0.33: the same outcomes, side by side."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import bcrypt
import httpx
import pytest

from tests.support import alertmanager
from tests.support.certificates import DAY, Certificate, CertificateAuthority
from tests.support.eventually import eventually
from tests.support.node import Node, NodeKind, webhook_config
from tests.support.processes import start_until_up
from tests.support.prometheus import Prometheus

pytestmark = pytest.mark.interop
Done = subprocess.CompletedProcess[str]

AUTHORITY = CertificateAuthority()
FOREIGN = CertificateAuthority("another")
CLIENT = AUTHORITY.issue("client.example", name="client")
SERVER = "tls_server_config:\n  cert_file: node.crt\n  key_file: node.key\n"
MUTUAL = SERVER + "  client_ca_file: ca.crt\n  client_auth_type: RequireAndVerifyClientCert\n"
USERS = "basic_auth_users:\n  alice: " + bcrypt.hashpw(b"right", bcrypt.gensalt(5)).decode() + "\n"
HEADERS = (
    "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    Strict-Transport-Security: max-age=60\n"
)


class SecuredNode:
    """A node alone with a web configuration."""

    def __init__(self, kind: NodeKind, folder: Path, web: str) -> None:
        folder.mkdir(parents=True)
        AUTHORITY.issue(name="node").write(folder, "node")
        (folder / "ca.crt").write_bytes(AUTHORITY.certificate)
        self.web_file = folder / "web.yml"
        self.web_file.write_text(web)
        self.node = Node(
            kind,
            "secured",
            folder,
            config=webhook_config("http://127.0.0.1:9/"),
            flags={"web.config.file": str(self.web_file), "cluster.listen-address": ""},
        )
        self.tls = "tls_server_config" in web

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.node.port}"

    def start(self) -> None:
        def make() -> object:
            self.node._choose_ports()
            self.node.process = self.node._make_process()
            return self.node.process

        start_until_up(make, self.answers)  # type: ignore[arg-type]

    def answers(self) -> bool:
        """Anything at all: a refusal is one too."""
        try:
            httpx.get(f"http://127.0.0.1:{self.node.port}/-/healthy", trust_env=False)
        except httpx.ConnectError:
            return False
        return True

    def ask(
        self,
        path: str = "/api/v2/status",
        *,
        certificate: Certificate | None = None,
        login: tuple[str, str] | None = None,
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers and text; status 0: the connection was refused."""
        context = ssl.create_default_context(cadata=AUTHORITY.certificate.decode())
        if certificate is not None:
            context.load_cert_chain(*certificate.write(self.node.folder / "client", "client"))
        try:
            with httpx.Client(verify=context, trust_env=False, auth=login) as http:
                answer = http.get(self.url + path)
        except httpx.TransportError:
            return 0, {}, ""
        return answer.status_code, dict(answer.headers), answer.text


@contextmanager
def both(tmp_path: Path, ours: NodeKind, web: str) -> Iterator[dict[str, SecuredNode]]:
    with ExitStack() as stack:
        nodes = {}
        for name, kind in (("ours", ours), ("theirs", alertmanager.alertmanager("0.33"))):
            nodes[name] = SecuredNode(kind, tmp_path / name, web)
            stack.callback(nodes[name].node.close)
            nodes[name].start()
        yield nodes


CERTIFICATES = {
    "none": None,
    "good": CLIENT,
    "foreign": FOREIGN.issue("client.example"),
    "expired": AUTHORITY.issue("client.example", ends=-DAY),
    "another name": AUTHORITY.issue("other.example"),
}


@pytest.mark.parametrize(
    ("web", "outcomes"),
    [
        (
            MUTUAL,
            {"none": 0, "good": 200, "foreign": 0, "expired": 0, "another name": 200},
        ),
        (
            MUTUAL + "  client_allowed_sans: [client.example]\n",
            {"none": 0, "good": 200, "foreign": 0, "expired": 0, "another name": 0},
        ),
        (
            MUTUAL.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven"),
            {"none": 200, "good": 200, "foreign": 0, "expired": 0, "another name": 200},
        ),
        (
            SERVER + "  client_auth_type: RequestClientCert\n",
            {"none": 200, "good": 200, "foreign": 200, "expired": 200, "another name": 200},
        ),
        (
            SERVER + "  min_version: TLS13\n",
            {"none": 200, "good": 200, "foreign": 200, "expired": 200, "another name": 200},
        ),
    ],
    ids=["mutual", "allowed names", "if given", "requested", "tls 1.3"],
)
def test_client_certificates(tmp_path: Path, ours: NodeKind, web: str, outcomes: dict[str, int]) -> None:
    with both(tmp_path, ours, web) as nodes:
        for node in nodes.values():
            found = {name: node.ask(certificate=each)[0] for name, each in CERTIFICATES.items()}
            assert found == outcomes, node.node


def test_passwords_and_headers(tmp_path: Path, ours: NodeKind) -> None:
    kept = ("x-frame-options", "strict-transport-security", "www-authenticate", "content-type")
    with both(tmp_path, ours, SERVER + USERS + HEADERS) as nodes:
        for path in ("/-/healthy", "/-/ready", "/metrics", "/api/v2/alerts", "/api/v2/status", "/nowhere"):
            for login in (None, ("alice", "wrong"), ("bob", "right"), ("alice", ""), ("alice", "right")):
                found = {}
                for name, node in nodes.items():
                    status, headers, text = node.ask(path, login=login)
                    shown = {key: headers[key] for key in kept if key in headers}
                    shown.pop("content-type" if path == "/metrics" and status == 200 else "", None)
                    found[name] = (status, shown, text if status == 401 else "")
                assert found["ours"] == found["theirs"], (path, login)
                assert (found["ours"][0] == 401) == (login != ("alice", "right"))


def test_plain_http_to_the_tls_port(tmp_path: Path, ours: NodeKind) -> None:
    with both(tmp_path, ours, SERVER) as nodes:
        answers = {
            (answer.status_code, answer.text)
            for node in nodes.values()
            for answer in [httpx.get(f"http://127.0.0.1:{node.node.port}/", trust_env=False)]
        }
        assert answers == {(400, "Client sent an HTTP request to an HTTPS server.\n")}


def test_the_rate_limit(tmp_path: Path, ours: NodeKind) -> None:
    with both(tmp_path, ours, "rate_limit:\n  burst: 3\n  interval: 1h\n" + HEADERS) as nodes:
        for node in nodes.values():
            answers = [node.ask("/-/healthy") for _ in range(5)]
            assert [status for status, _, _ in answers][-2:] == [429, 429], node.node
            assert answers[-1][2] == "Too Many Requests\n"
            assert "x-frame-options" not in answers[-1][1]


def test_users_and_certificate_change_without_a_restart(tmp_path: Path, ours: NodeKind) -> None:
    with both(tmp_path, ours, SERVER + USERS) as nodes:
        for node in nodes.values():
            change(node)


def change(node: SecuredNode) -> None:
    assert node.ask(login=("alice", "right"))[0] == 200
    node.web_file.write_text((SERVER + USERS).replace("alice", "carol"))
    eventually(lambda: node.ask(login=("carol", "right"))[0] == 200, "carol may come in")
    assert node.ask(login=("alice", "right"))[0] == 401
    place = ("127.0.0.1", node.node.port)
    before = ssl.get_server_certificate(place)
    AUTHORITY.issue(name="renewed").write(node.node.folder, "node")
    eventually(lambda: ssl.get_server_certificate(place) != before, "the new certificate is shown")


@pytest.mark.parametrize(
    ("web", "valid"),
    [
        ("", True),
        ("tls_server_config:\n", True),
        ("unknown: 1\n", False),
        ("http_server_config:\n  headers:\n    X-Foo: a\n", False),
        ("http_server_config:\n  headers:\n    X-Frame-Options: often\n", False),
        ("basic_auth_users:\n  a: plain\n", False),
        ("tls_server_config:\n  cert_file: node.crt\n", False),
        (SERVER + "  client_ca_file: ca.crt\n", False),
        (SERVER.replace("node.key", "absent.key"), False),
    ],
)
def test_the_same_files_are_taken_and_refused(tmp_path: Path, ours: NodeKind, web: str, valid: bool) -> None:
    for name, kind in (("ours", ours), ("theirs", alertmanager.alertmanager("0.33"))):
        node = SecuredNode(kind, tmp_path / name, web)
        try:
            if valid:
                node.tls = False
                node.start()
                continue
            node.node.process.start()
            assert node.node.process.wait() == 1, node.node
        finally:
            node.node.close()


def test_amtool_with_certificate_and_password(tmp_path: Path, ours: NodeKind) -> None:
    CLIENT.write(tmp_path, "client")
    (tmp_path / "ca.crt").write_bytes(AUTHORITY.certificate)
    client_file = tmp_path / "http.yml"

    def amtool(node: SecuredNode, *arguments: str, password: str = "right") -> Done:
        client_file.write_text(
            f"basic_auth:\n  username: alice\n  password: {password}\n"
            "tls_config:\n  ca_file: ca.crt\n  cert_file: client.crt\n  key_file: client.key\n"
        )
        return subprocess.run(
            [
                alertmanager.amtool(),
                f"--alertmanager.url={node.url}",
                f"--http.config.file={client_file}",
                "--no-version-check",
                *arguments,
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    with both(tmp_path / "nodes", ours, MUTUAL + USERS) as nodes:
        for node in nodes.values():
            added = amtool(node, "silence", "add", "alertname=X", "--comment=c")
            assert added.returncode == 0, added.stderr
            queried = amtool(node, "silence", "query", "-q")
            assert queried.stdout == added.stdout
            refused = amtool(node, "silence", "query", password="wrong")
            assert refused.returncode != 0
            assert "401" in refused.stderr, refused.stderr


def test_prometheus_sends_over_mutual_tls(tmp_path: Path, ours: NodeKind) -> None:
    CLIENT.write(tmp_path / "prometheus-pki", "client")
    (tmp_path / "prometheus-pki/ca.crt").write_bytes(AUTHORITY.certificate)
    with both(tmp_path / "nodes", ours, MUTUAL + USERS) as nodes:
        pki = tmp_path / "prometheus-pki"
        prometheus = Prometheus(
            alertmanager.prometheus(),
            tmp_path / "prometheus",
            [node.url.removeprefix("https://") for node in nodes.values()],
            client=(
                "      scheme: https\n      basic_auth:\n        username: alice\n        password: right\n"
                f"      tls_config:\n        ca_file: {pki}/ca.crt\n"
                f"        cert_file: {pki}/client.crt\n        key_file: {pki}/client.key\n"
            ),
        )
        with prometheus:
            for node in nodes.values():

                def arrived(node: SecuredNode = node) -> bool:
                    status, _, text = node.ask("/api/v2/alerts", certificate=CLIENT, login=("alice", "right"))
                    names = (
                        [each["labels"]["alertname"] for each in json.loads(text)] if status == 200 else []
                    )
                    return names == ["AlwaysFiring"]

                eventually(arrived, f"the alert on {node.node!r}")
