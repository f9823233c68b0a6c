"""``silence import --keep-ids``: uses Tocsin's own API, as API v2 refuses ids that the node does not know."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tocsin.cli.asking import ask, say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.run import CommandError
from tocsin.client.answers import Json
from tocsin.client.api import Api, ApiError
from tocsin.client.tocsin import post
from tocsin.errors import TocsinError
from tocsin.models.silenceimport import SilenceImported


class _Tried(NamedTuple):
    id: str
    imported: bool = False
    error: str = ""


def import_all(invocation: Invocation, silences: Sequence[Json], workers: int) -> int:
    """Make each silence, or find that it exists. Exit status 1 if one failed; the others are made."""
    api = ask(invocation)
    tried = [
        _try(api, one) for one in silences[:1]
    ]  # The first one alone: if the node lacks the API, all others would fail too.
    with ThreadPoolExecutor(workers) as pool:
        tried += pool.map(lambda one: _try(api, one), silences[1:])
    imported = [one.id for one in tried if one.imported]
    there = [one.id for one in tried if not one.imported and not one.error]
    failed = [one for one in tried if one.error]
    if invocation.output == "json":
        from tocsin.client.formats import to_json

        refused = [{"id": one.id, "error": one.error} for one in failed]
        say(to_json({"imported": imported, "there": there, "refused": refused}))
    else:
        say("".join(f"{one.id}\n" for one in tried if not one.error))
        for one in failed:
            print(f"Error importing silence id='{one.id}': {one.error}", file=sys.stderr)
        if there:
            print(f"{len(there)} of {len(silences)} silences were there already", file=sys.stderr)
    if failed:
        raise CommandError(f"couldn't import {len(failed)} out of {len(silences)} silences")
    return 0


def _try(api: Api, silence: Json) -> _Tried:
    sent = {name: value for name, value in silence.items() if name not in ("status", "updatedAt")}
    identifier = str(silence.get("id", ""))
    try:
        return _Tried(identifier, post(api, "/silences/import", sent, SilenceImported).imported)
    except ApiError as error:
        if error.status in (404, 405):
            problem = f"{api.node_url.base} cannot keep ids, as an Alertmanager and older Tocsin nodes cannot"
            raise CommandError(f"{problem}; without --keep-ids they are imported under new ones") from None
        return _Tried(identifier, error=str(error))
    except TocsinError as error:
        return _Tried(identifier, error=str(error))
