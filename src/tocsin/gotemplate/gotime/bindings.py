"""Go types for ``time``: their names and the methods that templates can call."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar, Final

from tocsin.gotemplate.gotime import duration as durations
from tocsin.gotemplate.gotime import moment
from tocsin.gotemplate.gotime.calendar import MONTHS, WEEKDAYS
from tocsin.gotemplate.gotime.errors import TimeError
from tocsin.gotemplate.gotime.zones import LOCAL, UTC, Location
from tocsin.gotemplate.values import (
    BOOL,
    BYTES,
    FLOAT64,
    INT,
    INT64,
    STRING,
    GoError,
    Int64,
    Kind,
    Pointer,
    Type,
    Uint8,
    Uint64,
    Value,
    basic,
    pointer_to,
    slice_of,
    struct,
    to_bytes,
)


class Duration(int):
    """time.Duration: nanoseconds."""

    go_type: ClassVar[Type] = basic(Kind.INT64, "time.Duration")


class Month(int):
    """time.Month: January is 1."""

    go_type: ClassVar[Type] = basic(Kind.INT, "time.Month")


class Weekday(int):
    """time.Weekday: Sunday is 0."""

    go_type: ClassVar[Type] = basic(Kind.INT, "time.Weekday")


_ZONE: Final = struct("time.zone", {"name": STRING, "offset": INT, "isDST": BOOL})
_CHANGE: Final = struct(
    "time.zoneTrans", {"when": INT64, "index": Uint8.go_type, "isstd": BOOL, "isutc": BOOL}
)


class Zone:
    """time.Location, to which templates have pointers only."""

    __slots__ = ("location",)
    go_type: ClassVar[Type] = struct(
        "time.Location",
        {
            "name": STRING,
            "zone": slice_of(_ZONE),
            "tx": slice_of(_CHANGE),
            "extend": STRING,
            "cacheStart": INT64,
            "cacheEnd": INT64,
            "cacheZone": pointer_to(_ZONE),
        },
    )

    def __init__(self, location: Location) -> None:
        self.location = location

    @property
    def fields(self) -> dict[str, Value]:
        """What printing shows where it does not use a method; of UTC alone, as the rest has addresses."""
        if self.location.kind != "utc":
            return {}
        return {name: "UTC" if name == "name" else told.zero() for name, told in self.go_type.fields.items()}


DURATION: Final = Duration.go_type
MONTH: Final = Month.go_type
WEEKDAY: Final = Weekday.go_type
LOCATION: Final = pointer_to(Zone.go_type)
DURATION.make = Duration
MONTH.make = Month
WEEKDAY.make = Weekday
TIME: Final = struct("time.Time", {"wall": Uint64.go_type, "ext": INT64, "loc": LOCATION})


class Time(moment.Time):
    """time.Time as a template sees it."""

    __slots__ = ()
    go_type: ClassVar[Type] = TIME

    @classmethod
    def of(cls, plain: moment.Time) -> Time:
        """The same time as a value of Go."""
        return cls(plain.unix, plain.nanosecond, plain.location)

    @property
    def fields(self) -> dict[str, Value]:
        """What printing shows where it does not use a method."""
        nowhere = self.location.kind == "utc"
        return {
            "wall": Uint64(self.nanosecond),
            "ext": Int64(self.since_zero),
            "loc": Pointer(None if nowhere else as_zone(self.location), LOCATION),
        }


ZERO: Final[Time] = Time.of(moment.ZERO_TIME)
TIME.make = lambda _: ZERO
TIME.read_fields = lambda time: time.fields
Zone.go_type.read_fields = lambda zone: zone.fields


@lru_cache(maxsize=64)
def as_zone(location: Location) -> Zone:
    """The location as a value of Go: the same one each time, as pointers to it are compared."""
    return Zone(location)


def _location_of(pointer: Pointer) -> Location:
    if pointer.target is None:
        raise GoError("time: missing Location in call to Time.In")
    location: Location = pointer.target.location
    return location


def _times() -> None:
    """The methods of time.Time."""
    method = TIME.method
    of = Time.of
    for name, read in {
        "Year": lambda time: time.civil.year,
        "Day": lambda time: time.civil.day,
        "Hour": lambda time: time.civil.hour,
        "Minute": lambda time: time.civil.minute,
        "Second": lambda time: time.civil.second,
        "Nanosecond": lambda time: time.nanosecond,
        "YearDay": lambda time: time.civil.year_day,
    }.items():
        method(name, (), INT)(read)
    for name, unit in {
        "Unix": durations.SECOND,
        "UnixMilli": durations.MILLISECOND,
        "UnixMicro": durations.MICROSECOND,
        "UnixNano": durations.NANOSECOND,
    }.items():
        method(name, (), INT64)(lambda time, unit=unit: Int64(time.unix_in(unit)))
    method("Month", (), MONTH)(lambda time: Month(time.civil.month))
    method("Weekday", (), WEEKDAY)(lambda time: Weekday(time.civil.weekday))
    method("IsZero", (), BOOL)(lambda time: time.is_zero)
    method("IsDST", (), BOOL)(lambda time: time.civil.zone.daylight)
    method("After", (TIME,), BOOL)(lambda time, other: time.instant > other.instant)
    method("Before", (TIME,), BOOL)(lambda time, other: time.instant < other.instant)
    method("Equal", (TIME,), BOOL)(lambda time, other: time.instant == other.instant)
    method("Compare", (TIME,), INT)(
        lambda time, other: (time.instant > other.instant) - (time.instant < other.instant)
    )
    method("Add", (DURATION,), TIME)(lambda time, amount: of(time.add(int(amount))))
    method("AddDate", (INT, INT, INT), TIME)(
        lambda time, years, months, days: of(time.add_date(years, months, days))
    )
    method("Sub", (TIME,), DURATION)(lambda time, other: Duration(time.sub(other)))
    method("Truncate", (DURATION,), TIME)(lambda time, unit: of(time.truncate(int(unit))))
    method("Round", (DURATION,), TIME)(lambda time, unit: of(time.round(int(unit))))
    method("UTC", (), TIME)(lambda time: of(time.within(UTC)))
    method("Local", (), TIME)(lambda time: of(time.within(LOCAL)))
    method("In", (LOCATION,), TIME)(lambda time, zone: of(time.within(_location_of(zone))))
    method("Location", (), LOCATION)(lambda time: Pointer(as_zone(time.location), LOCATION))
    method("String", (), STRING)(lambda time: time.text())
    method("GoString", (), STRING)(lambda time: time.go_text())


def _texts() -> None:
    """The methods of time.Time that write what may be large, or can fail."""

    @TIME.method("Format", (STRING,), STRING, budgeted=True)
    def _(budget: Any, time: Time, layout: str) -> str:
        _claim(budget, layout)
        return time.format(str(layout))

    @TIME.method("AppendFormat", (BYTES, STRING), BYTES, budgeted=True)
    def _(budget: Any, time: Time, before: bytes, layout: str) -> bytes:
        _claim(budget, layout, len(before))
        return before + to_bytes(time.format(str(layout)))

    @TIME.method("MarshalJSON", (), BYTES, fails=True)
    def _(time: Time) -> bytes:
        return f'"{_rfc3339(time, "MarshalJSON")}"'.encode()

    @TIME.method("MarshalText", (), BYTES, fails=True)
    def _(time: Time) -> bytes:
        return _rfc3339(time, "MarshalText").encode()

    @TIME.method("AppendText", (BYTES,), BYTES, fails=True)
    def _(time: Time, before: bytes) -> bytes:
        return before + _rfc3339(time, "MarshalText").encode()

    @TIME.method("MarshalBinary", (), BYTES, fails=True)
    def _marshal_binary(time: Time) -> bytes:
        return _binary(time)

    TIME.method("GobEncode", (), BYTES, fails=True)(_marshal_binary)
    TIME.method("AppendBinary", (BYTES,), BYTES, fails=True)(lambda time, before: before + _binary(time))


def _claim(budget: Any, layout: str, more: int = 0) -> None:
    # The longest that a layout's character becomes is a ninth of "September" or of a zone's name.
    budget.claim(len(layout) * 9 + more)


def _rfc3339(time: Time, name: str) -> str:
    try:
        return time.rfc3339(name)
    except TimeError as error:
        raise GoError(str(error)) from None


def _binary(time: Time) -> bytes:
    """Go's own encoding: version, seconds since year 1, nanoseconds, minutes east of UTC, seconds."""
    offset = time.civil.zone.offset
    if time.location.kind == "utc":
        version, zone, rest = 1, -1, b""
    else:
        seconds = abs(offset) % 60
        version = 2 if seconds else 1
        zone = abs(offset) // 60 * (-1 if offset < 0 else 1)
        rest = bytes([(-seconds if offset < 0 else seconds) % 256]) if seconds else b""
        if not -32768 <= zone < 32768 or zone == -1:
            raise GoError("Time.MarshalBinary: unexpected zone offset")
    head = time.since_zero.to_bytes(8, "big", signed=True) + time.nanosecond.to_bytes(4, "big")
    return bytes([version]) + head + zone.to_bytes(2, "big", signed=True) + rest


def _uncallable() -> None:
    """Methods that Go has but that no template can call: they give too many results."""
    for name, results in {
        "Date": (INT, MONTH, INT),
        "Clock": (INT, INT, INT),
        "Zone": (STRING, INT),
        "ISOWeek": (INT, INT),
        "ZoneBounds": (TIME, TIME),
    }.items():
        TIME.method(name, (), results)(lambda _time: None)


def _others() -> None:
    """The methods of Duration, Month, Weekday and Location."""
    for name, count in {
        "Hours": durations.hours,
        "Minutes": durations.minutes,
        "Seconds": durations.seconds,
    }.items():
        DURATION.method(name, (), FLOAT64)(count)
    for name, unit in {
        "Milliseconds": durations.MILLISECOND,
        "Microseconds": durations.MICROSECOND,
        "Nanoseconds": durations.NANOSECOND,
    }.items():
        DURATION.method(name, (), INT64)(lambda value, unit=unit: Int64(durations.whole(int(value), unit)))
    DURATION.method("String", (), STRING)(lambda value: durations.text(int(value)))
    DURATION.method("Abs", (), DURATION)(lambda value: Duration(durations.absolute(int(value))))
    DURATION.method("Round", (DURATION,), DURATION)(
        lambda value, unit: Duration(durations.round_half_away(int(value), int(unit)))
    )
    DURATION.method("Truncate", (DURATION,), DURATION)(
        lambda value, unit: Duration(durations.truncate(int(value), int(unit)))
    )
    MONTH.method("String", (), STRING)(
        lambda value: MONTHS[value - 1] if 1 <= value <= 12 else f"%!Month({int(value) % (1 << 64)})"
    )
    WEEKDAY.method("String", (), STRING)(
        lambda value: WEEKDAYS[value] if 0 <= value <= 6 else f"%!Weekday({int(value) % (1 << 64)})"
    )
    Zone.go_type.method("String", (), STRING, pointer=True)(lambda zone: str(zone.location))


_times()
_texts()
_uncallable()
_others()
