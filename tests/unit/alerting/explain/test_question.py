"""Which alerts, and which records, a question is about."""

from __future__ import annotations

import pytest

from tests.support.recorded import RecordedPipeline
from tests.support.routing import T0, alert, one_route
from tocsin.alerting.explain.question import Question, Wanted
from tocsin.alerting.matcher import parse_matchers
from tocsin.alerting.record import making
from tocsin.alerting.record.codec import encode, searchable

DISK = alert(alertname="DiskFull", instance='a "quoted" ä')
OTHER = alert(alertname="Other")


@pytest.mark.parametrize(
    ("question", "meant"),
    [
        (Question(), True),
        (Question(fingerprints=frozenset({DISK.fingerprint})), True),
        (Question(fingerprints=frozenset({OTHER.fingerprint})), False),
        (Question(matchers=parse_matchers("alertname=DiskFull")), True),
        (Question(matchers=parse_matchers("alertname=Other")), False),
        (Question(matchers=parse_matchers('alertname=~"Disk.*"')), True),
        (Question(matchers=parse_matchers('alertname=~"Disk.*",severity="x"')), False),
        (Question(matchers=parse_matchers('severity=""'), fingerprints=frozenset({1})), True),
        (Question(receiver="hook"), True),
        (Question(receiver="else"), False),
        (Question(group_key="{}:{}"), True),
        (Question(group_key="else"), False),
        (Question(since=T0, until=T0), True),
        (Question(since=T0 + 1), False),
        (Question(until=T0 - 1), False),
    ],
)
def test_which_records_are_meant(question: Question, meant: bool) -> None:
    world = RecordedPipeline()
    world.start(DISK)
    world.succeed(T0)
    wanted = Wanted(question, frozenset())
    assert wanted.is_meant(world.last) == meant
    if meant:
        assert wanted.may_be(searchable(encode(world.last)))
        assert wanted.may_be_of(*world.last.group)


def test_what_cannot_be_meant_is_seen_without_decoding() -> None:
    world = RecordedPipeline()
    world.start(DISK)
    world.succeed(T0)
    text = searchable(encode(world.last))
    for question in (
        Question(fingerprints=frozenset({OTHER.fingerprint})),
        Question(matchers=parse_matchers("alertname=Other")),
        Question(receiver="else"),
        Question(group_key="else"),
    ):
        assert not Wanted(question, frozenset()).may_be(text)


def test_an_alert_past_those_with_labels_is_found_by_its_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "MAX_LABELLED", 1)
    world = RecordedPipeline()
    world.start(OTHER, DISK)
    world.succeed(T0)
    question = Question(matchers=parse_matchers("alertname=DiskFull"))
    assert not Wanted(question, frozenset()).is_meant(world.last)
    held = Wanted(question, frozenset({DISK.fingerprint}))
    assert held.may_be(searchable(encode(world.last)))
    assert held.is_meant(world.last)


def test_a_group_is_asked_for_by_receiver_and_key() -> None:
    route = one_route(group_by=("alertname",))
    key = f"{route.key}:{route.group_labels(DISK.labels)}"
    assert Question(receiver="hook", group_key=key).in_place(route, DISK.labels)
    assert not Question(receiver="hook", group_key=key).in_place(route, OTHER.labels)
    assert not Question(receiver="else").in_place(route, DISK.labels)
