"""What a release is checked for before it is made."""

from __future__ import annotations

from pathlib import Path

import yaml

from tocsin import __version__
from tools.release import faults, holes, write_checksums

ROOT = Path(__file__).parents[3]
GOOD = "# Changelog\n\n## [1.2.3] - 2026-11-30\n\n### Added\n\n- a\n"


def test_the_changelog_is_of_this_version_and_of_the_usual_form() -> None:
    assert not faults((ROOT / "CHANGELOG.md").read_text(), __version__, "")


def test_version_tag_and_changelog_must_agree() -> None:
    assert not faults(GOOD, "1.2.3", "v1.2.3")
    assert faults(GOOD, "1.2.4", "") == ["CHANGELOG.md has no section [1.2.4]"]
    assert faults(GOOD, "1.2.3", "v1.2.4") == ["the tag is v1.2.4, the version 1.2.3"]
    undated = GOOD.replace("2026-11-30", "Unreleased")
    assert not faults(undated, "1.2.3", "")
    assert "has no date" in faults(undated, "1.2.3", "v1.2.3")[0]
    assert "Mended" in faults(GOOD.replace("Added", "Mended"), "1.2.3", "")[0]


def test_checksums_are_as_sha256sum_reads_them(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    write_checksums(tmp_path, [tmp_path / "a"])
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert (tmp_path / "SHA256SUMS").read_text() == f"{empty}  a\n"


def test_what_was_not_audited_is_not_taken_for_sound() -> None:
    report = """{"dependencies": [
        {"name": "a", "version": "1", "vulns": [{"id": "CVE-1"}]},
        {"name": "b", "version": "1", "vulns": []},
        {"name": "c", "skip_reason": "not found"},
        {"name": "tocsin", "skip_reason": "not found"}
    ]}"""
    assert holes(report) == (["a CVE-1"], ["c"])
    assert holes("") == ([], ["anything"])


def test_only_the_job_that_publishes_may_ask_for_an_identity() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    assert workflow["permissions"] == {}
    may = [name for name, job in workflow["jobs"].items() if "id-token" in job["permissions"]]
    assert may == ["publish"]
    assert workflow["jobs"]["publish"]["environment"] == "release"
    assert "secrets." not in (ROOT / ".github/workflows/release.yml").read_text()
