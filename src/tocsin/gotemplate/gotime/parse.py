"""Reads a time by a layout: Go's ``time.Parse``.

What a layout does not mention is zero, or one where zero cannot be. A fraction may follow the seconds even if
the layout has none. Source: the documentation of ``time.Parse``.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tocsin.dataclass import dataclass
from tocsin.gotemplate.gotime import calendar
from tocsin.gotemplate.gotime.calendar import MONTHS, WEEKDAYS
from tocsin.gotemplate.gotime.errors import TimeError
from tocsin.gotemplate.gotime.layout import Part, Token, split_layout
from tocsin.gotemplate.gotime.moment import Time
from tocsin.gotemplate.gotime.zones import LOCAL, Location, fixed_zone

_SIGNED_HOURS = re.compile(r"([+-])0*([0-9]{1,9})(?![0-9])")
_UPPER = re.compile(r"[A-Z]*")
_FRACTION = re.compile(r"[.,][0-9]+")
_HALF_YEAR = 182 * 86_400


class _MismatchError(Exception):
    """The text is not what the token asks for."""


class _RangeError(Exception):
    """A number is out of range; the argument names it."""


@dataclass(slots=True)
class _Reading:
    """What has been read so far, and what is left."""

    rest: str
    year: int = 0
    month: int | None = None
    day: int | None = None
    year_day: int | None = None
    hour: int = 0
    minute: int = 0
    second: int = 0
    nanosecond: int = 0
    afternoon: bool | None = None
    utc: bool = False
    offset: int | None = None
    zone: str = ""
    fraction_follows: bool = False

    def take(self, count: int) -> str:
        """The next characters. Raises _MismatchError if there are not so many."""
        if len(self.rest) < count:
            raise _MismatchError
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def number(self, fewest: int, most: int) -> int:
        """A number of that many ASCII digits."""
        count = 0
        while count < most and count < len(self.rest) and self.rest[count] in "0123456789":
            count += 1
        if count < fewest:
            raise _MismatchError
        return int(self.take(count))

    def name(self, names: tuple[str, ...], length: int | None) -> int:
        """The index of the name that comes next, in any case; only its first letters if length is given."""
        for index, name in enumerate(names):
            wanted = name[:length]
            if self.rest[: len(wanted)].lower() == wanted.lower():
                self.rest = self.rest[len(wanted) :]
                return index
        raise _MismatchError


def parse_time(layout: str, text: str, local: Location = LOCAL) -> Time:
    """The time that the text says by the layout. Raises TimeError, worded as Go does."""
    reading = _Reading(text)
    pieces = split_layout(layout)
    for index, piece in enumerate(pieces):
        before = reading.rest
        try:
            if isinstance(piece, str):
                _skip(reading, piece)
                continue
            following = next((each for each in pieces[index + 1 :] if isinstance(each, Token)), None)
            reading.fraction_follows = following is not None and following.digits > 0
            _READERS[piece.part](reading, piece)
        except _RangeError as error:
            raise _problem(text, f": {error} out of range") from None
        except _MismatchError:
            wanted, found = (piece, reading.rest) if isinstance(piece, str) else (piece.text, before)
            raise TimeError(
                f"parsing time {_quote(text)} as {_quote(layout)}: "
                f"cannot parse {_quote(found)} as {_quote(wanted)}"
            ) from None
    if reading.rest:
        raise _problem(text, f": extra text: {_quote(reading.rest)}")
    return _build(reading, text, local)


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _problem(text: str, message: str) -> TimeError:
    return TimeError(f"parsing time {_quote(text)}{message}")


def _skip(reading: _Reading, literal: str) -> None:
    """Reads a literal; any run of spaces matches any other one."""
    while literal:
        if literal[0] == " ":
            if reading.rest and reading.rest[0] != " ":
                raise _MismatchError
            literal, reading.rest = literal.lstrip(" "), reading.rest.lstrip(" ")
            continue
        if not reading.rest or reading.rest[0] != literal[0]:
            raise _MismatchError
        literal, reading.rest = literal[1:], reading.rest[1:]


def _build(reading: _Reading, text: str, local: Location) -> Time:
    if reading.afternoon and reading.hour < 12:
        reading.hour += 12
    elif reading.afternoon is False and reading.hour == 12:
        reading.hour = 0
    month, day = _month_and_day(reading, text)
    if not 1 <= day <= calendar.days_in(month, reading.year):
        raise _problem(text, ": day out of range")
    moment = Time.from_date(
        reading.year, month, day, reading.hour, reading.minute, reading.second, reading.nanosecond
    )
    if reading.utc:
        return moment
    if reading.offset is not None:
        moment = Time(moment.unix - reading.offset, moment.nanosecond)
        here = local.lookup(moment.unix)
        if here.offset == reading.offset and reading.zone in {"", here.name}:
            return moment.within(local)
        return moment.within(fixed_zone(reading.zone, reading.offset))
    if reading.zone:
        return _in_named_zone(moment, reading.zone, local)
    return moment


def _in_named_zone(moment: Time, name: str, local: Location) -> Time:
    """An abbreviation counts where the local zone has it; elsewhere it is only a name with offset zero."""
    for shift in (0, _HALF_YEAR, -_HALF_YEAR):
        here = local.lookup(moment.unix + shift)
        if here.name == name:
            return Time(moment.unix - here.offset, moment.nanosecond, local)
    hours = _SIGNED_HOURS.fullmatch(name[3:]) if name.startswith("GMT") else None
    offset = int(hours[1] + hours[2]) * 3600 if hours else 0
    return moment.within(fixed_zone(name, offset))


def _month_and_day(reading: _Reading, text: str) -> tuple[int, int]:
    if reading.year_day is None:
        return reading.month or 1, 1 if reading.day is None else reading.day
    if not 1 <= reading.year_day <= 365 + calendar.is_leap(reading.year):
        raise _problem(text, ": day-of-year out of range")
    days = calendar.days_from_civil(reading.year, 1, reading.year_day)
    _, month, day = calendar.civil_from_days(days)
    if reading.month is not None and reading.month != month:
        raise _problem(text, ": day-of-year does not match month")
    if reading.day is not None and reading.day != day:
        raise _problem(text, ": day-of-year does not match day")
    return month, day


def _limited(number: int, least: int, most: int, what: str) -> int:
    if not least <= number <= most:
        raise _RangeError(what)
    return number


def _integer(text: str) -> int:
    """Digits, before which Go takes a sign wherever it reads a number by itself."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    if digits and not (digits.isascii() and digits.isdigit()):
        raise _MismatchError
    return int(digits or "0") * (-1 if text[:1] == "-" else 1)


def _long_year(reading: _Reading, _token: Token) -> None:
    digits = reading.take(4)
    if not (digits.isascii() and digits.isdigit()):
        raise _MismatchError
    reading.year = int(digits)


def _year(reading: _Reading, _token: Token) -> None:
    year = _integer(reading.take(2))
    reading.year = year + (1900 if year >= 69 else 2000)


def _long_month(reading: _Reading, _token: Token) -> None:
    reading.month = reading.name(MONTHS, None) + 1


def _month(reading: _Reading, _token: Token) -> None:
    reading.month = reading.name(MONTHS, 3) + 1


def _month_number(reading: _Reading, token: Token) -> None:
    number = reading.number(2 if token.part is Part.ZERO_MONTH else 1, 2)
    reading.month = _limited(number, 1, 12, "month")


def _long_weekday(reading: _Reading, _token: Token) -> None:
    reading.name(WEEKDAYS, None)


def _weekday(reading: _Reading, _token: Token) -> None:
    reading.name(WEEKDAYS, 3)


def _day(reading: _Reading, token: Token) -> None:
    if token.part is Part.UNDER_DAY:
        reading.rest = reading.rest.removeprefix(" ")
    reading.day = reading.number(2 if token.part is Part.ZERO_DAY else 1, 2)


def _year_day(reading: _Reading, token: Token) -> None:
    if token.part is Part.UNDER_YEAR_DAY:
        reading.rest = reading.rest.removeprefix(" ").removeprefix(" ")
    reading.year_day = reading.number(3 if token.part is Part.ZERO_YEAR_DAY else 1, 3)


def _hour(reading: _Reading, _token: Token) -> None:
    reading.hour = _limited(reading.number(1, 2), 0, 23, "hour")


def _hour12(reading: _Reading, token: Token) -> None:
    number = reading.number(2 if token.part is Part.ZERO_HOUR12 else 1, 2)
    reading.hour = _limited(number, 0, 12, "hour")


def _minute(reading: _Reading, token: Token) -> None:
    number = reading.number(2 if token.part is Part.ZERO_MINUTE else 1, 2)
    reading.minute = _limited(number, 0, 59, "minute")


def _second(reading: _Reading, token: Token) -> None:
    number = reading.number(2 if token.part is Part.ZERO_SECOND else 1, 2)
    reading.second = _limited(number, 0, 59, "second")
    match = _FRACTION.match(reading.rest)
    if match and not reading.fraction_follows:
        _fraction(reading, len(match[0]))


def _fraction(reading: _Reading, count: int) -> None:
    text = reading.take(count)
    if text[:1] not in {".", ","}:
        raise _MismatchError
    digits = text[1:10]
    number = _integer(digits)
    reading.nanosecond = _limited(number, 0, 999_999_999, "fractional second") * 10 ** (9 - len(digits))


def _fraction0(reading: _Reading, token: Token) -> None:
    _fraction(reading, token.digits + 1)


def _fraction9(reading: _Reading, _token: Token) -> None:
    match = _FRACTION.match(reading.rest)
    if match:
        _fraction(reading, len(match[0]))


def _noon(reading: _Reading, token: Token) -> None:
    text = reading.take(2)
    morning = "AM" if token.part is Part.UPPER_PM else "am"
    if text not in {morning, token.text}:
        raise _MismatchError
    reading.afternoon = text == token.text


def _offset(reading: _Reading, token: Token) -> None:
    if token.zulu and reading.rest.startswith("Z"):
        reading.take(1)
        reading.utc = True
        return
    separator = ":" if token.colon else ""
    text = reading.take(3 + (2 + len(separator)) * (token.fields - 1))
    fields = text[1:].split(":") if token.colon else [text[at : at + 2] for at in range(1, len(text), 2)]
    if len(fields) != token.fields or not all(len(f) == 2 and f.isascii() and f.isdigit() for f in fields):
        raise _MismatchError
    hours, minutes, seconds = [int(part) for part in (*fields, "0", "0")][:3]
    _limited(hours, 0, 24, "time zone offset hour")
    _limited(minutes, 0, 60, "time zone offset minute")
    _limited(seconds, 0, 60, "time zone offset second")
    if text[0] not in "+-":
        raise _MismatchError
    size = hours * 3600 + minutes * 60 + seconds
    reading.offset = -size if text[0] == "-" else size


def _zone_name(reading: _Reading, _token: Token) -> None:
    if reading.rest.startswith("UTC"):
        reading.take(3)
        reading.utc = True
        return
    length = _zone_length(reading.rest)
    if not length:
        raise _MismatchError
    reading.zone = reading.take(length)


def _zone_length(text: str) -> int:
    """How long the abbreviation is that the text begins with; 0 if it begins with none."""
    if len(text) < 3:
        return 0
    if text.startswith(("ChST", "MeST")):
        return 4
    if text.startswith("GMT"):
        return 3 + _signed_hours(text[3:])
    if text[0] in "+-":
        return _signed_hours(text)
    match = _UPPER.match(text)
    upper = len(match[0]) if match else 0
    if upper == 3:
        return 3
    if upper == 4 and (text[3] == "T" or text.startswith("WITA")):
        return 4
    return 5 if upper == 5 and text[4] == "T" else 0


def _signed_hours(text: str) -> int:
    match = _SIGNED_HOURS.match(text)
    return match.end() if match and int(match[2]) <= 23 else 0


_READERS: dict[Part, Callable[[_Reading, Token], None]] = {
    Part.LONG_MONTH: _long_month,
    Part.MONTH: _month,
    Part.NUM_MONTH: _month_number,
    Part.ZERO_MONTH: _month_number,
    Part.LONG_WEEKDAY: _long_weekday,
    Part.WEEKDAY: _weekday,
    Part.DAY: _day,
    Part.UNDER_DAY: _day,
    Part.ZERO_DAY: _day,
    Part.UNDER_YEAR_DAY: _year_day,
    Part.ZERO_YEAR_DAY: _year_day,
    Part.HOUR: _hour,
    Part.HOUR12: _hour12,
    Part.ZERO_HOUR12: _hour12,
    Part.MINUTE: _minute,
    Part.ZERO_MINUTE: _minute,
    Part.SECOND: _second,
    Part.ZERO_SECOND: _second,
    Part.LONG_YEAR: _long_year,
    Part.YEAR: _year,
    Part.UPPER_PM: _noon,
    Part.LOWER_PM: _noon,
    Part.ZONE_NAME: _zone_name,
    Part.OFFSET: _offset,
    Part.FRACTION0: _fraction0,
    Part.FRACTION9: _fraction9,
}
