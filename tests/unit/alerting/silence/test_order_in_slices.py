"""Many silences, which are put in order in slices."""

from __future__ import annotations

from random import Random

import pytest

from tocsin.alerting import steps
from tocsin.alerting.matcher import parse_matchers
from tocsin.alerting.silence import Silence, Silences
from tocsin.alerting.timestamp import SECOND

NOW = 1795484000 * SECOND
HOUR = 3600 * SECOND


@pytest.mark.parametrize("slices", [1, 3, 7, 49, 50])
def test_the_order_is_the_same_in_however_many_slices(monkeypatch: pytest.MonkeyPatch, slices: int) -> None:
    random, state = Random(1), Silences(HOUR, random=Random(2))
    matchers = (parse_matchers('a="b"'),)
    for _ in range(50):
        start = NOW + random.randrange(3) * HOUR
        asked = Silence(
            "", matchers, start, start + random.randrange(1, 5) * HOUR, created_by="me", comment="c"
        )
        state.set(asked, NOW)
    expected = [one.id for one in state.query(NOW + 2 * HOUR)]
    assert len(expected) == 50
    monkeypatch.setattr(steps, "SORTED_AT_ONCE", slices)
    assert [one.id for one in state.query(NOW + 2 * HOUR)] == expected
