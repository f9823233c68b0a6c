"""``silence import``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from tocsin.cli.asking import ask
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import EXISTING_FILE, NUMBER, SWITCH, Argument, Command, Flag, UsageError
from tocsin.cli.commandline.run import CommandError
from tocsin.client.answers import Json
from tocsin.client.api import Api, ApiError
from tocsin.errors import TocsinError

MAX_BYTES: Final = 256 << 20
MAX_WORKERS: Final = 64


def run(invocation: Invocation) -> int:
    """Make each silence in a file. Exit status 1 if one failed; the others are made."""
    keep_ids = invocation.on("keep-ids")
    if keep_ids and invocation.on("force"):
        raise UsageError("--force makes new ids, and --keep-ids keeps them: give one of them")
    silences = read_silences(invocation.arguments[0] if invocation.arguments else "")
    if keep_ids:
        from tocsin.cli.keepingids import import_all

        return import_all(invocation, silences, _workers(invocation))
    if invocation.on("force"):
        silences = [{name: value for name, value in one.items() if name != "id"} for one in silences]
    api = ask(invocation)
    workers = _workers(invocation)
    if workers == 1 or len(silences) < 2:
        failed = sum(not _add(api, one) for one in silences)
    else:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(workers) as pool:
            failed = sum(not done for done in pool.map(lambda one: _add(api, one), silences))
    if failed:
        raise CommandError(f"couldn't import {failed} out of {len(silences)} silences")
    return 0


def _workers(invocation: Invocation) -> int:
    return max(1, min(invocation.number("worker"), MAX_WORKERS))


def read_silences(path: str) -> list[Json]:
    """A list of silences in JSON, from a file or, where ``path`` is empty, standard input."""
    import json

    try:
        if path:
            with Path(path).open("rb") as file:
                text = file.read(MAX_BYTES)
        else:
            text = sys.stdin.buffer.read(MAX_BYTES)
    except OSError as error:
        raise CommandError(f"open {path}: {(error.strerror or str(error)).lower()}") from None
    problem = "couldn't unmarshal input data, is it JSON?: "
    if not text.strip():
        raise CommandError(f"{problem}EOF")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{problem}{error}") from None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise CommandError(f"{problem}expected a list of silences, as silence query -o json prints it")
    return found


def _add(api: Api, silence: Json) -> bool:
    sent = {name: value for name, value in silence.items() if name not in ("status", "updatedAt")}
    try:
        try:
            made = api.post_silence(sent)
        except ApiError as error:
            if error.status != 404:
                raise
            # The node does not have it: make a new one.
            made = api.post_silence({name: value for name, value in sent.items() if name != "id"})
    except TocsinError as error:
        print(f"Error adding silence id='{silence.get('id', '')}': {error}", file=sys.stderr)
        return False
    print(made)
    return True


COMMAND: Final = Command(
    run,
    flags=(
        Flag("force", "Make new silences also for those that exist", SWITCH, short="f"),
        Flag("keep-ids", "Under the ids that they had; asks a Tocsin node", SWITCH, own=True),
        Flag("worker", "How many are made at the same time", NUMBER, short="w", default="8"),
    ),
    arguments=(Argument("input-file", "JSON, as silence query -o json prints it", EXISTING_FILE, most=1),),
    description="""\
Reads standard input where no file is given:

    silence query -o json DiskFull > silences.json
    silence import silences.json""",
)
