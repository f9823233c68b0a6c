"""``time.Location``: UTC, the local zone, fixed offsets and named zones of the IANA database."""

from __future__ import annotations

import functools
import os
import time
import zoneinfo
from dataclasses import field
from datetime import UTC as DATETIME_UTC
from datetime import datetime, timedelta
from typing import NamedTuple

from tocsin.dataclass import dataclass
from tocsin.gotemplate.gotime.errors import TimeError

_EPOCH = datetime(1970, 1, 1, tzinfo=DATETIME_UTC)
_CYCLE = 146_097 * 86_400  # seconds of 400 years, after which the calendar repeats
_FIRST = -62_135_596_800 + 2 * 86_400  # the second day that datetime can hold
_LAST = 253_402_300_800 - _CYCLE  # the rules of a zone repeat well before this


class ZoneInfo(NamedTuple):
    """What a location says of one instant: abbreviation, seconds east of UTC, daylight saving time."""

    name: str
    offset: int
    daylight: bool


_UTC_INFO = ZoneInfo("UTC", 0, False)


@dataclass(frozen=True, slots=True, eq=False)
class Location:
    """A zone by name. ``kind`` selects how instants are looked up.

    Go compares times with where in memory their zone is: two locations of one name are not equal here either.
    """

    name: str
    kind: str = "fixed"  # "utc", "local", "fixed" or "named"
    fixed: ZoneInfo = _UTC_INFO
    rules: zoneinfo.ZoneInfo | None = field(default=None, compare=False, repr=False)

    def lookup(self, unix: int) -> ZoneInfo:
        """The zone in use at that Unix second."""
        if self.kind == "local":
            moment = time.localtime(_clamp(unix))
            return ZoneInfo(moment.tm_zone, moment.tm_gmtoff, moment.tm_isdst > 0)
        if self.rules is None:
            return self.fixed
        return _lookup(self.rules, _clamp(unix))

    def __str__(self) -> str:
        return _local_name() if self.kind == "local" else self.name


UTC = Location("UTC", "utc")
LOCAL = Location("Local", "local")


def fixed_zone(name: str, offset: int) -> Location:
    """A zone that is always that many seconds east of UTC; the name may be empty.

    As in Go, those without a name are the same one each time if their hours are whole and in use anywhere.
    """
    hours, rest = divmod(offset, 3600)
    if not name and not rest and -12 <= hours <= 14:
        return _whole_hours(offset)
    return Location(name, "fixed", ZoneInfo(name, offset, False))


@functools.lru_cache(maxsize=27)
def _whole_hours(offset: int) -> Location:
    return Location("", "fixed", ZoneInfo("", offset, False))


def load_location(name: str) -> Location:
    """The zone of that IANA name; "" and "UTC" are UTC, "Local" is the system's. Raises TimeError."""
    if name in {"", "UTC"}:
        return UTC
    if name == "Local":
        return LOCAL
    if ".." in name or name[0] in "/\\":
        raise TimeError("time: invalid location name")
    rules = _load_rules(name)
    if rules is None:
        raise TimeError(f"unknown time zone {name}")
    return Location(name, "named", rules=rules)


def _local_name() -> str:
    """The name of the machine's zone as in Go: from the variable TZ, if it is set."""
    told = os.environ.get("TZ")
    if told is None:
        return "Local"
    told = told.removeprefix(":")
    if told.startswith("/"):
        return "Local" if told == "/etc/localtime" else told
    return told if told and _load_rules(told) is not None else "UTC"


@functools.lru_cache(maxsize=512)
def _load_rules(name: str) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


@functools.lru_cache(maxsize=4096)
def _lookup(rules: zoneinfo.ZoneInfo, unix: int) -> ZoneInfo:
    moment = (_EPOCH + timedelta(seconds=unix)).astimezone(rules)
    offset = moment.utcoffset() or timedelta()
    return ZoneInfo(moment.tzname() or "", round(offset.total_seconds()), bool(moment.dst()))


def _clamp(unix: int) -> int:
    """An instant with the same zone that ``datetime`` can hold: later years repeat every 400 years."""
    if unix < _FIRST:
        return _FIRST
    if unix > _LAST:
        return _LAST - _CYCLE + (unix - _LAST) % _CYCLE
    return unix
