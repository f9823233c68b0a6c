"""``python -m tools.debian`` builds a Debian package of the node from this tree into ``dist`` (``make deb``).

Its Python packages are its own, in /usr/lib/tocsin: those of Debian are older than some that are needed. So
it is for one version of Debian's python3, that of the interpreter that builds it.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tocsin import __version__
from tocsin.cli.commandline.completion import SHELLS, script
from tocsin.node.config.commandline import declared_flags, usage
from tocsin.node.config.flags import NodeFlags
from tools import dist

ROOT: Final = dist.ROOT
PACKAGING: Final = ROOT / "packaging"
COMMANDS: Final = {"tocsin": "daemon", "tocsinctl": "control", "tocsin-amtool": "amtool"}
FILES: Final = {
    "systemd/tocsin.service": "usr/lib/systemd/system/tocsin.service",
    "systemd/tocsin.socket": "usr/lib/systemd/system/tocsin.socket",
    "systemd/tocsin.sysusers": "usr/lib/sysusers.d/tocsin.conf",
    "systemd/tocsin.tmpfiles": "usr/lib/tmpfiles.d/tocsin.conf",
    "etc/default": "etc/default/tocsin",
    "../examples/alertmanager.yml": "etc/tocsin/alertmanager.yml",
    "../LICENSE": "usr/share/doc/tocsin/copyright",
    "../CHANGELOG.md": "usr/share/doc/tocsin/CHANGELOG.md",
}
COMPLETIONS: Final = {
    "bash": "usr/share/bash-completion/completions/tocsinctl",
    "zsh": "usr/share/zsh/vendor-completions/_tocsinctl",
    "fish": "usr/share/fish/vendor_completions.d/tocsinctl.fish",
}
LAUNCHER: Final = """\
#!/usr/bin/python3 -I
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib/tocsin"))
from tocsin.cli.{module} import main

sys.exit(main())
"""


def build(out: Path) -> Path:
    """The package's file."""
    with tempfile.TemporaryDirectory(prefix="deb-") as scratch:
        tree, wheels = Path(scratch, "tree"), Path(scratch, "wheels")
        dist.build(wheels)
        _install(tree / "usr/lib/tocsin", wheels)
        for source, place in FILES.items():
            _write(tree / place, (PACKAGING / source).read_text())
        for name, module in COMMANDS.items():
            _write(tree / "usr/bin" / name, LAUNCHER.format(module=module), executable=True)
        for shell in SHELLS:
            _write(tree / COMPLETIONS[shell], script("tocsinctl", shell))
        flags = " ".join(f"--{name}" for name in declared_flags(NodeFlags))
        _write(
            tree / "usr/share/bash-completion/completions/tocsin",
            f"complete -o default -W '{flags}' tocsin\n",
        )
        for name, page in pages().items():
            _write(tree / f"usr/share/man/man1/{name}.1", page)
        _control(tree)
        out.mkdir(parents=True, exist_ok=True)
        package = out / f"tocsin_{__version__}_{_architecture()}.deb"
        _date(tree)
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zxz", "-z2", "--build", str(tree), str(package)],
            check=True,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"SOURCE_DATE_EPOCH": _epoch()},
        )
    return package


def pages() -> dict[str, str]:
    """The manual pages by name."""
    tool = subprocess.run(
        [sys.executable, "-m", "tocsin.cli.control", "--help-man"], check=True, capture_output=True, text=True
    )
    return {"tocsin": _page_of_node(usage(NodeFlags, "tocsin")), "tocsinctl": tool.stdout}


def _page_of_node(help_text: str) -> str:
    lines = [
        f'.TH "TOCSIN" 1 "" "Tocsin {__version__}"',
        ".SH NAME",
        r"tocsin \- an Alertmanager whose cluster traffic is secure",
        ".SH SYNOPSIS",
        ".B tocsin",
        "[<flags>]",
        ".SH OPTIONS",
    ]
    for line in help_text.partition("Flags:\n")[2].splitlines():
        text = line.strip().replace("\\", r"\e").replace("-", r"\-")
        text = rf"\&{text}" if text.startswith((".", "'")) else text
        if re.match(r" {2,6}-", line):
            lines += [".TP", f".B {text}"]
        else:
            lines.append(text)
    return "\n".join([*lines, ".SH SEE ALSO", ".BR tocsinctl (1)"]) + "\n"


def _install(folder: Path, wheels: Path) -> None:
    subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "pip",
                "--disable-pip-version-check",
                "--quiet",
                "install",
                "--no-compile",
            ),
            *("--target", str(folder), "--find-links", str(wheels), f"tocsin=={__version__}"),
        ],
        check=True,
    )
    shutil.rmtree(folder / "bin", ignore_errors=True)
    for record in folder.glob("*.dist-info/*"):
        if record.name in ("RECORD", "direct_url.json", "REQUESTED", "INSTALLER"):
            record.unlink()  # they name files of this machine


def _control(tree: Path) -> None:
    size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file()) // 1024
    major, minor = sys.version_info[:2]
    _write(
        tree / "DEBIAN/control",
        f"""\
Package: tocsin
Version: {__version__}
Architecture: {_architecture()}
Maintainer: Tocsin's maintainers <maintainers@tocsin.invalid>
Installed-Size: {size}
Depends: python3 (>= {major}.{minor}), python3 (<< {major}.{minor + 1}), systemd
Section: net
Priority: optional
Description: Alertmanager-compatible node whose cluster traffic is secure
 It takes the same configuration, flags and API as Prometheus Alertmanager,
 and joins a running cluster of Alertmanagers over mutual TLS.
""",
    )
    _write(tree / "DEBIAN/conffiles", "/etc/default/tocsin\n/etc/tocsin/alertmanager.yml\n")
    for name in ("postinst", "prerm", "postrm"):
        _write(tree / "DEBIAN" / name, (PACKAGING / "debian" / name).read_text(), executable=True)


def _write(path: Path, text: str, *, executable: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755 if executable else 0o644)


def _date(tree: Path) -> None:
    for path in tree.rglob("*"):
        os.utime(path, (int(_epoch()),) * 2, follow_symlinks=False)
        if path.is_dir():
            path.chmod(0o755)


def _epoch() -> str:
    return os.environ.get("SOURCE_DATE_EPOCH", dist.EPOCH)


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="build the Debian package")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    print(build(parser.parse_args().out))
