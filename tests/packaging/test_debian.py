"""The Debian package, installed in a root of its own, and what systemd says of its unit."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tocsin import __version__
from tocsin.node.config.commandline import usage
from tocsin.node.config.flags import NodeFlags
from tools import debian

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg here")
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
UNIT = debian.PACKAGING / "systemd/tocsin.service"


@needs_systemd
def test_the_unit_leaves_little_open() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=15", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    found = re.search(r"exposure level for tocsin.service: ([\d.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= 1.5


def test_manual_pages_have_every_flag() -> None:
    pages = debian.pages()
    assert set(pages) == {"tocsin", "tocsinctl"}
    flags = set(re.findall(r"--(?:\[no-\])?([a-z][\w.-]*)", usage(NodeFlags, "tocsin")))
    in_page = pages["tocsin"].replace("\\-", "-")
    assert len(flags) > 50
    assert not {flag for flag in flags if flag not in in_page}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file system with nothing but the package."""
    package = debian.build(tmp_path_factory.mktemp("deb"))
    root = tmp_path_factory.mktemp("root")
    for folder in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "etc", "usr", "var/lib"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "var/lib/dpkg/status").touch()
    done = subprocess.run(
        ["dpkg", f"--root={root}", "--force-depends", "--force-script-chrootless", "--install", str(package)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return root


@needs_dpkg
@pytest.mark.slow
def test_it_installs_with_its_user_its_folders_and_its_commands(root: Path) -> None:
    assert re.search(r"^tocsin:", (root / "etc/passwd").read_text(), re.M)
    assert stat.S_IMODE((root / "var/lib/tocsin").stat().st_mode) == 0o750
    for command in debian.COMMANDS:
        done = subprocess.run(
            [str(root / "usr/bin" / command), "--version"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert __version__ in done.stdout + done.stderr
    checked = subprocess.run(
        [str(root / "usr/bin/tocsin-amtool"), "check-config", str(root / "etc/tocsin/alertmanager.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "SUCCESS" in checked.stdout, checked.stderr


@needs_dpkg
@pytest.mark.slow
def test_manual_pages_are_read_by_man_without_a_warning(root: Path) -> None:
    for page in (root / "usr/share/man/man1").iterdir():
        done = subprocess.run(
            ["groff", "-man", "-ww", "-Tutf8", str(page)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0
        assert not done.stderr
