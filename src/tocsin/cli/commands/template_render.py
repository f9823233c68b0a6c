"""``template render``, with amtool's options."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from tocsin.cli.asking import say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import READABLE_FILE, SWITCH, Command, Flag, choice


def run(invocation: Invocation) -> int:
    """Print the rendered text, without a newline after it."""
    import sys

    from tocsin.notify.template import Field, load_templates
    from tocsin.notify.template.expectations import read_data
    from tocsin.notify.template.sample import sample

    templates = load_templates(invocation.texts("template.glob"), defaults=invocation.on("defaults"))
    file = invocation.text("template.data")
    data = read_data(Path(file)) if file else sample(time.time_ns())
    field = Field("--template.text", invocation.text("template.text"))
    html = invocation.text("template.type") == "html"
    rendered = templates.html(field, data) if html else templates.text(field, data)
    say("")
    sys.stdout.buffer.write(rendered.encode("utf-8", "surrogateescape"))
    return 0


COMMAND: Final = Command(
    run,
    flags=(
        Flag("template.glob", "Files to read", many=True, required_by_amtool=True, value="GLOB"),
        Flag("template.text", "What is rendered", required=True, value="TEXT"),
        Flag("template.type", "How values are escaped: text (default) or html", choice("html", "text")),
        Flag(
            "template.data",
            "JSON of a notification's data; without it a sample is used",
            READABLE_FILE,
            value="FILE",
        ),
        Flag("defaults", "Have the built-in templates too, as a node has", SWITCH, own=True),
    ),
)
