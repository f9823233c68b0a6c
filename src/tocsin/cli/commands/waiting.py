"""``wait``."""

from __future__ import annotations

from typing import Final

from tocsin.cli.asking import say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import NUMBER, SWITCH, Command, Flag, UsageError
from tocsin.cli.commandline.run import CommandError
from tocsin.cli.peering import PEERS, deadline_of, nodes_of
from tocsin.client.formats import to_json
from tocsin.client.peers import Nodes, View, until
from tocsin.errors import TocsinError


def run(invocation: Invocation) -> int:
    """Wait until all conditions hold. Exit status 1 if they do not within ``--timeout``."""
    wanted = [name for name in ("ready", "members", "converged") if invocation.given(name)]
    if not wanted:
        raise UsageError("say what to wait for: --ready, --members=N or --converged")
    deadline, problems = deadline_of(invocation), [""]

    def done() -> bool:
        problems[:] = list(_lacking(invocation))
        return not problems

    if not until(done, deadline):
        raise CommandError(f"not within {invocation.number('timeout') / 1e9:g} s: {'; '.join(problems)}")
    if invocation.output == "json":
        say(to_json({"reached": wanted}))
    return 0


def _lacking(invocation: Invocation) -> list[str]:
    """The conditions that do not hold yet."""
    nodes = nodes_of(invocation)
    if invocation.on("converged"):
        return _not_converged(nodes, invocation)
    view = nodes.view(invocation.text("alertmanager.url"))
    return _of_one(view, nodes, invocation)


def _of_one(view: View, nodes: Nodes, invocation: Invocation) -> list[str]:
    if view.problem:
        return [view.problem]
    found = []
    if invocation.on("ready"):
        if view.status not in ("ready", "disabled"):
            found.append(f"{view.name or view.url} is {view.status}")
        else:
            answer = nodes.api(view.url).get("/-/ready")
            if answer.status != 200:
                found.append(f"{view.url}/-/ready answers {answer.status}")
    wanted = invocation.number("members")
    if invocation.given("members") and len(view.members) != wanted:
        found.append(f"{view.name or view.url} sees {len(view.members)} members of {wanted}")
    return found


def _not_converged(nodes: Nodes, invocation: Invocation) -> list[str]:
    views = nodes.views()
    found = [problem for view in views for problem in _of_one(view, nodes, invocation)]
    if found:
        return found
    first = views[0]
    for view in views:
        if view.status not in ("ready", "disabled"):
            found.append(f"{view.name} is {view.status}")
        if view.names != first.names:
            found.append(f"{view.name} and {first.name} see different members")
    if found:
        return found
    try:
        silences = [nodes.silences(view.url) for view in views]
    except TocsinError as error:
        return [str(error)]
    return [
        f"{view.name} and {first.name} differ in {len(set(held.items()) ^ set(silences[0].items()))} silences"
        for view, held in zip(views, silences, strict=True)
        if held != silences[0]
    ]


COMMAND: Final = Command(
    run,
    flags=(
        Flag("ready", "The node is ready", SWITCH),
        Flag("members", "The node sees exactly so many members, itself among them", NUMBER, value="N"),
        Flag("converged", "All nodes are ready, see the same members and have the same silences", SWITCH),
        PEERS,
    ),
    description="""\
For scripts: asks five times a second, and gives up after --timeout.

    tocsinctl wait --ready --members=3 --timeout=1m""",
)
