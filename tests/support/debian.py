"""Runs Debian's build of Alertmanager from where its package was unpacked, with nothing installed.

Debian's build reads its default template from /usr/share/prometheus/alertmanager; the upstream build carries
it inside. Where that folder is missing, a copy of the program gets the same path without its first slash:
relative to the unpacked package, so that it finds the template that came with it. Nothing else changes.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path("/usr/share/prometheus/alertmanager")
_ABSOLUTE = str(_FOLDER).encode()
_RELATIVE = _ABSOLUTE[1:] + b"/"  # the same length: Go's strings carry theirs apart


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and in which folder (None: any)."""

    binary: Path
    directory: Path | None = None


@cache
def runnable(binary: Path) -> Program:
    """``binary`` itself, or a copy of it that runs where it was unpacked."""
    package = binary.parent.parent.parent
    unpacked = package / _FOLDER.relative_to("/") / "default.tmpl"
    if (_FOLDER / "default.tmpl").exists() or not unpacked.exists():
        return Program(binary)
    folder = Path(tempfile.mkdtemp(prefix="tocsin-peer-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    copy = folder / binary.name
    copy.write_bytes(binary.read_bytes().replace(_ABSOLUTE, _RELATIVE))
    copy.chmod(0o755)
    return Program(copy, package)
