"""Questions to silences and notification log are counted on their way."""

from __future__ import annotations

from random import Random

from tocsin.alerting.labels import Labels
from tocsin.alerting.nflog import NotificationLog, Receiver
from tocsin.alerting.silence import Silences
from tocsin.node.queries import CountedLog, CountedMuter, Queries

HOUR = 3600 * 10**9


class Told:
    def __init__(self) -> None:
        self.seconds: list[float] = []

    def observe(self, seconds: float, /) -> None:
        self.seconds.append(seconds)


def test_each_question_to_the_log_counts_and_one_without_an_answer_as_an_error() -> None:
    told = Told()
    queries = Queries(told)
    stored = NotificationLog(HOUR)
    log = CountedLog(stored, queries)
    receiver = Receiver("a", "webhook", 0)
    assert log.query(receiver, "{}") is None
    assert (queries.total, queries.errors) == (1, 1)
    stored.put(log.stage(receiver, "{}", [1], [], HOUR, HOUR, None), HOUR)
    assert log.query(receiver, "{}") is not None
    assert (queries.total, queries.errors, len(told.seconds)) == (2, 1, 2)


def test_each_question_to_the_silences_counts() -> None:
    told = Told()
    queries = Queries(told)
    muter = CountedMuter(Silences(HOUR, random=Random(1)), queries)
    assert muter.looking_up(Labels({"a": "b"})) is not None
    assert muter.mutes(Labels({"a": "b"}), HOUR) == ()
    assert (queries.total, len(told.seconds)) == (1, 1)
