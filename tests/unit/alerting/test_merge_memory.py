"""A payload of many entries is checked as a whole, and then decoded one by one: never all of them at once."""

from __future__ import annotations

import tracemalloc
from random import Random

import pytest

from tocsin.alerting.protocol import silence_pb2
from tocsin.alerting.protocol.delimited import delimit
from tocsin.alerting.silence import Silences
from tocsin.alerting.timestamp import SECOND
from tocsin.errors import StateError

NOW = 1_800_000_000 * SECOND


def silence(number: int, *, ends: int) -> bytes:
    mesh = silence_pb2.MeshSilence()
    mesh.silence.matchers.add(name="a", pattern="b")
    mesh.silence.id = f"silence-{number}"
    mesh.silence.starts_at.seconds = 1_750_000_000
    mesh.silence.updated_at.seconds = 1_750_000_000
    mesh.silence.ends_at.seconds = ends
    mesh.expires_at.seconds = ends
    return delimit(mesh.SerializeToString())


def test_entries_that_are_not_kept_take_no_memory() -> None:
    data = b"".join(silence(number, ends=1_760_000_000) for number in range(20_000))
    held = Silences(SECOND, random=Random(0))
    tracemalloc.start()
    try:
        result = held.merge(data, NOW)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result.expired == 20_000
    assert peak < 1 << 20


def test_still_nothing_is_merged_of_a_payload_that_does_not_decode_to_its_end() -> None:
    held = Silences(SECOND, random=Random(0))
    with pytest.raises(StateError):
        held.merge(silence(1, ends=1_900_000_000) + b"\x02\x0a\xff", NOW)
    assert not len(held)
