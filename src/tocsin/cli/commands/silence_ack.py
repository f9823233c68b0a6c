"""``silence ack``."""

from __future__ import annotations

from typing import Any, Final

from tocsin.cli.asking import ask, say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import Argument, Command, Flag
from tocsin.cli.commandline.run import CommandError
from tocsin.cli.matching import Words
from tocsin.cli.silencing import span, username


def run(invocation: Invocation) -> int:
    """Acknowledge alerts, and print the id of the silence."""
    from tocsin.client.formats import to_json
    from tocsin.client.tocsin import post
    from tocsin.models.acknowledge import Acknowledged

    made = post(ask(invocation), "/acknowledge", _asked(invocation), Acknowledged)
    if invocation.output == "json":
        say(to_json({"silenceID": made.silence_id, "endsAt": made.ends_at, "alerts": made.alerts}))
    elif invocation.output == "extended":
        say(
            f"{made.silence_id}\n  {', '.join(made.matchers)}\n  {made.alerts} alerts, until they have ended,"
            f" or {made.ends_at}\n"
        )
    else:
        say(f"{made.silence_id}\n")
    return 0


def _asked(invocation: Invocation) -> dict[str, Any]:
    words = Words(invocation)
    matchers = [str(words.matcher(word)) for word in words.with_name(invocation.arguments)]
    alert = invocation.text("alert")
    if bool(matchers) == bool(alert):
        raise CommandError("give matchers, or --alert with a fingerprint")
    try:
        duration = span(invocation.text("duration"))
    except ValueError as error:
        raise CommandError(str(error)) from None
    asked: dict[str, Any] = {
        "createdBy": invocation.text("author") or username(),
        "duration": duration / 1e9,
        **({"alert": alert} if alert else {"matchers": matchers}),
    }
    if invocation.given("comment"):
        asked["comment"] = invocation.text("comment")
    return asked


COMMAND: Final = Command(
    run,
    flags=(
        Flag("author", "Who works on it (default: the user who runs this)", short="a"),
        Flag("duration", "How long it lasts at most", short="d", default="1d"),
        Flag("comment", "Why", short="c"),
        Flag("alert", "The fingerprint of one alert, instead of matchers", value="FINGERPRINT"),
    ),
    arguments=(Argument("matchers", "Which alerts"),),
    description="""\
Makes a silence that ends when the alerts that it silences have ended. At least one of them must fire:

    silence ack DiskFull node=db1 --comment="on it"

Only Tocsin nodes end it so: in a cluster that none is left of it ends at its own time.""",
)
