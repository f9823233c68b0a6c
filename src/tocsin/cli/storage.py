"""``tocsinctl storage``: what a node keeps on disk."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.errors import UserError
from tocsin.node.store.export import export

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_commands(commands: Subparsers) -> None:
    """Add ``storage`` and its own commands to ``tocsinctl``."""
    storage = commands.add_parser("storage", help="what a node keeps on disk", allow_abbrev=False)
    verbs = storage.add_subparsers(metavar="COMMAND", required=True)
    command = verbs.add_parser(
        "export",
        help="write the files that Alertmanager reads",
        description="Write DIR/silences and DIR/nflog: an Alertmanager whose --storage.path is DIR goes on "
        "from there. The node may be running or stopped; its folder is only read.",
        allow_abbrev=False,
    )
    command.add_argument("directory", metavar="DIR", type=Path, help="the folder to write to")
    command.add_argument(
        "--storage.path",
        dest="storage_path",
        metavar="PATH",
        type=Path,
        default=Path("data"),
        help="the node's folder (default: %(default)s)",
    )
    command.set_defaults(run=run_export)


def run_export(arguments: argparse.Namespace) -> int:
    """``tocsinctl storage export``. Exit status 1 when something could not be read; the rest is written."""
    source, target = arguments.storage_path, arguments.directory
    if target.resolve() == source.resolve() or (target / "journal.db").exists():
        raise UserError(
            f"{target} is a node's own folder: name it by --storage.path, and give another DIR to write to,"
            f" as in tocsinctl storage export --storage.path={target} {target.name}-export"
        )
    exported = export(arguments.storage_path, arguments.directory, time.time_ns())
    for name, count in exported.entries.items():
        print(f"{arguments.directory / name}: {count} entries")
    for problem in exported.problems:
        print(f"tocsinctl: {problem}", file=sys.stderr)
    return 1 if exported.problems else 0
