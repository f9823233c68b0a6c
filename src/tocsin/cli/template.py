"""``tocsinctl template``: try notification templates without sending anything."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_commands(commands: Subparsers) -> None:
    """Add ``template`` and its own commands to ``tocsinctl``."""
    template = commands.add_parser("template", help="try notification templates", allow_abbrev=False)
    verbs = template.add_subparsers(metavar="COMMAND", required=True)
    _add_render(verbs)
    command = verbs.add_parser(
        "test",
        help="compare what templates render with what they ought to",
        description="Check every expectation in FILE. Exit status 1 if one was not met.",
        allow_abbrev=False,
    )
    command.add_argument("file", metavar="FILE", type=Path, help="YAML: docs/templates.md shows one")
    command.set_defaults(run=run_test)


def _add_render(verbs: Subparsers) -> None:
    command = verbs.add_parser(
        "render",
        help="print what a template renders",
        description="Render a text with the templates of some files, as amtool template render does.",
        allow_abbrev=False,
    )
    command.add_argument(
        "--template.glob",
        dest="globs",
        metavar="GLOB",
        action="append",
        default=[],
        help="files to read; may be given several times",
    )
    command.add_argument(
        "--template.text", dest="text", metavar="TEXT", required=True, help="what is rendered"
    )
    command.add_argument(
        "--template.type",
        dest="kind",
        choices=("text", "html"),
        default="text",
        help="how values are escaped (default: %(default)s)",
    )
    command.add_argument(
        "--template.data",
        dest="data",
        metavar="FILE",
        type=Path,
        help="JSON of the notification's data; without it a sample is used",
    )
    command.add_argument(
        "--defaults", action="store_true", help="have the built-in templates too, as a node has"
    )
    command.set_defaults(run=run_render)


def run_render(arguments: argparse.Namespace) -> int:
    """``tocsinctl template render``: the rendered text, and not a byte more, on standard output."""
    from tocsin.notify.template import Field, load_templates
    from tocsin.notify.template.expectations import read_data
    from tocsin.notify.template.sample import sample

    templates = load_templates(arguments.globs, defaults=arguments.defaults)
    data = read_data(arguments.data) if arguments.data is not None else sample(time.time_ns())
    field = Field("--template.text", arguments.text)
    rendered = templates.html(field, data) if arguments.kind == "html" else templates.text(field, data)
    sys.stdout.buffer.write(rendered.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()
    return 0


def run_test(arguments: argparse.Namespace) -> int:
    """``tocsinctl template test``: a line for each expectation."""
    from tocsin.notify.template.expectations import check_file

    failed = total = 0
    for result in check_file(arguments.file):
        total += 1
        if result.problem:
            failed += 1
            print(f"FAILED {result.name}\n  {result.problem}")
        else:
            print(f"ok     {result.name}")
    print(f"{total - failed} of {total} as expected")
    return 1 if failed else 0
