"""``silence add``."""

from __future__ import annotations

from typing import Any, Final

from tocsin.cli.asking import ask
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import OPTIONAL, SWITCH, Argument, Command, Flag, UsageError
from tocsin.cli.commandline.run import CommandError
from tocsin.cli.matching import Words
from tocsin.cli.peering import PEERS, deadline_of, nodes_of
from tocsin.cli.silencing import as_json, span, username
from tocsin.client import dates


def run(invocation: Invocation) -> int:
    """Make a silence, and print its id."""
    silence = silence_of(invocation)
    made = ask(invocation).post_silence(silence)
    if invocation.output == "json" and not invocation.program.as_amtool:
        from tocsin.client.formats import to_json

        print(to_json({"silenceID": made}), end="", flush=True)
    else:
        print(made, flush=True)
    if invocation.given("wait"):
        _wait(invocation, made)
    return 0


def _wait(invocation: Invocation, made: str) -> None:
    """Until the silence is on so many peers. :class:`CommandError` where it is not in time: it is made."""
    from tocsin.client.peers import until

    nodes, deadline = nodes_of(invocation), deadline_of(invocation)
    urls = nodes.others(nodes.view(invocation.text("alertmanager.url")))
    text = invocation.text("wait")
    if text and not text.isdecimal():
        raise UsageError(f"--wait={text}: give a number of peers")
    wanted = int(text) if text else len(urls)
    if wanted > len(urls):
        raise CommandError(f"{made} is made; it cannot be on {wanted} peers, as {len(urls)} are known")
    having: list[str] = []

    def done() -> bool:
        missing = [url for url in urls if url not in having]
        having.extend(nodes.having(made, missing))
        return len(having) >= wanted

    if not until(done, deadline):
        missing = [url for url in urls if url not in having]
        raise CommandError(
            f"{made} is made, and on {len(having)} of {wanted} peers by now; not seen on {', '.join(missing)}"
        )


def silence_of(invocation: Invocation) -> dict[str, Any]:
    """What the command line asks for, as the API takes it."""
    words = Words(invocation)
    matchers = [words.matcher(word) for word in words.with_name(invocation.arguments)]
    if not matchers:
        raise CommandError("no matchers specified")
    try:
        start = dates.parse(invocation.text("start")) if invocation.text("start") else dates.now()
        if invocation.text("end"):
            end = dates.parse(invocation.text("end"))
        else:
            end = dates.after(start, span(invocation.text("duration")))
    except ValueError as error:
        raise CommandError(str(error)) from None
    if start > end:
        raise CommandError("silence cannot start after it ends")
    if invocation.on("require-comment") and not invocation.text("comment"):
        raise CommandError("comment required by config")
    silence: dict[str, Any] = {
        "matchers": as_json(matchers),
        "startsAt": dates.written(start),
        "endsAt": dates.written(end),
        "createdBy": invocation.text("author") if invocation.given("author") else username(),
        "comment": invocation.text("comment"),
    }
    annotations = words.label_set(invocation.texts("annotation"), "annotations")
    if annotations:
        silence["annotations"] = annotations
    return silence


COMMAND: Final = Command(
    run,
    flags=(
        Flag("author", "Who makes it (default: the user who runs this)", short="a"),
        Flag("require-comment", "Refuse to make one without a comment", SWITCH, default="true", hidden=True),
        Flag("duration", "How long it lasts", short="d", default="1h"),
        Flag("start", "When it starts; RFC 3339, as 2006-01-02T15:04:05-07:00 (default: now)", value="TIME"),
        Flag("end", "When it ends; RFC 3339; it counts before --duration", value="TIME"),
        Flag("comment", "Why", short="c"),
        Flag("annotation", "An annotation, as name=value", many=True, value="NAME=VALUE"),
        Flag("wait", "Wait until it is on so many peers, or all of them", OPTIONAL, own=True, value="N"),
        PEERS,
    ),
    arguments=(Argument("matcher-groups", "Which alerts it silences"),),
    description="""\
Matchers are written as for alert query; an alert must fulfil all of them to be silenced:

    silence add DiskFull node=db1 --comment="being replaced" --duration=2h""",
)
