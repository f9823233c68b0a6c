"""``tocsinctl storage``: exports what a node has on disk."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final

from tocsin.cli.asking import say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import FILE, Argument, Command, Flag
from tocsin.client.formats import to_json
from tocsin.errors import UserError
from tocsin.node.store.export import export


def run_export(invocation: Invocation) -> int:
    """``tocsinctl storage export``. Exit status 1 when something could not be read; the rest is written."""
    source, target = Path(invocation.text("storage.path")), Path(invocation.arguments[0])
    if target.resolve() == source.resolve() or (target / "journal.db").exists():
        raise UserError(
            f"{target} is a node's own folder: name it by --storage.path, and give another DIR to write to,"
            f" as in tocsinctl storage export --storage.path={target} {target.name}-export"
        )
    exported = export(source, target, time.time_ns())
    if invocation.output == "json":
        say(to_json({"entries": exported.entries, "problems": list(exported.problems)}))
        return 1 if exported.problems else 0
    for name, count in exported.entries.items():
        print(f"{target / name}: {count} entries")
    for problem in exported.problems:
        print(f"tocsinctl: {problem}", file=sys.stderr)
    return 1 if exported.problems else 0


EXPORT: Final = Command(
    run_export,
    flags=(Flag("storage.path", "The node's folder", FILE, default="data"),),
    arguments=(Argument("directory", "The folder to write to", FILE, least=1, most=1),),
    description="Writes DIRECTORY/silences and DIRECTORY/nflog: an Alertmanager whose --storage.path is"
    " DIRECTORY goes on from there. The node may be running or stopped; its folder is only read.",
)
