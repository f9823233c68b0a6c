"""Counting fields before a message is parsed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.faults.hostile import forge
from tests.support.state_payloads import state_payloads
from tocsin.alerting.protocol import read_delimited
from tocsin.alerting.protocol.fields import MAX_FIELDS, is_crowded
from tocsin.alerting.protocol.silence_pb2 import Silence


def _message(what: str, count: int) -> bytes:
    return bytes(next(read_delimited(forge.crowded_silence(what, count))))


def test_fields_within_are_counted_and_no_others() -> None:
    assert not is_crowded(_message("annotations", MAX_FIELDS - 100), 1)
    assert is_crowded(_message("annotations", MAX_FIELDS), 1)
    assert not is_crowded(_message("annotations", MAX_FIELDS), 2)
    assert is_crowded(b"\x0a\x00" * (MAX_FIELDS + 1), 1)
    deep = _message("matchers of one set", MAX_FIELDS)
    assert not is_crowded(deep, 1)
    assert is_crowded(deep, 1, Silence.DESCRIPTOR.fields_by_name["matcher_sets"].number)


def test_what_has_groups_is_crowded_as_they_are_not_counted() -> None:
    group = b"\x9b\x06\x9c\x06"  # of an unknown field, which the parser takes
    assert is_crowded(group + _message("annotations", MAX_FIELDS), 1)
    assert not is_crowded(group, 1)


def test_what_alertmanager_wrote_is_not_crowded() -> None:
    for key in ("sil", "nfl"):
        for payload in state_payloads(key):
            assert not any(is_crowded(each, 1) for each in read_delimited(payload.data))


@given(st.binary(max_size=64), st.integers(0, 3))
def test_any_bytes_have_an_answer(some: bytes, within: int) -> None:
    is_crowded(some * 1000, within)
