"""Shared by all commands that send requests to a node."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tocsin.cli.commandline.run import CommandError
from tocsin.cli.matching import check_features
from tocsin.client.api import Api
from tocsin.errors import TocsinError

if TYPE_CHECKING:
    from tocsin.cli.commandline.invocation import Invocation


def ask(invocation: Invocation) -> Api:
    """The node of ``--alertmanager.url``; with a warning, if it is asked for, where versions differ."""
    check_features(invocation)
    settings = invocation.settings
    api = Api(settings)
    if settings.check_version:
        _compare_versions(api, invocation)
    return api


def _compare_versions(api: Api, invocation: Invocation) -> None:
    from tocsin import ALERTMANAGER_VERSION

    try:
        theirs = str(api.status()["versionInfo"]["version"])
    except (TocsinError, KeyError, TypeError):
        return  # The command itself will report the error.
    if theirs.split(".")[:2] != ALERTMANAGER_VERSION.split(".")[:2]:
        print(
            f"Warning: {invocation.program.name} version ({ALERTMANAGER_VERSION}) and alertmanager version"
            f" ({theirs}) are different.",
            file=sys.stderr,
        )


def moment(name: str, text: str) -> str:
    """RFC 3339, for a flag's time or how long ago it was. :class:`CommandError`."""
    from tocsin.alerting.duration import parse_duration
    from tocsin.client import dates

    try:
        return dates.written(dates.after(dates.now(), -parse_duration(text)))
    except ValueError:
        pass
    try:
        return dates.written(dates.parse(text))
    except ValueError:
        problem = f"--{name}={text}: write a time as 2026-11-30T03:00:00Z, or how long ago: 2h"
        raise CommandError(problem) from None


def say(text: str) -> None:
    """Print, whatever the locale: what comes from a node is UTF-8. A terminal gets nothing that it obeys."""
    sys.stdout.flush()
    if sys.stdout.isatty():
        text = harmless(text)
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


def harmless(text: str) -> str:
    """``text`` without terminal control sequences and marks that change the direction of writing."""
    from tocsin.text import plain

    return "".join(one if one.isprintable() or one == "\n" else plain(one) for one in text)
