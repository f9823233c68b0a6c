"""A certificate that is revoked by the tool is refused by the nodes, and a renewed one is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tocsin.certificates import CertificateFolder
from tocsin.cli.control import main
from tocsin.errors import ConfigError
from tocsin.tls.files import Files
from tocsin.tls.refusal import RefusalError
from tocsin.tls.revocation import Revocations, load_revocations

NOW = datetime.now(UTC).replace(microsecond=0)
YEAR = timedelta(days=365)


@pytest.fixture
def folder(tmp_path: Path) -> CertificateFolder:
    made = CertificateFolder(tmp_path / "certs")
    made.initialise("Tocsin CA", now=NOW, lifetime=10 * YEAR)
    made.issue("node1", ["192.0.2.1", "node1.example.org"], now=NOW, lifetime=YEAR)
    made.issue("node2", ["192.0.2.2"], now=NOW, lifetime=YEAR)
    return made


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def loaded(folder: CertificateFolder) -> Revocations:
    return load_revocations(
        Files(), "section", ("client_crl", folder.revocations, None), [read(folder.certificate)]
    )


def is_refused(folder: CertificateFolder, certificate: x509.Certificate) -> bool:
    try:
        loaded(folder).check(certificate.public_bytes(Encoding.DER))
    except RefusalError:
        return True
    return False


def test_revoked_then_renewed(folder: CertificateFolder, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--dir", str(folder.directory)]
    stolen = read(folder.node("node1").certificate)
    config = folder.node("node1").tls_config
    config.write_text(config.read_text() + "# mine\n")
    assert main(["certs", "revoke", "node1", *at]) == 0
    out = capsys.readouterr().out
    assert f"{stolen.serial_number:x}" in out
    assert str(folder.revocations) in out
    assert main(["certs", "renew", "node1", *at]) == 0
    assert "192.0.2.1, node1.example.org" in capsys.readouterr().out
    fresh = read(folder.node("node1").certificate)
    assert fresh.public_key() != stolen.public_key()
    assert is_refused(folder, stolen)
    assert not is_refused(folder, fresh)
    assert not is_refused(folder, read(folder.node("node2").certificate))
    assert config.read_text().endswith("# mine\n")
    assert main(["certs", "show", *at]) == 0


def test_all_that_a_node_ever_had_is_revoked(folder: CertificateFolder) -> None:
    had = [read(folder.node("node1").certificate)]
    for _ in range(2):
        folder.renew("node1", now=NOW, lifetime=YEAR)
        had.append(read(folder.node("node1").certificate))
    folder.issue("node1", ["192.0.2.9"], now=NOW, lifetime=YEAR, force=True)
    had.append(read(folder.node("node1").certificate))
    folder.revoke(["node1"], now=NOW, lifetime=YEAR)
    assert all(is_refused(folder, one) for one in had)


def test_the_list_grows_is_numbered_and_dated_anew(folder: CertificateFolder) -> None:
    folder.revoke(["node1"], now=NOW, lifetime=YEAR)
    later = NOW + timedelta(days=30)
    folder.revoke(["node2"], now=later, lifetime=YEAR)
    folder.revoke([], now=later, lifetime=2 * YEAR)
    found = x509.load_pem_x509_crl(folder.revocations.read_bytes())
    assert found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 3
    assert found.next_update_utc == later + 2 * YEAR
    assert [one.revocation_date_utc for one in found] == [NOW, later]
    assert loaded(folder).next_update == (later + 2 * YEAR).timestamp()


def test_what_cannot_be_is_said(folder: CertificateFolder, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no certificate was issued"):
        folder.revoke(["nobody"], now=NOW, lifetime=YEAR)
    with pytest.raises(ConfigError, match="certs issue"):
        folder.renew("nobody", now=NOW, lifetime=YEAR)
    with pytest.raises(ConfigError, match="kept for"):
        folder.issue("issued", ["192.0.2.1"], now=NOW, lifetime=YEAR)
    other = CertificateFolder(tmp_path / "other")
    other.initialise("Tocsin CA", now=NOW, lifetime=YEAR)
    other.revoke([], now=NOW, lifetime=YEAR)
    folder.revocations.write_bytes(other.revocations.read_bytes())
    with pytest.raises(ConfigError, match="is not of"):
        folder.revoke(["node1"], now=NOW, lifetime=YEAR)
    folder.revocations.write_text("x")
    with pytest.raises(ConfigError, match="no PEM revocation list"):
        folder.revoke(["node1"], now=NOW, lifetime=YEAR)
