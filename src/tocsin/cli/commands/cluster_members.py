"""``cluster members``."""

from __future__ import annotations

from typing import Final

from tocsin.cli.asking import ask, say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import Command
from tocsin.client.formats import to_json
from tocsin.client.terminal import Terminal


def run(invocation: Invocation) -> int:
    """Print the members that the node thinks alive."""
    cluster = ask(invocation).status()["cluster"]
    own = cluster.get("name", "")
    members = sorted(cluster.get("peers") or (), key=lambda one: one["name"])
    rows = [
        {"position": place, "name": one["name"], "address": one["address"], "asked": one["name"] == own}
        for place, one in enumerate(members)
    ]
    if invocation.output == "json":
        say(to_json(rows))
        return 0
    Terminal().table(
        ("POSITION", "NAME", "ADDRESS", "NOTE"),
        [
            (
                str(row["position"]),
                row["name"],
                row["address"],
                "the node that was asked" if row["asked"] else "",
            )
            for row in rows
        ],
        colours=False,
    )
    return 0


COMMAND: Final = Command(
    run,
    description="""\
The position decides who notifies first: a node waits its position times --cluster.peer-timeout before it
sends. Members that are suspected or dead are not in a node's answer.""",
)
