"""The arithmetic of the benchmarks: verdicts and texts must be right, or the table lies."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest

from benchmarks.__main__ import ROWS
from benchmarks.connection import Connection
from benchmarks.relay import Relays
from benchmarks.report import Results, number, ratio, table
from benchmarks.row import (
    LEAST_NOISE,
    ONE_TRIAL_NOISE,
    Figure,
    Outcome,
    Row,
    Samples,
    Target,
    change,
    median,
    noise,
    p99,
)
from benchmarks.states import (
    Matchers,
    all_but_one_shared,
    name_or_instance,
    negative,
    own_name,
    write_silences,
)
from tests.support.eventually import eventually
from tests.support.sink import WebhookSink
from tocsin.alerting.silence import Silences


@pytest.mark.parametrize(
    ("target", "ours", "theirs", "met"),
    [
        (Target(factor=0.05), 5.0, 100.0, True),
        (Target(factor=0.05), 5.1, 100.0, False),
        (Target(factor=50, at_least=True), 1500.0, 30.0, True),
        (Target(factor=50, at_least=True), 1499.0, 30.0, False),
        (Target(limit=6), 6.0, None, True),
        (Target(limit=6), math.inf, 3.0, False),
        (Target(factor=1), 3.0, math.inf, True),
        (Target(factor=1), 3.0, None, None),
        (Target(limit=6), None, 3.0, None),
        (Target(factor=2, limit=10), 11.0, 100.0, False),
        (Target(factor=1, plus=1.5), 5.5, 4.0, True),
        (Target(factor=1, plus=1.5), 5.6, 4.0, False),
        (Target(), 1.0, 1.0, None),
    ],
)
def test_when_a_target_is_met(
    target: Target, ours: float | None, theirs: float | None, met: bool | None
) -> None:
    assert target.met(ours, theirs) is met


@pytest.mark.parametrize(
    ("samples", "middle", "high"),
    [
        ([3.0], 3.0, 3.0),
        ([1.0, 3.0], 2.0, 3.0),
        ([1.0, math.inf], 1.0, math.inf),
        ([math.inf, math.inf], math.inf, math.inf),
        ([float(n) for n in range(1, 101)], 50.5, 99.0),
    ],
)
def test_samples_become_one_number(samples: Sequence[float], middle: float, high: float) -> None:
    assert median(samples) == middle
    assert p99(samples) == high


@pytest.mark.parametrize(
    ("before", "now", "at_least", "word"),
    [
        (100.0, 104.0, False, "as before (+4%, noise 5%)"),
        (100.0, 120.0, False, "WORSE (+20%, noise 5%)"),
        (100.0, 80.0, False, "better (-20%, noise 5%)"),
        (100.0, 120.0, True, "better (+20%, noise 5%)"),
        (100.0, math.inf, False, "changed"),
        (math.inf, math.inf, False, ""),
    ],
)
def test_what_became_of_a_figure(before: float, now: float, at_least: bool, word: str) -> None:
    assert change(before, now, 0.05, at_least=at_least) == word


def test_noise_is_what_the_samples_span_and_one_trial_says_nothing_of_it() -> None:
    assert noise([10.0]) == noise([]) == noise([0.0, 0.0, 0.0]) == ONE_TRIAL_NOISE
    assert noise([10.0] * 9) == LEAST_NOISE
    assert noise([5.0, 10.0, 15.0]) == pytest.approx(0.25 * 2 / math.sqrt(3))
    assert noise([5.0, 10.0, 15.0] * 200) == LEAST_NOISE


def test_a_row_says_what_became_of_it_since_it_was_kept() -> None:
    row = Row("r", "how", (Figure("a", "A", "ms"),), lambda *_: {})
    results = Results()
    runs: list[tuple[list[float], bool]] = [([10.0] * 5, False), ([20.0] * 5, False), ([1.0] * 5, True)]
    for values, quick in runs:
        results.add(row, {"tocsin": Outcome({"a": values})}, quick=quick, notes=[], seconds=1)
        if values[0] == 20.0:
            assert results.change(row, row.figures[0]) == "WORSE (+100%, noise 7%)"
        else:
            assert results.change(row, row.figures[0]) == "", "nothing before, or of another length"


def test_figures_as_a_person_reads_them() -> None:
    assert number(None, "s") == "not measured"
    assert number(math.inf, "s") == "not in the time watched"
    assert number(0.01234, "s") == "0.0123 s"
    assert number(2690.0, "") == "2,690"
    assert ratio(5.0, 100.0) == "0.05"
    assert ratio(1500.0, 10.0) == "150"
    assert ratio(math.inf, 10.0) == ratio(1.0, 0.0) == ratio(None, 1.0) == "-"


def test_a_row_from_samples_to_the_table() -> None:
    def never(*_: object) -> Samples:
        raise NotImplementedError

    row = Row("example", "It does something.", (Figure("t", "an example", "s", Target(limit=6)),), never)
    results = Results()
    results.add(row, {"alertmanager": Outcome({"t": [math.inf]})}, quick=False, notes=[], seconds=1.0)
    results.add(row, {"tocsin": Outcome({"t": [4.0, 5.0, 9.0]})}, quick=False, notes=[], seconds=1.0)
    assert table([row], results)[-1] == (
        "| an example | not in the time watched | 5 s | - | ≤ 6 s | yes |"
    ), "each kind may be measured by itself"
    results.add(row, {"tocsin": Outcome({"t": [7.0]})}, quick=True, notes=[], seconds=1.0)
    assert table([row], results)[-1] == "| an example | not measured | 7 s | - | ≤ 6 s | **no** |", (
        "a quick figure never stands beside one of a full run"
    )


def test_the_rows_have_names_of_their_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert len({figure.key for figure in row.figures}) == len(row.figures)


def test_a_relay_passes_on_and_counts() -> None:
    with WebhookSink() as sink, Relays() as relays:
        relayed = f"http://127.0.0.1:{relays.add(sink.port)}/"
        with Connection(relayed) as connection:
            connection.post("/", b'{"alerts": [], "externalURL": ""}')
            assert relays.open_connections == relays.counted.connections == 1
            eventually(lambda: relays.counted.bytes > 100, "the bytes are counted")
        eventually(lambda: relays.open_connections == 0, "the relay has seen the end")
        with Connection(relayed):
            eventually(lambda: relays.counted.connections == 2, "a second connection is counted")


@pytest.mark.parametrize("matchers", [own_name, name_or_instance, all_but_one_shared, negative])
def test_the_stored_silences_can_be_loaded(tmp_path: Path, matchers: Callable[[int], Matchers]) -> None:
    ids = write_silences(tmp_path, 10, matchers)
    silences = Silences(3600 * 10**9, random=Random(1))
    result = silences.load((tmp_path / "silences").read_bytes(), time.time_ns())
    assert (result.taken, result.refused_count) == (10, 0)
    assert all(silences.get(identifier) for identifier in ids)


def test_the_connection_is_kept() -> None:
    with WebhookSink() as sink, Connection(sink.url) as connection:
        for _ in range(3):
            assert connection.post("/", b'{"alerts": [], "externalURL": ""}') == (200, b"")
        assert len(sink.all()) == 3
