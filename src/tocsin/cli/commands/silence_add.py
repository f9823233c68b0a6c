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
    waiting = _Waiting(invocation) if invocation.given("wait") else None
    made = ask(invocation).post_silence(silence)
    if invocation.output == "json" and not invocation.program.as_amtool:
        from tocsin.client.formats import to_json

        print(to_json({"silenceID": made}), end="", flush=True)
    else:
        print(made, flush=True)
    if waiting is not None:
        waiting.until_there(made)
    return 0


class _Waiting:
    """Waits until a silence is on so many peers; checks before the silence is made that there are as many."""

    def __init__(self, invocation: Invocation) -> None:
        text = invocation.text("wait")
        if text and not text.isdecimal():
            raise UsageError(f"--wait={text}: give a number of peers")
        self._nodes, self._deadline = nodes_of(invocation), deadline_of(invocation)
        first = self._nodes.view(invocation.text("alertmanager.url"))
        if first.problem:
            raise CommandError(first.problem)
        self._urls = self._nodes.others(first)
        self._wanted = int(text) if text else len(self._urls)
        if self._wanted > len(self._urls):
            raise CommandError(
                f"--wait={self._wanted}: {len(self._urls)} peers are known; no silence was made"
                " (--peer.url names more)"
            )

    def until_there(self, made: str) -> None:
        """:class:`CommandError` where it is not in time."""
        from tocsin.client.peers import until

        missing = list(self._urls)

        def done() -> bool:
            having = self._nodes.having(made, missing)
            missing[:] = [url for url in missing if url not in having]
            return len(self._urls) - len(missing) >= self._wanted

        if not until(done, self._deadline):
            raise CommandError(
                f"{made} was made, and is on {len(self._urls) - len(missing)} of {self._wanted} peers by now;"
                f" not seen on {', '.join(missing)}"
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
