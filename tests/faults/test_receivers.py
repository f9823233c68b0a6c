"""Some captures of each kind of receiver: the daemon sends what Alertmanager sends, and shows no secret.

``make receivers`` plays all of them.
"""

from __future__ import annotations

import asyncio
import sys

import pytest

from tests.receivers.captures import Capture, chosen, load
from tests.receivers.compare import Result, differences
from tests.receivers.daemon import RefusedError
from tests.receivers.play import Play, certificates, play_all
from tests.receivers.secrets import rude, secrets_of, shown
from tocsin.notify.integrations.registry import KINDS

SENT_TO = {kind.name for kind in KINDS}
CAPTURES = [capture for capture in chosen(load()) if capture.kind in SENT_TO]
RUDE = [changed for changed in map(rude, CAPTURES) if secrets_of(changed)]
OURS = f"{sys.executable} -m tocsin.cli.daemon {{args}}"
JOBS = 4


class Played:
    """What all of them did; what was shown of secrets; and what the log said."""

    def __init__(self, captures: list[Capture]) -> None:
        self.shown: dict[str, list[str]] = {}
        self.logs: dict[str, str] = {}
        with certificates() as tls:
            plays = [Play(capture, OURS, tls, "--log.level=debug") for capture in captures]
            results = asyncio.run(play_all(plays, JOBS, self._look))
        names = [capture.name for capture in captures]
        self.results: dict[str, list[Result] | RefusedError] = dict(zip(names, results, strict=True))

    async def _look(self, play: Play) -> None:
        self.shown[play.capture.name] = await shown(play)
        self.logs[play.capture.name] = play.log()


@pytest.fixture(scope="module")
def played() -> Played:
    return Played(CAPTURES)


@pytest.fixture(scope="module")
def refused() -> Played:
    return Played(RUDE)


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.name)
def test_it_sends_what_alertmanager_sends(played: Played, capture: Capture) -> None:
    result = played.results[capture.name]
    assert not isinstance(result, RefusedError), result
    found = differences(capture, result)
    assert not found, "\n".join(found)
    assert not played.shown[capture.name]


@pytest.mark.parametrize("capture", RUDE, ids=lambda capture: capture.name)
def test_a_server_that_gives_secrets_back_makes_none_known(refused: Played, capture: Capture) -> None:
    result = refused.results[capture.name]
    assert not isinstance(result, RefusedError), result
    assert secrets_of(capture)
    assert not refused.shown[capture.name]
    assert "hush" not in refused.logs[capture.name]


def test_every_kind_has_its_captures() -> None:
    assert {capture.kind for capture in CAPTURES} == SENT_TO
