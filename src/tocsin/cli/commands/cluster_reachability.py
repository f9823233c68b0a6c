"""``cluster reachability``."""

from __future__ import annotations

from typing import Final

from tocsin.cli.asking import say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import Command
from tocsin.cli.peering import PEERS, nodes_of
from tocsin.client.formats import to_json
from tocsin.client.terminal import Terminal


def run(invocation: Invocation) -> int:
    """Print who sees whom. Exit status 1 if one node lacks another, or does not answer."""
    views = nodes_of(invocation).views()
    names = sorted({name for view in views for name in view.names})
    whole = all(not view.problem and view.names == frozenset(names) for view in views)
    if invocation.output == "json":
        say(
            to_json(
                [
                    {
                        "url": view.url,
                        "name": view.name,
                        "status": view.status,
                        "sees": sorted(view.names),
                        "lacks": sorted(set(names) - view.names) if not view.problem else names,
                        "problem": view.problem,
                    }
                    for view in views
                ]
            )
        )
        return 0 if whole else 1
    terminal = Terminal()
    terminal.table(
        ("NODE", "URL", "STATUS", *names),
        [
            (
                view.name or "?",
                view.url,
                view.status or "error",
                *(("yes" if name in view.names else "no") if not view.problem else "?" for name in names),
            )
            for view in views
        ],
    )
    for view in views:
        if view.problem:
            invocation.warn(f"{view.url}: {view.problem}")
    return 0 if whole else 1


COMMAND: Final = Command(
    run,
    flags=(PEERS,),
    description="Asks every node whom it sees: a row for each node that is asked, a column for each member.",
)
