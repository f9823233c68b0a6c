"""``alert add``."""

from __future__ import annotations

from typing import Any, Final

from tocsin.cli.asking import ask
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import Argument, Command, Flag
from tocsin.cli.commandline.run import CommandError
from tocsin.cli.matching import Words
from tocsin.client import dates


def run(invocation: Invocation) -> int:
    """Post an alert to the node."""
    words = Words(invocation)
    alert: dict[str, Any] = {
        "labels": words.label_set(words.with_name(invocation.arguments), "labels"),
        "annotations": words.label_set(invocation.texts("annotation"), "annotations"),
    }
    if invocation.text("generator-url"):
        alert["generatorURL"] = invocation.text("generator-url")
    for flag, field in (("start", "startsAt"), ("end", "endsAt")):
        text = invocation.text(flag)
        try:
            alert[field] = dates.written(dates.parse(text)) if text else dates.ZERO
        except ValueError as error:
            raise CommandError(str(error)) from None
    ask(invocation).post_alerts([alert])
    return 0


COMMAND: Final = Command(
    run,
    flags=(
        Flag("generator-url", "URL of what found the alert"),
        Flag("start", "When it starts; RFC 3339, as 2006-01-02T15:04:05-07:00", value="TIME"),
        Flag("end", "When it ends; RFC 3339", value="TIME"),
        Flag("annotation", "An annotation, as name=value", many=True, value="NAME=VALUE"),
    ),
    arguments=(Argument("labels", "Labels of the alert, as name=value"),),
    description="""\
A first word that is not a name=value is the value of alertname:

    alert add DiskFull node=db1 --annotation=summary="disk is full" """,
)
