"""Many matchers in few silences hold nobody up who asks for something else."""

from __future__ import annotations

import asyncio
import threading
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.requests import Request

from tocsin.alerting.matcher import ParserMode
from tocsin.alerting.silence import Silence, Silences, make_matcher_sets
from tocsin.alerting.timestamp import SECOND
from tocsin.node.api.lists import LongAnswers
from tocsin.node.api.silences import IN_THREAD_BYTES, SilenceOperations
from tocsin.node.api.statistics import AnswerStatistics

NOW = 1_800_000_000 * SECOND
HOUR = 3600 * SECOND


class Watched(Silences):
    """Knows which thread asked it."""

    asked_by = 0

    def query(self, *given: Any, **more: Any) -> list[Silence]:
        self.asked_by = threading.get_ident()
        return super().query(*given, **more)


def of(matchers: int) -> Silence:
    sets = make_matcher_sets([[(0, f"name{number}", "x" * 200) for number in range(matchers)]])
    return Silence("", sets, NOW, NOW + HOUR, created_by="test", comment="")


@pytest.mark.parametrize(("matchers", "beside"), [(1, False), (1000, True)])
def test_large_ones_are_looked_through_beside_the_loop(matchers: int, beside: bool) -> None:
    silences = Watched(HOUR, random=Random(1))
    for _ in range(4):
        silences.set(of(matchers), NOW)
    assert (silences.total_bytes > IN_THREAD_BYTES) is beside
    backend = cast("Any", SimpleNamespace(silences=silences, now=lambda: NOW))
    request = Request({"type": "http", "query_string": b"filter=name0%3Dnothing", "headers": []})
    operations = SilenceOperations(backend, ParserMode.FALLBACK, LongAnswers(AnswerStatistics()))
    answer = asyncio.run(operations.get(request))
    assert answer.body == b"[]\n"
    assert (silences.asked_by != threading.get_ident()) is beside
