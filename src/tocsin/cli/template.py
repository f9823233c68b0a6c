"""``tocsinctl template test``: compares the output of templates with expectations."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tocsin.cli.asking import say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import FILE, Argument, Command
from tocsin.client.formats import to_json


def run_test(invocation: Invocation) -> int:
    """``tocsinctl template test``: a line for each expectation."""
    from tocsin.notify.template.expectations import check_file

    failed = total = 0
    results = list(check_file(Path(invocation.arguments[0])))
    if invocation.output == "json":
        say(to_json([{"name": result.name, "problem": result.problem} for result in results]))
        return 1 if any(result.problem for result in results) else 0
    for result in results:
        total += 1
        if result.problem:
            failed += 1
            print(f"FAILED {result.name}\n  {result.problem}")
        else:
            print(f"ok     {result.name}")
    print(f"{total - failed} of {total} as expected")
    return 1 if failed else 0


TEST: Final = Command(
    run_test,
    arguments=(Argument("file", "YAML: docs/templates.md shows one", FILE, least=1, most=1),),
    description="Checks every expectation in the file. Exit status 1 if one fails.",
)
