"""Shared by commands that make silences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tocsin.alerting.matcher import Matcher
from tocsin.cli.commandline.run import CommandError


def span(text: str) -> int:
    """A duration in Prometheus' notation, not zero. Raises ValueError."""
    from tocsin.alerting.duration import parse_duration

    found = parse_duration(text)
    if not found:
        raise CommandError("silence duration must be greater than 0")
    return found


def as_json(matchers: Sequence[Matcher]) -> list[dict[str, Any]]:
    """Matchers as the API takes them."""
    return [
        {
            "isEqual": one.type.is_equal,
            "isRegex": one.type.is_regex,
            "name": one.name,
            "value": one.value,
        }
        for one in matchers
    ]


def username() -> str:
    """The name of the user who runs the tool; empty if unknown."""
    import os
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return os.environ.get("USER", "")
