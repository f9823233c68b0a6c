"""Two issued certificates make one mutual TLS connection; a third from elsewhere makes none."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.certificates import CertificateFolder, NodeFiles


@pytest.fixture
def folder(tmp_path: Path) -> CertificateFolder:
    return make_folder(tmp_path / "certs")


def make_folder(path: Path) -> CertificateFolder:
    # ssl verifies against the real clock, so these certificates begin now.
    folder, now = CertificateFolder(path), datetime.now(UTC)
    folder.initialise("Test CA", now=now, lifetime=timedelta(days=2))
    for name in ("one", "two"):
        folder.issue(name, ["127.0.0.1", f"{name}.example"], now=now, lifetime=timedelta(days=1))
    return folder


def context(files: NodeFiles, side: ssl.Purpose) -> ssl.SSLContext:
    made = ssl.create_default_context(side, cafile=files.authority)
    made.load_cert_chain(files.certificate, files.key)
    made.verify_mode = ssl.CERT_REQUIRED
    return made


def handshake(server: NodeFiles, client: NodeFiles, host: str) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Both ends in memory; returns (server, client) when each has finished and the server's reply is read."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    listening = context(server, ssl.Purpose.CLIENT_AUTH).wrap_bio(to_server, to_client, server_side=True)
    dialling = context(client, ssl.Purpose.SERVER_AUTH).wrap_bio(to_client, to_server, server_hostname=host)
    waiting = [dialling, listening]
    for _ in range(10):
        for end in list(waiting):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(end)
        if not waiting:
            break
    assert waiting == []
    listening.write(b"welcome")  # with TLS 1.3 a client learns only now that its certificate was taken
    assert dialling.read() == b"welcome"
    return listening, dialling


@pytest.mark.parametrize("host", ["127.0.0.1", "one.example"])
def test_two_nodes_know_each_other(folder: CertificateFolder, host: str) -> None:
    listening, dialling = handshake(folder.node("one"), folder.node("two"), host)
    seen = listening.getpeercert()
    assert seen is not None
    assert ("IP Address", "127.0.0.1") in seen["subjectAltName"]
    assert dialling.version() == "TLSv1.3"


def test_a_name_that_was_not_issued_is_refused(folder: CertificateFolder) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"two\.example"):
        handshake(folder.node("one"), folder.node("two"), "two.example")


def test_a_client_of_another_authority_is_refused(folder: CertificateFolder, tmp_path: Path) -> None:
    stranger = make_folder(tmp_path / "other").node("two")
    stranger.authority.write_bytes(folder.certificate.read_bytes())  # it trusts us; we do not trust it
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(folder.node("one"), stranger, "127.0.0.1")
