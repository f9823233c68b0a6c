"""Acknowledgements are looked at in steps: anybody who may silence can make thousands for each alert."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tocsin.alerting.silence import SilenceState
from tocsin.alerting.steps import Steps
from tocsin.node import acknowledging
from tocsin.node.acknowledging import Acknowledging


def finished(names: tuple[str, ...]) -> Steps[tuple[str, ...]]:
    return names
    yield


def test_others_get_their_turn_between_the_silences_of_one_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acknowledging, "SLICE", 10)
    names = tuple([f"silence {each}" for each in range(200)])
    silence = SimpleNamespace(state_at=lambda _now: SilenceState.ACTIVE, starts_at=0)
    silences = SimpleNamespace(
        acknowledgements=names,
        get=lambda _name: silence,
        looking_up=lambda _labels: None,
        muting=lambda _labels, _now, _most: finished(names),
    )
    alerts = [SimpleNamespace(labels=each, resolved_at=lambda _now: False) for each in range(3)]

    assert turns_of(silences, alerts) >= 3 * 200 // 10


def test_others_get_their_turn_where_there_are_many_acknowledgements_and_no_alert(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(acknowledging, "SLICE", 10)
    silence = SimpleNamespace(state_at=lambda _now: SilenceState.ACTIVE, starts_at=0)
    names = {f"silence {each}" for each in range(2000)}
    silences = SimpleNamespace(acknowledgements=names, get=lambda _name: silence)
    assert turns_of(silences, []) >= 2000 // 10


def turns_of(silences: SimpleNamespace, alerts: list[SimpleNamespace]) -> int:
    """Iterations of the event loop that others have during an evaluation."""

    async def main() -> int:
        parts: Any = cast("Any", SimpleNamespace)(all=lambda: alerts, now=lambda: 1)
        evaluate = Acknowledging(
            parts, cast("Any", silences), parts, expire=parts, wait=lambda: 0, clock=parts, log=parts
        ).evaluate()
        looking = asyncio.create_task(evaluate)
        turns = 0
        while not looking.done():
            turns += 1
            await asyncio.sleep(0)
        await looking
        return turns

    return asyncio.run(main())
