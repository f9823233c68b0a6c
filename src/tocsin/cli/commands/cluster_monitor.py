"""``cluster monitor``."""

from __future__ import annotations

import time
from typing import Final

from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import DURATION, NUMBER, Command, Flag
from tocsin.cli.peering import PEERS, nodes_of
from tocsin.client import dates
from tocsin.client.formats import to_json
from tocsin.client.peers import Nodes, View
from tocsin.client.terminal import Terminal


def run(invocation: Invocation) -> int:
    """Print what changes in the cluster, until interrupted."""
    seconds, rounds = invocation.number("interval") / 1e9, invocation.number("count")
    terminal, known = Terminal(), dict[str, View]()
    done = 0
    while True:
        # Each round may take all of --timeout.
        nodes: Nodes = nodes_of(invocation)
        for view in nodes.views():
            for text, how in changes(known.get(view.url), view):
                _print(invocation, terminal, view, text, how)
            known[view.url] = view
        done += 1
        if rounds and done >= rounds:
            return 0
        time.sleep(seconds)


def changes(before: View | None, now: View) -> list[tuple[str, str]]:
    """The lines about a node, each with its colour: good or bad."""
    if now.problem:
        return [(now.problem, "bad")] if before is None or before.problem != now.problem else []
    if before is None or before.problem:
        seen = ", ".join(sorted(now.names)) or "nobody"
        return [(f"{now.status}, sees {seen}", "good" if now.status == "ready" else "doubtful")]
    told = [(f"{name} is gone", "bad") for name in sorted(before.names - now.names)]
    told += [(f"{name} is there", "good") for name in sorted(now.names - before.names)]
    if before.status != now.status:
        told.append((f"is {now.status}", "good" if now.status == "ready" else "doubtful"))
    return told


def _print(invocation: Invocation, terminal: Terminal, view: View, text: str, how: str) -> None:
    at = dates.written(dates.now())
    if invocation.output == "json":
        print(to_json({"time": at, "url": view.url, "node": view.name, "event": text}), end="", flush=True)
    else:
        print(f"{at}  {view.name or view.url}  {terminal.mark(text, how)}", flush=True)


COMMAND: Final = Command(
    run,
    flags=(
        PEERS,
        Flag("interval", "How often the nodes are asked", DURATION, default="1s"),
        Flag("count", "Stop after asking so many times (default: never)", NUMBER),
    ),
    description="Asks every node again and again, and prints a line for each change: members that come and"
    " go, nodes that do not answer.",
)
