"""Entries of peers that hold many small things: refused by their number before any of them is looked at, in
steps, and weighed by what they take in memory."""

from __future__ import annotations

import time
import tracemalloc
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from tests.faults.hostile import forge
from tocsin.alerting.labels import Labels
from tocsin.alerting.merging import BYTES_IN_STEP
from tocsin.alerting.nflog import NotificationLog
from tocsin.alerting.replicated import ReplicatedState
from tocsin.alerting.silence import Silences
from tocsin.alerting.silence.validate import MAX_ANNOTATIONS
from tocsin.alerting.timestamp import SECOND
from tocsin.errors import ValidationError

NOW = time.time_ns()
MANY = 40_000


def silences() -> Silences:
    return Silences(SECOND, random=Random(0))


def log() -> NotificationLog:
    return NotificationLog(SECOND)


FULL = "matcher_sets", "sets of one", "matchers", "matchers of one set"
CROWDED = [
    *((silences, forge.crowded_silence(what, MANY)) for what in FULL),
    (silences, forge.crowded_silence("annotations", MANY)),
    (log, forge.crowded_log_entry("receiver_data", MANY)),
    (log, forge.crowded_log_entry("firing_alerts", 200_000)),
]


@pytest.mark.parametrize(("made", "data"), CROWDED)
def test_what_has_too_many_of_something_is_refused_before_it_is_looked_at(made: Any, data: bytes) -> None:
    state = made()
    tracemalloc.start()
    try:
        result = state.merge(data, NOW)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (result.taken, result.refused_count) == (0, 1)
    assert "limit" in result.refused[0]
    assert peak < 64 * 1024 + len(data) // 16  # Not an object for each of them.


def test_an_entry_past_the_size_of_any_is_not_even_read() -> None:
    state = silences()
    result = state.merge(forge.crowded_silence("comments", 600_000), NOW)
    assert "bytes, the limit is" in result.refused[0]


def test_of_merges_under_way_only_one_keeps_what_it_has_parsed() -> None:
    state = log()
    data = b"".join([forge.crowded_log_entry("firing_alerts", 500, f"group {n}") for n in range(100)])
    jobs = [state.merge_job(data, NOW) for _ in range(8)]
    for job in jobs:
        job.step(50)
    assert [bool(job._parsed) for job in jobs] == [True, *[False] * 7]
    assert len(data) > sum(len(job._parsed) for job in jobs)
    del jobs[0], job  # Its sender is gone: another may keep some.
    later = state.merge_job(data, NOW)
    later.step(50)
    assert later._parsed
    for each in (*jobs, later):
        while not each.step():
            pass
    assert len(state) == 100


def test_large_entries_take_a_step_each() -> None:
    one = forge.crowded_log_entry("firing_alerts", 50_000)
    data = b"".join([forge.crowded_log_entry("firing_alerts", 50_000, f"group {n}") for n in range(5)])
    assert len(one) > BYTES_IN_STEP
    state = log()
    job, steps = state.merge_job(data, NOW), 1
    while not job.step(64):
        steps += 1
        assert len(state) <= max(0, steps - 5)
    assert len(state) == 5


def test_entries_are_weighed_by_the_memory_they_take() -> None:
    state = NotificationLog(SECOND, max_total_bytes=4 << 20)
    data = b"".join([forge.crowded_log_entry("firing_alerts", 50_000, f"group {n}") for n in range(20)])
    result = state.merge(data, NOW)
    assert 1 <= result.taken <= 2
    assert "limit" in result.refused[0]
    _weighs_what_it_holds(state)
    state.gc(NOW + 10**9 * SECOND)
    assert state.total_weight == state.total_bytes == 0


def _weighs_what_it_holds(state: ReplicatedState[Any]) -> None:
    assert state.total_weight == sum(state._weight(entry) for entry in state)
    assert state.total_bytes == sum(len(entry.encoded) for entry in state)


def test_as_many_annotations_may_be_made_here_as_are_taken_elsewhere() -> None:
    here, there = silences(), silences()
    there.merge(forge.crowded_silence("annotations", 1), NOW)
    [known] = there.replicated
    most = replace(known, id="", annotations=Labels({str(n): "" for n in range(MAX_ANNOTATIONS)}))
    _, [change] = here.set(most, NOW)
    assert there.merge(change, NOW).taken == 1
    with pytest.raises(ValidationError, match="annotations, the limit is 1024"):
        here.set(replace(most, annotations=Labels({**most.annotations, "x": ""})), NOW)
