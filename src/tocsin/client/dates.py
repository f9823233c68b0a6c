"""Instants as the API writes them, and as the tool shows and takes them: in Go's layouts and own zones."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

DEFAULT_LAYOUT: Final = "2006-01-02 15:04:05 MST"
RFC3339: Final = "2006-01-02T15:04:05Z07:00"
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})\Z"
)
ZERO: Final = "0001-01-01T00:00:00.000Z"
"""Go's for "not set"."""


def read(text: str) -> datetime:
    """An instant of the API. Raises ValueError."""
    return datetime.fromisoformat(text)


def shown(text: str, layout: str = DEFAULT_LAYOUT) -> str:
    """An instant of the API in a layout of Go's ``time`` package; a text that is not an instant stays as it
    is."""
    try:
        moment = read(text)
    except ValueError:
        return text
    offset = moment.utcoffset() or timedelta()
    if layout == DEFAULT_LAYOUT:
        return f"{moment.isoformat(' ', 'seconds')[:19]} {_zone(offset)}"
    from tocsin.gotemplate.gotime import UTC as UTC_LOCATION
    from tocsin.gotemplate.gotime import Time, fixed_zone

    seconds = int(offset.total_seconds())
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    location = fixed_zone("", seconds) if seconds else UTC_LOCATION
    return Time(since.days * 86_400 + since.seconds, since.microseconds * 1000, location).format(layout)


def _zone(offset: timedelta) -> str:
    """What Go calls a zone of which only the offset is known."""
    minutes = int(offset.total_seconds()) // 60
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{hours:02}{rest:02}"


def parse(text: str) -> datetime:
    """What a person wrote, RFC 3339. Raises ValueError with the message of Go's ``time.Parse``."""
    if _RFC3339.match(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass  # Go says what is wrong with it.
    from tocsin.gotemplate.gotime import TimeError, parse_time

    try:
        moment = parse_time(RFC3339, text)
    except TimeError as error:
        raise ValueError(str(error)) from None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=moment.unix_in(1_000_000_000))


def written(moment: datetime) -> str:
    """An instant as the API takes it: milliseconds, in its own zone."""
    text = moment.isoformat("T", "milliseconds")
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def after(moment: datetime, nanoseconds: int) -> datetime:
    """Later by a span, in UTC; the last instant of year 9999 for what comes after it."""
    try:
        return moment.astimezone(UTC) + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
