"""What is asked: which alerts, and which of what became of them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Final

from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher, MatchType, matches_all
from tocsin.alerting.record.model import FlushRecord, Pairs
from tocsin.alerting.route import Route
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass

MAX_ALERTS: Final = 20
"""Alerts that are explained at once."""
MAX_RECORDS: Final = 300
"""Flushes that a node reports, the newest."""
MAX_EQUAL: Final = 64
FOREVER: Final[Nanoseconds] = (1 << 63) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Alerts with one of the ``fingerprints``, and those whose labels fulfil all ``matchers``, if there are
    any; with neither, all that the rest leaves. ``since`` and ``until``: only notifications of that time."""

    fingerprints: frozenset[int] = frozenset()
    matchers: tuple[Matcher, ...] = ()
    group_key: str = ""
    receiver: str = ""
    since: Nanoseconds = 0
    until: Nanoseconds = FOREVER
    limit: int = 5

    def names(self, fingerprint: int) -> bool | None:
        """Whether it asks about an alert; None: its matchers say."""
        if fingerprint in self.fingerprints:
            return True
        return None if self.matchers else not self.fingerprints

    def about(self, fingerprint: int, labels: Mapping[str, str]) -> bool:
        """Whether it asks about an alert."""
        named = self.names(fingerprint)
        return matches_all(self.matchers, labels) if named is None else named

    def in_place(self, route: Route, labels: Labels) -> bool:
        """Whether one of the groups of an alert with ``labels`` is asked for."""
        if not self.group_key and not self.receiver:
            return True
        return any(
            self.of_group(each.options.receiver, f"{each.key}:{each.group_labels(labels)}")
            for each in route.match(labels)
        )

    def of_group(self, receiver: str, group_key: str) -> bool:
        """Whether a group is asked for."""
        return self.receiver in ("", receiver) and self.group_key in ("", group_key)

    @property
    def equal(self) -> dict[str, str] | None:
        """The labels that it asks for, if it asks for labels with their values and nothing else."""
        if not self.matchers or any(each.type is not MatchType.EQUAL for each in self.matchers):
            return None
        return {each.name: each.value for each in self.matchers}


@dataclass(slots=True)
class Wanted:
    """The records that a question is about; ``known``: fingerprints of alerts that it has found already."""

    question: Question
    known: frozenset[int]
    _needles: tuple[tuple[bytes, ...], ...] = field(init=False)
    """One of each must be in the JSON of a record."""
    _seen: dict[int, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        needles: list[tuple[bytes, ...]] = []
        question = self.question
        if question.group_key:
            needles.append((_quoted(question.group_key),))
        if question.receiver:
            needles.append((_quoted(question.receiver),))
        matchers = question.matchers
        if self._all or (matchers and question.equal is None):
            pass  # any alert may be meant
        elif matchers:
            values = [value for value in (question.equal or {}).values() if value]
            if not self.known and not question.fingerprints:
                needles += [(_quoted(value),) for value in values]
        else:
            fingerprints = self.known | question.fingerprints
            needles.append(tuple([_quoted(f"{each:x}") for each in fingerprints]))
        self._needles = tuple(needles)

    @property
    def _all(self) -> bool:
        return not self.question.matchers and not self.question.fingerprints

    def may_be(self, text: bytes) -> bool:
        """Whether the record with that JSON is worth being decoded."""
        return all(any(needle in text for needle in needles) for needles in self._needles)

    def may_be_of(self, receiver: str, group_key: str) -> bool:
        """Whether a record of that group is worth being made."""
        return self.question.of_group(receiver, group_key)

    def is_meant(self, record: FlushRecord) -> bool:
        """Whether it is about one of the alerts."""
        question = self.question
        if not question.since <= record.began <= question.until:
            return False
        if not question.of_group(record.receiver, record.group_key):
            return False
        return any(self.concerns(each.fingerprint, each.labels) for each in record.alerts)

    def concerns(self, fingerprint: int, labels: Pairs) -> bool:
        """Whether it is one of the alerts; each is considered once."""
        if fingerprint in self.known or fingerprint in self.question.fingerprints:
            return True
        found = self._seen.get(fingerprint)
        if found is None:
            found = self.question.about(fingerprint, dict(labels))
            if labels or self._all:  # else they were past a bound
                self._seen[fingerprint] = found
        return found


def _quoted(text: str) -> bytes:
    return json.dumps(text).encode()
