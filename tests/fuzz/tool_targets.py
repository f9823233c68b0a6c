"""Targets in the tool: what a node answers, read and shown."""

from __future__ import annotations

import json

from tocsin.client import formats
from tocsin.client.answers import read_alerts, read_silences, read_status
from tocsin.client.dates import DEFAULT_LAYOUT


def answers(data: bytes) -> None:
    """The first byte says of which call the rest is the answer. What is read can be shown in every form."""
    kind, body = data[:1], data[1:]
    for output in ("simple", "extended", "json"):
        if kind == b"a":
            shown = formats.alerts(read_alerts(body), output, DEFAULT_LAYOUT)
        elif kind == b"s":
            shown = formats.silences(read_silences(body), output, DEFAULT_LAYOUT)
        else:
            status = read_status(body)
            shown = formats.cluster(status["cluster"], output)
            formats.configuration(status, output)
        if output == "json":
            json.loads(shown)
