"""What `certs show` says, and what it calls a problem."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.certificates import CertificateFolder
from tocsin.certificates.report import Report, describe
from tocsin.errors import ConfigError

NOW = datetime(2030, 1, 2, tzinfo=UTC)
YEAR = timedelta(days=365)


@pytest.fixture
def folder(tmp_path: Path) -> CertificateFolder:
    folder = CertificateFolder(tmp_path / "certs")
    folder.initialise("Test CA", now=NOW, lifetime=10 * YEAR)
    folder.issue("one", ["127.0.0.1", "one.example"], now=NOW, lifetime=YEAR)
    return folder


def lines(report: Report) -> dict[str, str]:
    return dict(report.lines)


def test_a_good_certificate_is_told_whole(folder: CertificateFolder) -> None:
    node = folder.node("one")
    report = describe(node.certificate, now=NOW)
    told = lines(report)
    assert report.problems == []
    assert told["subject"] == "one"
    assert told["hosts"] == "127.0.0.1, one.example"
    assert told["use"] == "server and client"
    assert told["issuer"] == "Test CA"
    assert told["valid"] == "2030-01-01 23:55 to 2031-01-02 00:00 UTC (365 days left)"
    assert told["signed by"] == str(node.authority)
    assert told["key"] == f"{node.key} fits, mode 0600"
    assert len(told["SHA-256"]) == 95
    assert str(report).startswith(f"{node.certificate}\n  subject")


def test_the_authority_is_called_one(folder: CertificateFolder) -> None:
    report = describe(folder.certificate, now=NOW)
    assert report.problems == []
    assert lines(report)["use"].startswith("authority")


@pytest.mark.parametrize(("when", "problem"), [(-YEAR, "not valid yet"), (2 * YEAR, "expired")])
def test_time_is_a_problem(folder: CertificateFolder, when: timedelta, problem: str) -> None:
    assert describe(folder.node("one").certificate, now=NOW + when).problems == [problem]


def test_another_authority_is_a_problem(folder: CertificateFolder, tmp_path: Path) -> None:
    other = CertificateFolder(tmp_path / "other")
    other.initialise("Test CA", now=NOW, lifetime=YEAR)
    report = describe(folder.node("one").certificate, now=NOW, authority=other.certificate)
    assert report.problems == [f"{other.certificate} did not sign it"]


def test_another_key_is_a_problem(folder: CertificateFolder) -> None:
    report = describe(folder.node("one").certificate, now=NOW, key=folder.key)
    assert report.problems == [f"{folder.key} is the key of another certificate"]


def test_an_open_key_is_a_problem(folder: CertificateFolder) -> None:
    node = folder.node("one")
    node.key.chmod(0o644)
    (problem,) = describe(node.certificate, now=NOW).problems
    assert "can be read by others (mode 0644): chmod 600" in problem
    assert "PROBLEM" in str(describe(node.certificate, now=NOW))


def test_a_missing_neighbour_is_said_and_no_problem(folder: CertificateFolder, tmp_path: Path) -> None:
    alone = tmp_path / "alone.pem"
    alone.write_bytes(folder.node("one").certificate.read_bytes())
    report = describe(alone, now=NOW)
    assert report.problems == []
    assert "not checked" in lines(report)["key"]
    assert "not checked" in lines(report)["signed by"]


def test_a_file_that_is_no_certificate_is_named(folder: CertificateFolder) -> None:
    with pytest.raises(ConfigError, match=r"key.pem: holds no PEM certificate"):
        describe(folder.node("one").key, now=NOW)
