"""Parsers of what anybody may send take time that grows as the text does, whatever is in it.

Each is given a quarter of a mebibyte of what makes patterns try again from each place. That takes a fraction
of a second, and would take many minutes if the time grew with the square.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import product

import pytest

from simulation.alerting import NoSilences
from tests.support.recorded import RecordedPipeline
from tests.support.routing import T0, alert
from tocsin.alerting.duration import parse_duration, parse_go_duration
from tocsin.alerting.explain.explanation import Scene, explain
from tocsin.alerting.explain.knowledge import Knowledge
from tocsin.alerting.matcher import ParserMode, parse_matcher
from tocsin.alerting.quote import go_quote, go_unquote
from tocsin.alerting.record.model import AlertRecord, AttemptRecord, DeliveryRecord, FlushRecord, LogRecord
from tocsin.errors import TocsinError
from tocsin.node.api.bodies import BodyError
from tocsin.node.api.postable_alerts import is_request_uri
from tocsin.node.api.requests import (
    Query,
    accepts_gzip,
    accepts_json,
    check_content_type,
    clean_path,
    is_uuid,
)
from tocsin.node.api.times import parse_time

SIZE = 1 << 18
LIMIT = 120

MATCHER = (("", "a=", 'a="', "{"), (" ", "\\", '\\"', "a ", ",", "a=b,", "{", "é"))
HEADER = (
    ("", "application/json;a=b", 'application/json;a="', "gzip;q="),
    (" ", "; ", ";a=b", '\\"', "*/*,", "0."),
)
PATH = (("/", "http://", "http://[", "2020-01-01T00:00:00."), ("/", "/../", "%2", "%41", ":", "@", "[", "0"))
TEXT = (("", '"', "1h"), ("a", '"', "\\", "\x01", "é", "1h", ".", "0"))
TAILS = ("", "x")


@contextmanager
def soon() -> Iterator[None]:
    def too_long(*_: object) -> None:
        raise AssertionError("it has not ended yet")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


Shapes = tuple[tuple[str, ...], tuple[str, ...]]


def _matcher(mode: ParserMode) -> Callable[[str], object]:
    return lambda text: parse_matcher(text, origin="api", mode=mode)


PARSERS: dict[str, tuple[Callable[[str], object], Shapes]] = {
    **{f"matcher, {mode.name}": (_matcher(mode), MATCHER) for mode in ParserMode},
    "Content-Type": (check_content_type, HEADER),
    "Accept": (lambda text: accepts_json([text]), HEADER),
    "Accept-Encoding": (accepts_gzip, HEADER),
    "path": (clean_path, PATH),
    "query": (lambda text: Query(text.encode()), PATH),
    "time": (parse_time, PATH),
    "URI": (is_request_uri, PATH),
    "UUID": (is_uuid, TEXT),
    "quote": (go_quote, TEXT),
    "unquote": (go_unquote, TEXT),
    "duration": (parse_go_duration, TEXT),
    "duration of Prometheus": (parse_duration, TEXT),
}


@pytest.mark.parametrize("name", PARSERS)
def test_time_grows_as_the_text(name: str) -> None:
    parse, (heads, parts) = PARSERS[name]
    for head, part, tail in product(heads, parts, TAILS):
        with soon(), suppress(ValueError, TocsinError, BodyError):
            parse(head + part * (SIZE // len(part)) + tail)


def test_a_filter_of_very_many_matchers_is_refused() -> None:
    with pytest.raises(ValueError, match="more than"):
        parse_matcher("a=b," * 5000, origin="api")


def test_what_a_peer_says_was_not_needed_is_not_held_against_each_that_it_says_was_sent() -> None:
    many = SIZE // 3
    log = LogRecord(notified_at=1 << 62, firing=0, resolved=0)
    idle = DeliveryRecord(receiver="a", integration="b", index=0, outcome="not needed", log=log)
    attempts = [AttemptRecord(number=1, began=0, ended=stamp, outcome="sent") for stamp in range(many)]
    busy = replace(idle, integration="c", outcome="sent", attempts=tuple(attempts))
    one = alert(alertname="DiskFull")
    record = FlushRecord(
        group_key="",
        route_id="{}",
        began=T0,
        next_flush=T0,
        alerts=(AlertRecord(one.labels.fingerprint),),
        deliveries=(*[idle] * many, busy),
    )
    scene = Scene(
        labels=one.labels,
        now=T0,
        config=RecordedPipeline().config,
        inhibitor=NoSilences(),
        silences=NoSilences(),
        others=(Knowledge(node="there", records=(record,)),),
    )
    with soon():
        outcomes = explain(scene).groups[0].outcomes
    assert {each.what for each in outcomes} == {"sent", "sent by a peer"}
