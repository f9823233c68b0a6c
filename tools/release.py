"""``python -m tools.release`` makes all that a release consists of, in ``dist``; ``make release`` runs it.

Both distributions, a list of all that an installed node consists of (SBOM, CycloneDX), known holes of that
(pip-audit), and checksums. It ends with status 1 for a hole, when version, changelog and tag do not agree, or
under a tag for what could not be audited.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tocsin import __version__
from tools import dist

SBOM: Final = f"tocsin-{__version__}.cdx.json"
SECTIONS: Final = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
OURS: Final = ("tocsin", "tocsin-gossip")


def faults(changelog: str, version: str, tag: str) -> list[str]:
    """What keeps ``version`` from being released under ``tag`` (empty: none yet)."""
    found = re.search(rf"^## \[{re.escape(version)}\] - (\S+)$", changelog, re.M)
    wrong = []
    if found is None:
        wrong.append(f"CHANGELOG.md has no section [{version}]")
    elif tag and not re.fullmatch(r"\d{4}-\d\d-\d\d", found[1]):
        wrong.append(f"CHANGELOG.md: [{version}] has no date but {found[1]!r}")
    wrong += [
        f"CHANGELOG.md: {name!r} is not a section of Keep a Changelog"
        for name in re.findall(r"^### (.*)$", changelog, re.M)
        if name not in SECTIONS
    ]
    if tag and tag != f"v{version}":
        wrong.append(f"the tag is {tag}, the version {version}")
    return wrong


def list_contents(python: Path, out: Path) -> None:
    """Write the SBOM of an environment."""
    command = ["environment", str(python), "--output-reproducible", "--output-file", str(out / SBOM)]
    environment = {"SOURCE_DATE_EPOCH": dist.EPOCH} | os.environ
    subprocess.run([sys.executable, "-m", "cyclonedx_py", *command], check=True, env=environment)


def audit(folder: Path) -> str:
    """What pip-audit says of what is installed in a folder, as JSON; empty when it could not do its work."""
    command = [sys.executable, "-m", "pip_audit", "--path", str(folder), "--progress-spinner=off"]
    done = subprocess.run([*command, "--format=json"], capture_output=True, text=True, check=False)
    print(done.stderr, end="", file=sys.stderr)
    return done.stdout


def holes(report: str) -> tuple[list[str], list[str]]:
    """The known holes in a report of pip-audit, and what it has not looked at, our own packages aside."""
    try:
        listed = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        return [], ["anything"]
    known = [f"{one['name']} {hole['id']}" for one in listed for hole in one.get("vulns", ())]
    skipped = [one["name"] for one in listed if "skip_reason" in one and one["name"] not in OURS]
    return known, skipped


def write_checksums(out: Path, files: Iterable[Path]) -> None:
    """As ``sha256sum --check`` reads them."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(files)]
    (out / "SHA256SUMS").write_text("".join(lines))


def main(out: Path, tag: str) -> int:
    """Make it."""
    if wrong := faults((dist.ROOT / "CHANGELOG.md").read_text(), __version__, tag):
        print(*wrong, sep="\n", file=sys.stderr)
        return 1
    made = dist.build(out)
    with tempfile.TemporaryDirectory(prefix="release-") as scratch:
        environment = Path(scratch, "env")
        venv.create(environment, with_pip=False, symlinks=True)
        python = environment / "bin/python"
        pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--quiet"]
        wanted = ["--find-links", str(out), f"tocsin[dtls,tracing]=={__version__}"]
        subprocess.run([*pip, "install", *wanted], check=True)
        list_contents(python, out)
        (site,) = environment.glob("lib/python3*/site-packages")
        known, skipped = holes(audit(site))
    write_checksums(out, [*made, out / SBOM])
    for path in [*made, out / SBOM, out / "SHA256SUMS"]:
        print(path)
    for hole in known:
        print(f"known hole: {hole}", file=sys.stderr)
    if skipped:
        print(f"not audited: {', '.join(skipped)}", file=sys.stderr)
    return 1 if known or (tag and skipped) else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="make a release")
    parser.add_argument("--out", type=Path, default=dist.ROOT / "dist")
    parser.add_argument("--tag", default="", help="the tag; without one the changelog needs no date yet")
    arguments = parser.parse_args()
    sys.exit(main(arguments.out, arguments.tag))
