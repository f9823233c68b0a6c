"""``test``: runs tests of routing and muting."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from tocsin.cli.asking import say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import FILE, SWITCH, Argument, Command, Flag
from tocsin.cli.commandline.run import CommandError
from tocsin.cli.expectations import Result, check_file
from tocsin.client.formats import to_json
from tocsin.client.terminal import Terminal


def run(invocation: Invocation) -> int:
    """Check every test of the files. Exit status 1 if one fails."""
    config, terminal = invocation.text("config.file"), Terminal()
    results: list[Result] = []
    for file in invocation.arguments:
        for result in check_file(Path(file), time.time_ns(), config=config):
            results.append(result)
            if invocation.output != "json" and not (invocation.on("quiet") and not result.problems):
                _print(terminal, result)
    failed = sum(bool(result.problems) for result in results)
    if invocation.text("junit"):
        _write_junit(Path(invocation.text("junit")), results)
    if invocation.output == "json":
        say(to_json([{"file": r.file, "name": r.name, "problems": list(r.problems)} for r in results]))
    else:
        how = "bad" if failed else "good"
        print(terminal.mark(f"{len(results) - failed} of {len(results)} as expected", how))
    return 1 if failed else 0


def _print(terminal: Terminal, result: Result) -> None:
    if not result.problems:
        print(f"{terminal.mark('ok', 'good')}      {result.name}")
        return
    print(f"{terminal.mark('FAILED', 'bad')}  {result.name}  ({result.place})")
    for problem in result.problems:
        print(f"        {problem}")


def _write_junit(path: Path, results: list[Result]) -> None:
    """Write the results as JUnit XML, which build servers read."""
    from xml.etree import ElementTree as Xml

    failed = sum(bool(result.problems) for result in results)
    suite = Xml.Element(
        "testsuite", name="tocsinctl test", tests=str(len(results)), failures=str(failed), errors="0"
    )
    for result in results:
        case = Xml.SubElement(suite, "testcase", classname=result.file, name=result.name)
        if result.problems:
            failure = Xml.SubElement(case, "failure", message=result.problems[0])
            failure.text = "\n".join([result.place, *result.problems])
    try:
        Xml.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise CommandError(f"{path}: cannot be written: {error.strerror or error}") from None


COMMAND: Final = Command(
    run,
    flags=(
        Flag("config.file", "The configuration, instead of the one that the files name", FILE, value="FILE"),
        Flag("junit", "Write the results in JUnit's form, too", FILE, value="FILE"),
        Flag("quiet", "Print failures and the sum only", SWITCH, short="q"),
    ),
    arguments=(Argument("files", "YAML with tests", FILE, least=1),),
    description="""\
Each test says which alerts fire, at what time, with which silences, and what must become of them:

    config: alertmanager.yml
    tests:
      - name: a database pages at night
        time: 2026-01-05T03:00:00Z
        alerts:
          - labels: {alertname: Down, team: db, severity: page}
            receivers: [db-pager]
          - labels: {alertname: Slow, team: db, severity: warning}
            muted: inhibited

Nothing is sent and no node is asked. docs/tocsinctl.md has all keys.""",
)
