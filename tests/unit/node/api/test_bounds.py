"""A body costs little more than its bytes, whatever is in it."""

from __future__ import annotations

import asyncio
import gc
import json
import tracemalloc
from types import SimpleNamespace
from typing import Any

import pytest

from tocsin.alerting import labels as label_hashes
from tocsin.alerting import regex, timestamp
from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import ParserMode
from tocsin.alerting.silence.validate import MAX_MATCHERS
from tocsin.alerting.steps import finish
from tocsin.errors import ValidationError
from tocsin.node.api import times
from tocsin.node.api.alerts import AlertOperations, _slices
from tocsin.node.api.bodies import BodyError
from tocsin.node.api.interned import MAX_SHARED
from tocsin.node.api.postable_alerts import (
    AlertLimits,
    AlertReader,
    Intake,
    Parts,
    PostableAlert,
    is_request_uri,
    read_slowly,
)
from tocsin.node.api.postable_silence import read_silence
from tocsin.node.api.requests import Query
from tocsin.node.api.scheduler import CURRENT, RequestScheduler
from tocsin.node.api.times import parse_time

NOW = 1_800_000_000 * timestamp.SECOND
MIB = 1 << 20


def _silence(matchers: list[dict[str, object]], **more: object) -> bytes:
    fields = {"startsAt": "2027-01-20T00:00:00Z", "endsAt": "2027-02-01T00:00:00Z", "createdBy": "x"}
    return json.dumps({"matchers": matchers, "comment": "", **fields, **more}).encode()


def _matcher(value: str, name: str = "a") -> dict[str, object]:
    return {"name": name, "value": value, "isRegex": True, "isEqual": True}


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"{}," * (5 * MIB) + b"{}]",
        b"[" + b"[]," * (5 * MIB) + b"[]]",
        b"[" * (15 * MIB),
        b"[" + b"0," * (7 * MIB) + b"0]",
        b'[{"labels":{},"x":[' + b'"ab",' * (3 * MIB) + b'"ab"]}]',
        b'[{"labels":{"a":"b"}},' + b'{"labels":{}},' * MIB + b"{}]",
        b'[{"x":"' + b"\\u0041" * (2 * MIB) + b'"}]',
        b'[{"labels":{' + b",".join(b'"l%d":"x"' % n for n in range(700_000)) + b"}}]",
    ],
    ids=["objects", "lists", "depth", "numbers", "texts", "alerts", "escapes", "labels"],
)
def test_a_body_of_megabytes_takes_no_multiple_of_them(body: bytes) -> None:
    tracemalloc.start()
    try:
        try:
            parts = asyncio.run(AlertReader().read(body))
            assert parts[0].problem
        except BodyError:
            pass  # refused
        assert tracemalloc.get_traced_memory()[1] < 40 * MIB
    finally:
        tracemalloc.stop()


def test_an_alert_past_a_bound_is_refused_and_the_others_are_taken() -> None:
    limits = AlertLimits(labels=3, bytes=200)
    body = json.dumps(
        [
            {"labels": {"a": "b"}},
            {"labels": {str(n): "x" for n in range(4)}},
            {"labels": {"a": "b"}, "annotations": {"a": "x" * 300}},
        ]
    ).encode()
    for unusual in (body, body.replace(b'"annotations"', b'"Annotations"')):
        parts = asyncio.run(AlertReader(limits).read(unusual))
        intake = Intake(NOW, 1)
        assert [alert.labels["a"] for alert in intake.alerts(parts)] == ["b"]
        assert intake.invalid == 2
        assert "4 labels or annotations, the limit is 3 (--alerts.max-labels)" in intake.problems[0]
        assert "the limit is 200 (--alerts.max-size-bytes)" in intake.problems[1]
    assert not any(part.problem for part in asyncio.run(AlertReader(AlertLimits(0, 0)).read(body)))


@pytest.mark.parametrize("labels", ['"labels"', '"Labels"'], ids=["usual", "unusual"])
@pytest.mark.parametrize("size", [50_000, 200_000])
def test_large_label_sets_are_fingerprinted_in_steps_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch, labels: str, size: int
) -> None:
    """Else six clients with alerts as large as may be have each turn of the event loop take a third of a
    second."""
    sets = [{"alertname": "x", "v": f"{number}{'a' * size}"} for number in range(6)]
    bodies = [b"[{%b:%b}]" % (labels.encode(), json.dumps(each).encode()) for each in sets]
    hashed = [0]
    original = label_hashes._fnv1a_64

    def counted(data: bytes, *state: int) -> int:
        hashed[-1] += len(data)
        return original(data, *state)

    monkeypatch.setattr(label_hashes, "_fnv1a_64", counted)
    monkeypatch.setattr("tocsin.node.api.steps.SLICE", 0)
    reader = AlertReader()

    async def story() -> list[int]:
        scheduler = RequestScheduler(2, lambda: sum(hashed) * 0.002 / 8192)  # eight kilobytes fill a share

        async def read(body: bytes) -> list[Parts]:
            CURRENT.set(scheduler.begin(writes=True))
            return await reader.read(body)

        reading = [asyncio.create_task(read(body)) for body in bodies]
        while not all(each.done() for each in reading):
            hashed.append(0)
            await asyncio.sleep(0)
        return [each.result()[0].labels.labels.fingerprint for each in reading]

    found = asyncio.run(story())
    assert found == [original(Labels(each).canonical_bytes) for each in sets]
    assert max(hashed) <= 2 * 8192


@pytest.mark.parametrize(
    ("count", "size", "more"),
    [(100, 7_000, {}), (4_000, 20, {"status": "firing"})],
    ids=["some kilobytes each", "an unusual field"],
)
def test_many_label_sets_of_one_body_are_fingerprinted_in_slices(
    monkeypatch: pytest.MonkeyPatch, count: int, size: int, more: dict[str, str]
) -> None:
    """No pause comes within one of them, so it has to come between them. The clock counts hashed bytes: eight
    kilobytes take two milliseconds."""
    sets = [{"alertname": "x", "v": f"{number}{'a' * size}{count}"} for number in range(count)]
    hashed = [0]
    original = label_hashes._fnv1a_64

    def counted(data: bytes, *state: int) -> int:
        hashed[-1] += len(data)
        return original(data, *state)

    monkeypatch.setattr(label_hashes, "_fnv1a_64", counted)
    monkeypatch.setattr("tocsin.node.api.steps.perf_counter", lambda: sum(hashed) * 0.002 / 8192)

    async def story() -> list[Parts]:
        body = json.dumps([{"labels": each, **more} for each in sets]).encode()
        reading = asyncio.create_task(AlertReader().read(body))
        while not reading.done():
            hashed.append(0)
            await asyncio.sleep(0)
        return reading.result()

    found = asyncio.run(story())
    assert [each.labels.labels for each in found] == [Labels(each) for each in sets]
    assert all(each.labels.labels.is_fingerprinted for each in found)
    assert sum(hashed) > 10 * 8192
    assert max(hashed) <= 3 * 8192


def test_large_alerts_are_taken_in_slices_of_few_bytes() -> None:
    small, large = ([{"labels": {"alertname": "x" * size}}] for size in (10, 60_000))
    parts = asyncio.run(AlertReader().read(json.dumps(small * 300 + large * 4 + small * 2).encode()))
    assert list(_slices(parts)) == [256, 302, 304, 306]
    assert list(_slices([])) == []


def test_long_texts_are_not_remembered() -> None:
    before = [memory.cache_info().currsize for memory in (timestamp._remembered, label_hashes._remembered)]
    for number in range(20):
        parse_time(f"2026-01-01T00:00:00.{number:0>99999}Z")
        assert is_request_uri(f"http://x/{number:0>99999}")
        label_hashes.fnv1a_64(b"%09999d" % number)
    after = [memory.cache_info().currsize for memory in (timestamp._remembered, label_hashes._remembered)]
    assert after == before


@pytest.mark.parametrize(
    ("matchers", "problem"),
    [
        ([_matcher(rf"\pL{{{number}}}") for number in (20, 24, 20, 8)], "too large together"),
        ([_matcher(r"\pL{20}"), _matcher("x", name="")], "invalid label name"),
        ([_matcher(f"{n}.*") for n in range(MAX_MATCHERS + 1)], "the limit is"),
        ([_matcher("x" * MIB)], "exceeded maximum size"),
        ([_matcher(r"\pL" * 10_000)], "too large"),
    ],
    ids=["together", "a name", "count", "size", "reading"],
)
def test_a_silence_is_refused_before_much_is_compiled(
    matchers: list[dict[str, object]], problem: str
) -> None:
    before = regex.compiled_size()
    with pytest.raises(ValidationError, match=problem):
        read_silence(_silence(matchers), NOW)
    assert regex.compiled_size() - before < 128 * 1024


@pytest.mark.parametrize("body", [b"{" * (3 * MIB + 1), b"[" + b"{}," * 500_000 + b"{}]", b"{" * 100_000])
def test_a_silence_of_megabytes_is_not_read(body: bytes) -> None:
    with pytest.raises(BodyError, match="silence body"):
        read_silence(body, NOW)


def test_the_filters_of_a_request_are_paid_together() -> None:
    gc.collect()  # what somebody holds is paid but not read
    query = Query(b"&".join(b"filter=a%%3D~%%22%%5C%%5CpL%%7B%d%%7D%%22" % n for n in range(15, 25)))
    before = regex.compiled_size()
    with pytest.raises(ValidationError, match="too large together"):
        finish(query.matchers())
    assert regex.compiled_size() - before <= 128 * 1024
    assert all("pL" not in pattern for pattern in regex._known)  # nothing of it is kept


def test_a_list_of_hosts_is_a_good_filter() -> None:
    hosts = "|".join(f"host{number}.example.com:9100" for number in range(1000))
    [found] = finish(Query(b"filter=instance%3D~%22" + hosts.encode() + b"%22").matchers())
    assert found.matches("host999.example.com:9100")
    silence = read_silence(_silence([_matcher(hosts)]), NOW)
    assert silence.matcher_sets[0][0].matches("host7.example.com:9100")


def test_the_classic_mode_takes_classic_names_only() -> None:
    classic = ParserMode.CLASSIC
    body = json.dumps(
        [
            {"labels": {"foo bar": "x"}},
            {"labels": {"foo": "x"}},
            {"labels": {"a": "b"}, "annotations": {"a.b": ""}},
        ]
    ).encode()
    for parts in (asyncio.run(AlertReader(mode=classic).read(body)), read_slowly(body, mode=classic)):
        intake = Intake(NOW, timestamp.SECOND, classic)
        assert [alert.labels for alert in intake.alerts(parts)] == [Labels({"foo": "x"})]
        assert intake.problems == [
            'invalid label set: invalid name "foo bar"',
            'invalid annotations: invalid name "a.b"',
        ]
    with pytest.raises(ValidationError, match='invalid label name "a-b"'):
        read_silence(_silence([_matcher("x", "a-b")]), NOW, classic)
    with pytest.raises(ValidationError, match="bad matcher format"):
        finish(Query(b"filter=a.b%3Dc", classic).matchers())


def test_long_times_are_not_remembered() -> None:
    """A fraction can be as long as a request, and a different one each time."""
    times._remembered.cache_clear()
    long = f"2026-01-01T00:00:00.{'1' * 100}Z"
    assert times.parse_time(long) == times.parse_time("2026-01-01T00:00:00.111111111Z")
    assert times._remembered.cache_info().currsize == 1


def test_equal_values_and_urls_of_many_alerts_are_held_once() -> None:
    reader = AlertReader()

    def read(instance: str, value: str) -> Parts:
        labels = {"instance": instance, "job": value}
        alert = {"labels": labels, "generatorURL": f"http://{value}"}
        return asyncio.run(reader.read(json.dumps([alert]).encode()))[0]

    one, other = read("a", "node"), read("b", "node")
    assert one.labels.labels["job"] is other.labels.labels["job"]
    assert one.generator_url is other.generator_url
    long = "long" * MAX_SHARED
    assert read("c", long).labels.labels["job"] is not read("d", long).labels.labels["job"]


def test_other_work_runs_while_the_alerts_of_a_prometheus_are_read_and_before_they_are_taken_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else 256 alerts are read, hashed and taken in within one iteration of the event loop."""
    done: list[list[str]] = [[]]
    original = AlertReader._parts

    def read(reader: AlertReader, postable: PostableAlert) -> Parts:
        done[-1].append("read")
        return original(reader, postable)

    async def put(alerts: list[Alert]) -> None:
        done[-1].append(f"{len(alerts)} put")

    monkeypatch.setattr(AlertReader, "_parts", read)
    config = SimpleNamespace(global_=SimpleNamespace(resolve_timeout=timestamp.SECOND))
    backend: Any = SimpleNamespace(
        now=lambda: NOW, config=config, put_alerts=put, alerts_received=lambda **_: None
    )
    body = json.dumps([{"labels": {"alertname": "x", "n": str(number)}} for number in range(256)]).encode()
    unused: Any = None

    async def story() -> None:
        operations = AlertOperations(backend, AlertLimits(), ParserMode.FALLBACK, unused)
        posting = asyncio.create_task(operations.post(body, ""))
        while not posting.done():
            done.append([])
            await asyncio.sleep(0)
        await posting

    asyncio.run(story())
    assert max(each.count("read") for each in done) <= 64
    assert ["256 put"] in done
