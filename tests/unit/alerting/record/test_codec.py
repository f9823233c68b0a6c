"""Records come back from their bytes as they were; what is no record is refused in one way."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.alerting.record.codec import VERSION, NewerRecordError, decode, encode
from tocsin.alerting.record.model import (
    AlertRecord,
    AttemptRecord,
    DeliveryRecord,
    FlushRecord,
    LogRecord,
    MuteRecord,
    YieldRecord,
)
from tocsin.errors import StateError

moments = st.integers(-(1 << 62), 1 << 63)
counts = st.integers(0, 1 << 20)
texts = st.text(max_size=20)
fingerprints = st.integers(0, (1 << 64) - 1)
pairs = st.dictionaries(texts, texts, max_size=4).map(lambda found: tuple(sorted(found.items())))
maybe = st.none() | moments


def several(strategy: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=most).map(tuple)


alerts = st.builds(AlertRecord, fingerprint=fingerprints, labels=pairs, starts_at=moments, ends_at=moments)
mutes = st.builds(
    MuteRecord,
    reason=texts,
    at=moments,
    alerts=several(fingerprints),
    by=several(texts),
    rule=st.none() | counts,
    rule_name=texts,
    source=pairs,
)
attempts = st.builds(
    AttemptRecord,
    number=counts,
    began=moments,
    ended=moments,
    outcome=st.sampled_from(["sent", "failed", "overdue"]),
    reason=texts,
    error=texts,
    again_at=maybe,
)
deliveries = st.builds(
    DeliveryRecord,
    receiver=texts,
    integration=texts,
    index=counts,
    outcome=st.sampled_from(["under way", "sent", "not needed", "given up", "too late"]),
    reason=texts,
    error=texts,
    at=moments,
    position=counts,
    wait_until=moments,
    log=st.none() | st.builds(LogRecord, notified_at=moments, firing=counts, resolved=counts, by=texts),
    firing=counts,
    resolved=counts,
    remind_at=maybe,
    queued_at=maybe,
    yields=several(st.builds(YieldRecord, at=moments, peer=texts, intent=texts, until=moments)),
    attempts=several(attempts),
    attempts_left_out=counts,
    muted=several(mutes, 2),
)
records = st.builds(
    FlushRecord,
    group_key=texts,
    route_id=texts,
    group_labels=pairs,
    receiver=texts,
    began=moments,
    next_flush=moments,
    repeat_interval=moments,
    node=texts,
    alerts=several(alerts),
    alerts_left_out=counts,
    unsettled_until=maybe,
    muted=several(mutes),
    deliveries=several(deliveries),
    ended=maybe,
    success=st.booleans(),
    error=texts,
)

LEAST = FlushRecord(group_key="{}:{}", route_id="{}", began=5, next_flush=9)


@given(records)
def test_a_record_comes_back_as_it_was(record: FlushRecord) -> None:
    assert decode(encode(record)) == record


def test_a_small_record_can_be_read_by_people_and_a_large_one_is_small() -> None:
    assert encode(LEAST) == b'\x01j{"key":"{}:{}","route":"{}","began":5,"next":9}'
    many = replace(
        LEAST,
        alerts=tuple(
            AlertRecord(fingerprint=each, labels=(("alertname", "DiskFull"), ("instance", f"host-{each}")))
            for each in range(1000)
        ),
    )
    assert len(encode(many)) < 12_000
    assert decode(encode(many)) == many


@given(st.binary(max_size=200))
def test_bytes_that_are_no_record_are_refused(data: bytes) -> None:
    for candidate in (data, b"\x01j" + data, b"\x01z" + data, b"\x01z" + zlib.compress(data)):
        try:
            decode(candidate)
        except StateError:
            pass


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
NAMES = ("key", "labels", "began", "alerts", "unsettled", "muted", "to", "ended", "success", "id", "outcome")


@given(st.dictionaries(st.sampled_from(NAMES), json_values))
def test_an_object_with_other_types_is_refused_or_read(form: dict[str, Any]) -> None:
    for candidate in (form, {"to": [form]}, {"alerts": [form]}, {"to": [{"attempts": list(form.values())}]}):
        try:
            found = decode(b"\x01j" + json.dumps(candidate).encode())
        except StateError:
            continue
        assert decode(encode(found)) == found


def test_a_newer_version_is_told_from_damage() -> None:
    data = bytes((VERSION + 1,)) + encode(LEAST)[1:]
    with pytest.raises(NewerRecordError, match="version 2; known is 1"):
        decode(data)


def test_a_member_of_a_later_version_is_passed_over() -> None:
    assert decode(encode(LEAST)[:-1] + b',"colour":"red"}') == LEAST


def test_an_older_version_is_brought_up_step_by_step() -> None:
    def second(form: dict[str, Any]) -> dict[str, Any]:
        return {("began" if name == "start" else name): value for name, value in form.items()}

    def third(form: dict[str, Any]) -> dict[str, Any]:
        return {**form, "began": form["began"] * 1000}

    old = b'\x01j{"key":"k","route":"r","start":5,"next":9}'
    found = decode(old, version=3, migrations={1: second, 2: third})
    assert found == FlushRecord(group_key="k", route_id="r", began=5000, next_flush=9)
    with pytest.raises(StateError):
        decode(old, version=3, migrations={1: second})


def test_a_record_that_would_not_fit_into_memory_is_refused() -> None:
    bomb = b"\x01z" + zlib.compress(b'{"key":"' + b"a" * (9 << 20) + b'"}')
    with pytest.raises(StateError, match="cut off or too long"):
        decode(bomb)
