"""Commands that ask Tocsin's own API, beside a node's application."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from tests.support.api_backend import LoneNode
from tests.support.httpserver import serving
from tests.support.told_flushes import RECORDS
from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.silence import Silences
from tocsin.alerting.timestamp import SECOND
from tocsin.cli.control import main
from tocsin.node.api import Limits, create_app
from tocsin.node.api.people import PeopleRules

Run = Callable[..., Awaitable[int]]


def play(
    story: Callable[[LoneNode, Run], Awaitable[None]], prefix: str = "", *, read_only: bool = False
) -> None:
    async def run() -> None:
        node = LoneNode()
        limits = Limits(people=PeopleRules(read_only=read_only))
        async with serving(create_app(node, route_prefix=prefix or "/", limits=limits)) as server:
            host, port = server.addresses[0]
            url = f"--alertmanager.url=http://{host}:{port}{prefix}"
            await story(node, lambda *line: asyncio.to_thread(main, [*line, url]))

    asyncio.run(run())


async def fire(node: LoneNode, **labels: str) -> None:
    now = node.now()
    await node.put_alerts(
        [Alert(Labels(labels), Labels(), now - SECOND, now + 3600 * SECOND, updated_at=now)]
    )


def test_alerts_are_acknowledged(capsys: pytest.CaptureFixture[str]) -> None:
    async def story(node: LoneNode, run: Run) -> None:
        await fire(node, alertname="DiskFull", team="db")
        assert (
            await run("silence", "ack", "DiskFull", "team=~d.", "-a", "ann", "-c", "on it", "-d", "2h") == 0
        )
        identifier = capsys.readouterr().out.strip()
        silence = node.silences.get(identifier)
        assert silence is not None
        assert (silence.created_by, silence.comment) == ("ann", "on it")
        assert 3600 * SECOND < silence.ends_at - silence.starts_at <= 7200 * SECOND
        fingerprint = node.alerts.all()[0].labels.fingerprint_text
        assert await run("silence", "ack", "--alert", fingerprint, "-o", "json") == 0
        assert json.loads(capsys.readouterr().out)["alerts"] == 1
        assert await run("silence", "ack", "--alert", fingerprint, "-o", "extended") == 0
        assert 'alertname="DiskFull", team="db"' in capsys.readouterr().out
        for line, problem in (
            (("silence", "ack", "Other"), "tocsinctl: no alert that matches fires"),
            (("silence", "ack"), "give matchers, or --alert with a fingerprint"),
            (("silence", "ack", "A", "-d", "x"), "not a valid duration string"),
            (("silence", "ack", "--alert", "77"), "tocsinctl: alert: no such alert is known"),
        ):
            assert await run(*line) == 1
            said = capsys.readouterr().err
            assert problem in said
            assert said.count(problem.removeprefix("tocsinctl: ")) == 1, "said once"

    play(story)
    play(story, "/prefix")


def test_silences_are_imported_under_the_ids_that_they_had(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    async def story(node: LoneNode, run: Run) -> None:
        file = tmp_path / "silences.json"
        line = ("silence", "import", "--keep-ids", str(file))
        assert await run("silence", "add", "A", "b=~c", "-c", "x", "--annotation", "l=m") == 0
        assert await run("silence", "add", "B", "-c", "x", "--start", "2100-01-01T00:00:00Z", "-d", "1h") == 0
        ids = capsys.readouterr().out.split()
        assert await run("silence", "export", "-f", str(file)) == 0
        capsys.readouterr()
        assert await run(*line) == 0
        said = capsys.readouterr()
        assert (sorted(said.out.split()), said.err) == (sorted(ids), "2 of 2 silences were there already\n")
        before = {each.id: each for each in node.silences.every()}
        node.silences = fresh = Silences(3600 * SECOND, random=Random(2))
        assert await run(*line, "-o", "json") == 0
        done = json.loads(capsys.readouterr().out)
        assert (sorted(done["imported"]), done["there"], done["refused"]) == (sorted(ids), [], [])
        for each in fresh.every():
            was = before[each.id]
            assert (each.matcher_sets, each.annotations) == (was.matcher_sets, was.annotations)
            assert (each.created_by, each.comment) == (was.created_by, was.comment)
        assert await run("silence", "expire", ids[0]) == 0
        assert await run(*line) == 1
        said = capsys.readouterr()
        assert said.out.split() == [ids[1]]
        assert (
            f"Error importing silence id='{ids[0]}': silence {ids[0]} exists with other content" in said.err
        )
        assert "couldn't import 1 out of 2 silences" in said.err
        assert await run(*line, "--force") == 2
        assert "give one of them" in capsys.readouterr().err
        assert await run("amtool", *line) == 1
        assert "unknown long flag '--keep-ids'" in capsys.readouterr().err
        assert await run("silence", "import", str(file)) == 0
        assert ids[0] not in capsys.readouterr().out, "without the flag as before"

    play(story)


def test_history_is_told_in_lines_and_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    async def story(node: LoneNode, run: Run) -> None:
        node.records = RECORDS
        assert await run("history", "notifications", "--limit", "3") == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split("  ")[0] for line in lines] == ["TIME", *lines_at(3, 2, 1)]
        assert "given up" in lines[1]
        assert "not needed" in lines[2]
        assert lines[3].split()[4:] == ["muted", "1", 'alertname="BB"', "silence", "id-1"]
        assert await run("history", "notifications", "A", "--outcome", "sent", "-o", "json") == 0
        [told] = json.loads(capsys.readouterr().out)
        assert told["deliveries"][0]["attempts"][0]["error"] == "connection refused"
        assert await run("history", "alerts", "--limit", "0", "--receiver", "team") == 0
        assert capsys.readouterr().out.count("firing") == 2, "A and BB, each once"
        await run("history", "silences", "--since", "2h", "--until", "2100-01-01T00:00:00Z")
        assert capsys.readouterr().out.startswith("CHANGED")
        assert await run("history", "alerts", "--since", "yesterday") == 1
        assert "--since=yesterday: write a time" in capsys.readouterr().err
        assert await run("history", "alerts", "--limit=-1") == 1
        assert "--limit=-1: give a number of lines, or 0 for all" in capsys.readouterr().err
        assert await run("history", "notifications", "--outcome=lost") == 2
        assert "must be one of sent,not needed," in capsys.readouterr().err
        assert await run("history", "notifications", "--since", "2h") == 0
        assert len(capsys.readouterr().out.splitlines()) == 1

    play(story)


def lines_at(*minutes: int) -> list[str]:
    return [f"2023-11-14 22:{13 + minute}:20 UTC" for minute in minutes]


def test_a_refusal_that_amtool_has_no_words_for_is_told_with_its_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def story(node: LoneNode, run: Run) -> None:
        line = ("silence", "add", "A", "-c", "x")
        assert await run(*line) == 1
        assert capsys.readouterr().err.endswith("(status 403): this node is read-only (--web.read-only)\n")
        assert await run("amtool", *line) == 1
        assert capsys.readouterr().err.rstrip().endswith("(status 403): {}")

    play(story, read_only=True)

    async def nothing(node: LoneNode, run: Run) -> None:
        assert await run("silence", "extend", "00000000-0000-0000-0000-000000000000") == 1
        assert capsys.readouterr().err.rstrip().endswith("NotFound: the node has no such silence")

    play(nothing)
