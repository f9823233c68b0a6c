"""``alert query``."""

from __future__ import annotations

from typing import Final

from tocsin.cli.asking import ask, say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import SWITCH, Argument, Command, Flag
from tocsin.client import formats

STATES: Final = ("inhibited", "silenced", "active", "unprocessed")


def run(invocation: Invocation) -> int:
    """Print the alerts that match all matchers; active ones if no state is given."""
    filters = list(invocation.arguments)
    if filters:
        from tocsin.cli.matching import Words

        filters = Words(invocation).with_name(filters)
    wanted = {state: invocation.on(state) for state in STATES}
    if not any(wanted.values()):
        wanted["active"] = True
    found = ask(invocation).alerts(**wanted, receiver=invocation.text("receiver"), filters=filters)
    say(formats.alerts(found, invocation.output, invocation.text("date.format")))
    return 0


COMMAND: Final = Command(
    run,
    flags=(
        *(Flag(state, f"Show {state} alerts", SWITCH, short=state[0]) for state in STATES),
        Flag("receiver", "Show alerts of the receivers that match this regular expression", short="r"),
    ),
    arguments=(Argument("matcher-groups", "Matchers for the alerts' labels"),),
    description="""\
Matchers are name=value, name!=value, name=~expression and name!~expression, each in one word; an alert must
fulfil all of them. A first word that is not a matcher is the value of alertname:

    alert query alertname=DiskFull node=~"db.+"
    alert query DiskFull 'node=~"db.+"'

Without one of --active, --silenced, --inhibited and --unprocessed the active alerts are shown.""",
)
