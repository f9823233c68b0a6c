"""What nodes ask and tell each other about alerts: whole, bounded, and read with care."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.recorded import RecordedPipeline
from tests.support.routing import T0, alert
from tocsin.alerting.explain import messages
from tocsin.alerting.explain.knowledge import HeldAlert, Knowledge, Timer
from tocsin.alerting.explain.messages import (
    Answered,
    Asked,
    decode_message,
    encode_answer,
    encode_question,
)
from tocsin.alerting.explain.question import MAX_ALERTS, MAX_RECORDS, Question
from tocsin.alerting.matcher import parse_matchers
from tocsin.alerting.record.codec import VERSION
from tocsin.alerting.timestamp import SECOND
from tocsin.errors import StateError

DISK = alert(alertname="DiskFull", instance="a")


def knowledge() -> Knowledge:
    world = RecordedPipeline()
    world.start(DISK)
    world.fail(T0, "unexpected status code 503 \u2026")
    world.at(T0 + 5 * SECOND)
    world.succeed(T0 + 6 * SECOND)
    return Knowledge(
        node="am1",
        alerts=(
            HeldAlert(labels=DISK.labels, starts_at=T0, ends_at=0, inhibited_by="x", silenced_by=("1", "2")),
        ),
        timers=(Timer(route_id="{}", labels=(("alertname", "DiskFull"),), due=T0 + SECOND),),
        records=tuple(world.told),
    )


@given(
    st.frozensets(st.integers(0, (1 << 64) - 1), max_size=MAX_ALERTS),
    st.text(st.characters(codec="utf-8")),
    st.integers(0, 1 << 62),
)
def test_a_question_arrives_as_it_was_asked(ids: frozenset[int], text: str, at: int) -> None:
    question = Question(fingerprints=ids, group_key=text, receiver=text, since=at, until=at + 1, limit=3)
    assert decode_message(encode_question(Asked(at, text, question))) == Asked(at, text, question)


def test_of_matchers_only_those_that_name_values_are_asked() -> None:
    named = Question(matchers=parse_matchers('alertname=DiskFull,instance="a"'))
    asked = decode_message(encode_question(Asked(1, "am1", named)))
    assert asked == Asked(1, "am1", named)
    costly = Question(matchers=parse_matchers('alertname=~"Disk.*"'), fingerprints=frozenset({7}))
    asked = decode_message(encode_question(Asked(1, "am1", costly)))
    assert asked == Asked(1, "am1", Question(fingerprints=frozenset({7})))


def test_an_answer_arrives_as_it_was_given() -> None:
    answered = Answered(7, knowledge())
    assert decode_message(encode_answer(answered)) == answered


def test_records_past_the_size_of_an_answer_are_left_out_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = knowledge()
    monkeypatch.setattr(messages, "MAX_RECORD_BYTES", 1500)
    answer = decode_message(encode_answer(Answered(7, replace(whole, records=whole.records * 20))))
    assert isinstance(answer, Answered)
    assert 0 < len(answer.knowledge.records) < 20
    assert answer.knowledge.left_out == "the answer would be too large"


def test_records_of_more_things_than_an_answer_may_have_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = knowledge()
    monkeypatch.setattr(messages, "MAX_RECORD_SIGNS", 200)
    answer = decode_message(encode_answer(Answered(7, replace(whole, records=whole.records * 20))))
    assert isinstance(answer, Answered)
    assert 0 < len(answer.knowledge.records) < 20
    assert answer.knowledge.left_out == "the answer would be too large"


@pytest.mark.parametrize("thing", [[], {}, 1, "", {"a": 0}])
def test_an_answer_crowded_with_small_things_is_not_read(
    thing: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine kilobytes of them took 50 MB, and no other thread ran meanwhile."""
    data = packed({"records": [{"muted": [thing] * messages.MAX_SIGNS}]})

    def read(*_: object, **__: object) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr(json, "loads", read)
    with pytest.raises(StateError, match="things"):
        decode_message(data)


def packed(form: object, kind: int = 2) -> bytes:
    return bytes((1, kind)) + bytes(8) + zlib.compress(json.dumps(form).encode())


def test_records_of_another_version_are_left_out_and_that_is_said() -> None:
    answer = decode_message(packed({"node": "am1", "version": 99, "records": [{"what": "ever"}]}))
    assert isinstance(answer, Answered)
    assert (answer.knowledge.records, answer.knowledge.left_out) == (
        (),
        "its records are of another version of Tocsin",
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(10),
        b"\x02" + packed({})[1:],
        packed({}, kind=3),
        packed([]),
        packed({"version": "1"}),
        packed({"alerts": [{"labels": {"a": 1}}]}),
        packed({"timers": [["{}", {}, 1 << 64]]}),
        packed({"node": "\ud800"}),
        packed({"limit": 1, "ids": ["g"]}, kind=1),
        packed({"limit": 1, "ids": ["1"] * (MAX_ALERTS + 1)}, kind=1),
        packed({"limit": MAX_ALERTS + 1}, kind=1),
        packed({"limit": 0}, kind=1),
        packed({"text": "x" * messages.MAX_TEXT_BYTES}),
        packed({"limit": 1, "text": "x" * messages.MAX_QUESTION_TEXT_BYTES}, kind=1),
        packed({})[:-1],
        packed({})[:10] + zlib.compress(b"[" * 100_000),
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(StateError):
        decode_message(data)


def test_of_an_answer_only_so_much_is_taken() -> None:
    form = {
        "version": VERSION,
        "left": "x" * 2 * messages.MAX_WHY,
        "records": [{"route": f"r{number}"} for number in range(MAX_RECORDS + 1)],
        "timers": [["{}", {}, 1]] * (messages.MAX_TIMERS + 1),
    }
    told = decode_message(packed(form))
    assert isinstance(told, Answered)
    assert len(told.knowledge.records) == MAX_RECORDS
    assert len(told.knowledge.timers) == messages.MAX_TIMERS
    assert told.knowledge.left_out == "x" * messages.MAX_WHY
    told = decode_message(packed({**form, "left": ""}))
    assert isinstance(told, Answered)
    assert told.knowledge.left_out == f"only {MAX_RECORDS} of its records are taken"
