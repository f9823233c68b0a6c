"""``config routes show``."""

from __future__ import annotations

from typing import Final

from tocsin.alerting.route import Route
from tocsin.cli.asking import say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import Command
from tocsin.cli.commandline.run import FatalError
from tocsin.cli.routing import Branch, load_route, route_text, tree
from tocsin.errors import RemoteError, TransportError


def run(invocation: Invocation) -> int:
    """Print the routing tree."""
    try:
        route = load_route(invocation)
    except (RemoteError, TransportError) as error:
        if not invocation.program.as_amtool:
            raise
        raise FatalError(str(error)) from None
    if invocation.output == "json" and not invocation.program.as_amtool:
        from tocsin.client.formats import to_json

        say(to_json(_json(route)))
        return 0
    say(f"Routing tree:\n{tree(_branch(route))}\n")
    return 0


def _branch(route: Route) -> Branch:
    text = route_text(route, show_continue=True, show_receiver=True)
    return Branch(text, [_branch(child) for child in route.children])


def _json(route: Route) -> dict[str, object]:
    return {
        "matchers": [str(matcher) for matcher in route.matchers],
        "receiver": route.options.receiver,
        "continue": route.continue_,
        "routes": [_json(child) for child in route.children],
    }


COMMAND: Final = Command(
    run,
    description="Of the node that --alertmanager.url names or, if given, of the file --config.file.",
)
