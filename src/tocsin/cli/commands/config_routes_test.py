"""``config routes test``."""

from __future__ import annotations

from typing import Final

from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import matches_all
from tocsin.alerting.route import Route
from tocsin.cli.asking import say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import SWITCH, Argument, Command, Flag
from tocsin.cli.commandline.run import CommandError
from tocsin.cli.matching import Words
from tocsin.cli.routing import Branch, load_route, route_text, tree


def run(invocation: Invocation) -> int:
    """Print the receivers of an alert. Exit status 1 unless they are ``--verify.receivers``."""
    route = load_route(invocation)
    words = Words(invocation)
    labels = Labels(_labels(words, invocation))
    if invocation.on("tree"):
        say(f"Matching routes:\n{tree(_matching(route, labels))}\n\n")
    receivers = [each.options.receiver for each in route.match(labels)]
    shown = ",".join(receivers)
    if invocation.output == "json" and not invocation.program.as_amtool:
        from tocsin.client.formats import to_json

        say(to_json(receivers))
    else:
        say(f"{shown}\n")
    wanted = invocation.text("verify.receivers")
    if wanted and wanted != shown:
        say("WARNING: Expected receivers did not match resolved receivers.\n")
        return 1
    return 0


def _labels(words: Words, invocation: Invocation) -> dict[str, str]:
    try:
        return words.label_set(invocation.arguments, "Labels")
    except CommandError as error:
        pairs = "must be specified as key=value pairs"
        problem = str(error)
        raise CommandError(problem if pairs in problem else f"Failed to parse labels: {problem}") from None


def _matching(route: Route, labels: Labels) -> Branch:
    """Only the routes that the alert takes; the receiver is shown where it ends."""
    branches = []
    for child in route.children:
        if matches_all(child.matchers, labels):
            branches.append(_matching(child, labels))
            if not child.continue_:
                break
    return Branch(route_text(route, show_continue=False, show_receiver=not branches), branches)


COMMAND: Final = Command(
    run,
    flags=(
        Flag("verify.receivers", "Fail unless the alert goes to these receivers", value="NAME,..."),
        Flag("tree", "Print the routes that it takes", SWITCH),
    ),
    arguments=(Argument("labels", "Labels of the alert, as name=value"),),
    description="Of the node that --alertmanager.url names or, if given, of the file --config.file.",
)
