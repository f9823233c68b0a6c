"""The files on disk: private from their first moment, never overwritten unasked."""

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from tocsin.certificates import CertificateFolder
from tocsin.errors import ConfigError

NOW = datetime(2030, 1, 2, tzinfo=UTC)
YEAR = timedelta(days=365)


@pytest.fixture
def folder(tmp_path: Path) -> CertificateFolder:
    folder = CertificateFolder(tmp_path / "certs")
    folder.initialise("Test CA", now=NOW, lifetime=10 * YEAR)
    return folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_keys_are_private_even_under_a_careless_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = CertificateFolder(tmp_path / "certs")
        folder.initialise("Test CA", now=NOW, lifetime=YEAR)
        node = folder.issue("one", ["127.0.0.1"], now=NOW, lifetime=YEAR)
    finally:
        os.umask(before)
    assert mode(folder.key) == mode(node.key) == 0o600
    assert mode(folder.directory) == mode(node.directory) == 0o700


def test_a_key_never_has_another_mode(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every file is opened with its final mode, and nothing calls chmod."""
    created: dict[str, int] = {}
    real_open = os.open

    def recording_open(path: Path, flags: int, mode: int = 0o777) -> int:
        created[Path(path).name] = mode
        return real_open(path, flags, mode)

    def no_chmod(*arguments: object) -> None:
        raise AssertionError("chmod leaves a moment in which the file is open to others")

    monkeypatch.setattr(os, "open", recording_open)
    monkeypatch.setattr(os, "chmod", no_chmod)
    folder = CertificateFolder(tmp_path)
    folder.initialise("Test CA", now=NOW, lifetime=YEAR)
    folder.issue("one", ["127.0.0.1"], now=NOW, lifetime=YEAR)
    assert (created["ca-key.pem"], created["key.pem"]) == (0o600, 0o600)


def test_tls_yml_names_files_beside_itself(folder: CertificateFolder) -> None:
    node = folder.issue("one", ["127.0.0.1"], now=NOW, lifetime=YEAR)
    config = yaml.safe_load(node.tls_config.read_text())
    assert config["tls_server_config"]["client_auth_type"] == "RequireAndVerifyClientCert"
    for side in ("tls_server_config", "tls_client_config"):
        for key, value in config[side].items():
            if key.endswith("_file"):
                assert (node.directory / value).is_file()
    assert node.authority.read_bytes() == folder.certificate.read_bytes()


def test_nothing_is_overwritten_unasked(folder: CertificateFolder) -> None:
    node = folder.issue("one", ["127.0.0.1"], now=NOW, lifetime=YEAR)
    before = {path: path.read_bytes() for path in folder.directory.rglob("*.*")}
    with pytest.raises(ConfigError, match=r"ca-key.pem: exists already .*--force"):
        folder.initialise("Other CA", now=NOW, lifetime=YEAR)
    with pytest.raises(ConfigError, match=r"key.pem: exists already"):
        folder.issue("one", ["127.0.0.2"], now=NOW, lifetime=YEAR)
    assert {path: path.read_bytes() for path in folder.directory.rglob("*.*")} == before
    folder.issue("one", ["127.0.0.2"], now=NOW, lifetime=YEAR, force=True)
    assert node.certificate.read_bytes() != before[node.certificate]
    assert not list(folder.directory.rglob("*.new"))
    assert mode(node.key) == 0o600


def test_a_symbolic_link_is_not_written_through(folder: CertificateFolder, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    node = folder.node("one")
    node.directory.mkdir()
    node.key.symlink_to(target)
    with pytest.raises(ConfigError, match="exists already"):
        folder.issue("one", ["127.0.0.1"], now=NOW, lifetime=YEAR)
    folder.issue("one", ["127.0.0.1"], now=NOW, lifetime=YEAR, force=True)
    assert not target.exists()
    assert not node.key.is_symlink()


def test_the_nodes_of_a_folder_are_listed_by_name(folder: CertificateFolder) -> None:
    for name in ("two", "one"):
        folder.issue(name, ["127.0.0.1"], now=NOW, lifetime=YEAR)
    assert folder.nodes() == [folder.node("one"), folder.node("two")]


def test_issue_says_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ca.pem: no such file .*certs init"):
        CertificateFolder(tmp_path).issue("one", ["127.0.0.1"], now=NOW, lifetime=YEAR)


def test_a_key_of_another_authority_is_refused(folder: CertificateFolder, tmp_path: Path) -> None:
    other = CertificateFolder(tmp_path / "other")
    other.initialise("Other CA", now=NOW, lifetime=YEAR)
    folder.key.write_bytes(other.key.read_bytes())
    with pytest.raises(ConfigError, match="is not the key of"):
        folder.issue("one", ["127.0.0.1"], now=NOW, lifetime=YEAR)


@pytest.mark.parametrize("name", ["ca.pem", "ca-key.pem"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_broken_file_is_named(folder: CertificateFolder, name: str, content: bytes) -> None:
    (folder.directory / name).write_bytes(content)
    with pytest.raises(ConfigError, match=rf"{name}: holds no PEM"):
        folder.load()


def test_a_name_taken_by_a_file_is_one_error(folder: CertificateFolder) -> None:
    with pytest.raises(ConfigError, match="cannot make the directory"):
        folder.issue("ca.pem", ["127.0.0.1"], now=NOW, lifetime=YEAR)
