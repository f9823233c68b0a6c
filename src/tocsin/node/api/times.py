"""Times in request bodies: the formats that go-openapi accepts, and its errors for all others."""

from __future__ import annotations

import re
from calendar import monthrange
from functools import lru_cache
from typing import Final

from tocsin.alerting.timestamp import Nanoseconds, parse_rfc3339
from tocsin.node.api.go_json import GoJSONError

EPOCH: Nanoseconds = 1
"""What an empty text means: the Unix epoch, a nanosecond late because 0 means "not set" in the domain."""

REMEMBERED: Final = 64
"""Characters of a time up to which its value is remembered: a fraction can be as long as a request."""

_TIME = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:T(?P<hour>[0-9]{1,2}):(?P<minutes>[0-9]{2}(?::[0-9]{2}(?P<fraction>[.,][0-9]+)?)?)"
    r"(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})?"
    r"|\ (?P<plain>[0-9]{2}:[0-9]{2}:[0-9]{2}))?\Z"
)


def parse_time(text: str) -> Nanoseconds:
    """The instant that ``text`` names, UTC where it names no zone. Raises GoJSONError with Go's text."""
    return _remembered(text) if len(text) <= REMEMBERED else _parsed(text)


@lru_cache(maxsize=4096)  # the alerts of one request mostly share their instants
def _remembered(text: str) -> Nanoseconds:
    return _parsed(text)


def _parsed(text: str) -> Nanoseconds:
    if not text:
        return EPOCH
    if text[-1] == "Z" or text[-3:-2] == ":":
        try:
            return parse_rfc3339(text) or EPOCH
        except ValueError:
            pass
    found = _TIME.match(text)
    if found is not None:
        try:
            return parse_rfc3339(_completed(found)) or EPOCH
        except ValueError:
            pass
    raise GoJSONError(_date_error(text))


def _completed(found: re.Match[str]) -> str:
    """RFC 3339 for one of the shorter formats. Raises ValueError for an invalid one."""
    zone = found["zone"] or "Z"
    if found["plain"]:
        return f"{found['date']}T{found['plain']}Z"
    if not found["hour"]:
        return f"{found['date']}T00:00:00Z"
    minutes = found["minutes"]
    if zone != "Z" and ":" not in zone and len(found["fraction"] or "") not in (4, 7):
        raise ValueError("a zone without a colon takes milliseconds or microseconds")
    if ":" not in minutes:
        if zone != "Z":
            raise ValueError("no seconds, but a zone")
        minutes += ":00"
    return f"{found['date']}T{found['hour']:0>2}:{minutes}{zone}"


def _date_error(text: str) -> str:
    """Go's error for a text in none of the formats: that of the last one tried, a date."""
    rest = text
    numbers: list[int] = []
    for part, pattern in (("2006", 4), ("-", 0), ("01", 2), ("-", 0), ("02", 2)):
        if pattern:
            digits = rest[:pattern]
            if len(digits) < pattern or not (digits.isascii() and digits.isdigit()):
                return _cannot_parse(text, rest, part)
            numbers.append(int(digits))
            rest = rest[pattern:]
            if part == "01" and not 1 <= numbers[1] <= 12:
                return f'parsing time "{text}": month out of range'
        elif rest.startswith("-"):
            rest = rest[1:]
        else:
            return _cannot_parse(text, rest, part)
    if rest:
        return f'parsing time "{text}": extra text: "{rest}"'
    year, month, day = numbers
    if not 1 <= day <= monthrange(max(year, 1), month)[1]:
        return f'parsing time "{text}": day out of range'
    return f'parsing time "{text}": out of range'


def _cannot_parse(text: str, rest: str, part: str) -> str:
    return f'parsing time "{text}" as "2006-01-02": cannot parse "{rest}" as "{part}"'
