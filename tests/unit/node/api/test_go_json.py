"""JSON from anybody: read as Python's own decoder reads it, or refused with one kind of error."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tests.support.api_scenes.bad_json import BAD_JSON
from tocsin.alerting.timestamp import SECOND
from tocsin.errors import ValidationError
from tocsin.node.api.bodies import BodyError
from tocsin.node.api.go_json import GoJSONError, Pairs, decode_first, encode, encode_plain
from tocsin.node.api.interned import Interned
from tocsin.node.api.postable_alerts import AlertReader, Parts, read_slowly
from tocsin.node.api.postable_silence import read_silence
from tocsin.node.api.times import parse_time

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)
BODIES = st.binary(max_size=60) | st.sampled_from([text.encode() for text in BAD_JSON.values()])


def plain(value: object) -> object:
    if isinstance(value, Pairs):
        return {name: plain(inner) for name, inner in value}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


@settings(max_examples=many(150))
@given(JSON, st.booleans(), st.sampled_from([None, 2]))
def test_what_is_json_is_read(value: object, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert plain(decode_first(text.encode())) == value


@settings(max_examples=many(150))
@given(BODIES)
@example(b"[" * 5000 + b"]" * 5000)
@example(b'{"a":' * 9000 + b"1" + b"}" * 9000)
def test_anything_else_is_one_kind_of_error(body: bytes) -> None:
    with suppress(GoJSONError):
        decode_first(body)


@settings(max_examples=many(150))
@given(BODIES | JSON.map(lambda value: json.dumps(value).encode()))
def test_bodies_are_taken_or_refused(body: bytes) -> None:
    for read in (
        lambda: asyncio.run(AlertReader().read(body)),
        lambda: read_silence(body, 1_800_000_000 * SECOND),
    ):
        with suppress(BodyError, ValidationError):
            read()


LABELS = st.dictionaries(TEXT, TEXT, max_size=3)
TIMES = st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123+02:00", "", "x", "2026-01-01"])
URLS = st.sampled_from(["", "http://host/x", "%zz", "/path"])
ALERTS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "labels": LABELS,
            "annotations": LABELS,
            "startsAt": TIMES,
            "endsAt": TIMES,
            "generatorURL": URLS,
        },
    ),
    max_size=3,
)


@settings(max_examples=many(200))
@given(ALERTS)
def test_the_quick_way_and_the_slow_way_agree(alerts: list[object]) -> None:
    body = json.dumps(alerts).encode()

    def outcome(slowly: bool) -> list[Parts] | str:
        try:
            return read_slowly(body) if slowly else asyncio.run(AlertReader().read(body))
        except BodyError as error:
            return error.message

    assert outcome(slowly=True) == outcome(slowly=False)


@pytest.mark.parametrize("value", ["a<b>&\u2028\u2029c", {"<": ["&"]}, "\ud800", "é🙂\x00\x7f"])
def test_written_json_means_the_same(value: object) -> None:
    expected = json.loads(json.dumps(value).replace("\\ud800", "?"))
    for write in (encode, encode_plain):
        assert json.loads(write(value)) == expected
        assert "\u2028".encode() not in write(value)
    assert not {b"<", b">", b"&"} & {bytes([byte]) for byte in encode(value)}


@settings(max_examples=many(100))
@given(st.text(max_size=30))
def test_a_time_is_an_instant_or_a_go_error(text: str) -> None:
    problem = ""
    try:
        assert isinstance(parse_time(text), int)
    except GoJSONError as error:
        problem = str(error)
    assert not problem or problem.startswith(f'parsing time "{text}"')


def test_what_is_remembered_is_bounded() -> None:
    memory: Interned[int] = Interned(max_entries=10, max_bytes=100, max_key_bytes=20)
    memory.put(b"long" * 10, 1)
    assert memory.get(b"long" * 10) is None
    for number in range(1000):
        memory.put(b"%d" % number, number)
        assert memory.get(b"%d" % number) == number
    assert len(memory) <= 20
    assert memory.forgotten > 90
    for number in range(1000):  # by bytes
        memory.put(b"x" * 10 + b"%d" % number, number)
        assert len(memory) <= 20


def test_what_it_stands_for_counts_too() -> None:
    """A label set of many small labels takes twenty times its bytes."""
    memory: Interned[int] = Interned(max_entries=1000, max_bytes=1000, size=lambda value: value)
    for number in range(100):
        memory.put(b"%d" % number, 100)
    assert len(memory) < 20
    assert memory.get(b"99") == 100
    assert memory.get(b"0") is None


def test_what_is_asked_for_is_not_forgotten() -> None:
    memory: Interned[int] = Interned(max_entries=10)
    memory.put(b"often", 1)
    for number in range(1000):
        memory.put(b"%d" % number, number)
        assert memory.get(b"often") == 1
