"""``tocsinctl cluster tls-check`` against a listening node: what it offers, what fails, which hint."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.certificates import DAY, Certificate, CertificateAuthority
from tests.support.transports import Recorder
from tocsin.cli.control import main
from tocsin.gossip.address import Address
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.transport.tls.transport import TLSTransport
from tocsin.tls.settings import ClientAuthType, ClusterTLSConfig

AUTHORITY = CertificateAuthority()
OTHER = CertificateAuthority("another authority")


@contextlib.contextmanager
def listening(config: ClusterTLSConfig, *, alpn: bool = True) -> Iterator[Address]:
    """A transport on an event loop of its own, as in another process."""
    found: list[Address] = []
    up, down = threading.Event(), threading.Event()

    async def serve() -> None:
        settings = TLSTransportConfig(
            listen_address=Address("127.0.0.1", 0), close_timeout=0.1, offer_alpn=alpn
        )
        transport = TLSTransport(settings, config)
        await transport.start(Recorder())
        found.append(transport.listen_address)
        up.set()
        await asyncio.to_thread(down.wait)
        await transport.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert up.wait(10)
    try:
        yield found[0]
    finally:
        down.set()
        thread.join(10)


def written(
    folder: Path,
    certificate: Certificate,
    authority: CertificateAuthority = AUTHORITY,
    client: str = "",
) -> str:
    """A node's --cluster.tls-config file."""
    certificate.write(folder, "node")
    (folder / "ca.pem").write_bytes(authority.certificate)
    file = folder / "tls.yml"
    file.write_text(
        "tls_server_config: {cert_file: node.crt, key_file: node.key, client_ca_file: ca.pem,"
        " client_auth_type: RequireAndVerifyClientCert}\n"
        f"tls_client_config: {{cert_file: node.crt, key_file: node.key, ca_file: ca.pem{client}}}\n"
    )
    return str(file)


def run(address: Address, *arguments: str) -> int:
    return main(["cluster", "tls-check", str(address), *arguments])


LONG = 30 * DAY


def test_a_good_node_is_described_and_lets_a_peer_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = AUTHORITY.cluster_config(AUTHORITY.issue("127.0.0.1", "node-1.example", ends=LONG))
    with listening(config) as address:
        assert run(address, "--tls-config", written(tmp_path, AUTHORITY.issue())) == 0
    shown = capsys.readouterr().out
    assert "TLS 1.3" in shown
    assert "tocsin/1" in shown
    assert "client certificate  required" in shown
    assert "127.0.0.1, node-1.example" in shown
    assert "29 days left" in shown
    assert "let in with TLSv1.3" in shown
    assert "PROBLEM" not in shown


def test_without_a_file_the_offer_alone_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    config = AUTHORITY.cluster_config(AUTHORITY.issue(ends=LONG))
    with listening(config, alpn=False) as address:
        assert run(address) == 0
    shown = capsys.readouterr().out
    assert "Alertmanager's framing" in shown
    assert "as a peer" not in shown


FAILURES: dict[str, tuple[Certificate, Callable[[Path], str], str]] = {
    "unknown authority here": (
        AUTHORITY.issue(ends=LONG),
        lambda folder: written(folder, AUTHORITY.issue(), OTHER),
        "this file's node refuses it: certificate signed by unknown authority",
    ),
    "unknown authority there": (
        AUTHORITY.issue(ends=LONG),
        lambda folder: written(folder, OTHER.issue()),
        "it refuses this file's certificate: our certificate is signed by an authority it does not know",
    ),
    "wrong name": (
        AUTHORITY.issue("10.9.9.9", ends=LONG),
        lambda folder: written(folder, AUTHORITY.issue()),
        "issue a certificate with that name or address, or set server_name",
    ),
    "not on the list": (
        AUTHORITY.issue(ends=LONG),
        lambda folder: written(folder, AUTHORITY.issue(), client=", server_allowed_sans: [other]"),
        "server_allowed_sans has none of the certificate's names",
    ),
    "expired": (
        AUTHORITY.issue(ends=-DAY),
        lambda folder: written(folder, AUTHORITY.issue()),
        "certificate: expired (issue a new certificate",
    ),
    "soon": (AUTHORITY.issue(ends=3 * DAY), lambda folder: written(folder, AUTHORITY.issue()), "in 2 days"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_what_fails_is_told_with_its_mend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    shown_there, make_file, words = FAILURES[case]
    with listening(AUTHORITY.cluster_config(shown_there)) as address:
        assert run(address, "--tls-config", make_file(tmp_path)) == 1
    output = capsys.readouterr()
    assert words in output.out
    assert "problem" in output.err


def test_an_open_door_is_a_problem(capsys: pytest.CaptureFixture[str]) -> None:
    config = AUTHORITY.cluster_config(AUTHORITY.issue(ends=LONG))
    server = replace(config.server, client_auth_type=ClientAuthType.NO_CLIENT_CERT, client_ca=None)
    with listening(replace(config, server=server)) as address:
        assert run(address) == 1
    assert "anybody who reaches the port is let in" in capsys.readouterr().out


def test_nobody_there_and_no_tls(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = Address("127.0.0.1", closed.getsockname()[1])
    assert run(address) == 1
    assert "no connection: Connection refused" in capsys.readouterr().out
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def answer() -> None:
            for _ in range(3):
                connection, _peer = plain.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert run(Address("127.0.0.1", plain.getsockname()[1])) == 1
        thread.join(10)
    assert "not TLS" in capsys.readouterr().out


def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Address("127.0.0.1", 1), "--tls-config", str(tmp_path / "none.yml")) == 1
    assert capsys.readouterr().err.count("\n") == 1
