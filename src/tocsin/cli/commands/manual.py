"""``manual``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.man import page
from tocsin.cli.commandline.model import FILE, Command, Flag
from tocsin.cli.commandline.run import CommandError
from tocsin.cli.commandline.tree import build_tree


def run(invocation: Invocation) -> int:
    """Print the manual page of the whole tool, or write that and one for each command."""
    program = invocation.program
    root = build_tree(program)
    folder = invocation.path_of("dir")
    if folder is None:
        print(page(program, root, root), end="")
        return 0
    nodes = [root, *root.walk()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for node in nodes:
            Path(folder / f"{'-'.join([program.name, *node.path])}.1").write_text(page(program, root, node))
    except OSError as error:
        raise CommandError(f"{folder}: {error.strerror or error}") from None
    print(f"{folder}: {len(nodes)} pages")
    return 0


COMMAND: Final = Command(
    run,
    flags=(Flag("dir", "Write a page for each command into this folder", FILE, value="DIR"),),
    description="""\
    tocsinctl manual | man -l -
    tocsinctl manual --dir /usr/local/share/man/man1""",
)
