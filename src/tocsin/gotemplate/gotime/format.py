"""Writes a time by a layout: Go's ``Time.Format``."""

from __future__ import annotations

from collections.abc import Callable

from tocsin.gotemplate.gotime.calendar import MONTHS, WEEKDAYS
from tocsin.gotemplate.gotime.layout import Part, Token, split_layout
from tocsin.gotemplate.gotime.moment import Civil, Time


def format_time(moment: Time, layout: str) -> str:
    """The time as the layout writes it."""
    civil = moment.civil
    return "".join(
        [
            piece if isinstance(piece, str) else _WRITERS[piece.part](civil, piece)
            for piece in split_layout(layout)
        ]
    )


def _long_year(civil: Civil, _token: Token) -> str:
    return f"{civil.year:04d}" if civil.year >= 0 else f"-{-civil.year:04d}"


def _year(civil: Civil, _token: Token) -> str:
    return f"{abs(civil.year) % 100:02d}"


def _hour12(civil: Civil) -> int:
    return civil.hour % 12 or 12


def _zone_name(civil: Civil, _token: Token) -> str:
    return civil.zone.name or write_offset(civil.zone.offset, 2, "")


def _offset(civil: Civil, token: Token) -> str:
    if token.zulu and civil.zone.offset == 0:
        return "Z"
    return write_offset(civil.zone.offset, token.fields, ":" if token.colon else "")


def write_offset(offset: int, fields: int, separator: str) -> str:
    """Seconds east of UTC as ``+02``, ``+0200`` or ``+020000``; what does not fit is cut off."""
    size = abs(offset)
    parts = (size // 3600, size // 60 % 60, size % 60)
    # The sign is that of the whole minutes: -30 seconds are +0000.
    sign = "-" if offset <= -60 else "+"
    return sign + separator.join(f"{part:02d}" for part in parts[:fields])


def _fraction0(civil: Civil, token: Token) -> str:
    return token.separator + _nanoseconds(civil, token.digits)


def _fraction9(civil: Civil, token: Token) -> str:
    digits = _nanoseconds(civil, token.digits).rstrip("0")
    return token.separator + digits if digits else ""


def _nanoseconds(civil: Civil, digits: int) -> str:
    return f"{civil.nanosecond:09d}"[:digits]


_WRITERS: dict[Part, Callable[[Civil, Token], str]] = {
    Part.LONG_MONTH: lambda civil, _: MONTHS[civil.month - 1],
    Part.MONTH: lambda civil, _: MONTHS[civil.month - 1][:3],
    Part.NUM_MONTH: lambda civil, _: str(civil.month),
    Part.ZERO_MONTH: lambda civil, _: f"{civil.month:02d}",
    Part.LONG_WEEKDAY: lambda civil, _: WEEKDAYS[civil.weekday],
    Part.WEEKDAY: lambda civil, _: WEEKDAYS[civil.weekday][:3],
    Part.DAY: lambda civil, _: str(civil.day),
    Part.UNDER_DAY: lambda civil, _: f"{civil.day:2d}",
    Part.ZERO_DAY: lambda civil, _: f"{civil.day:02d}",
    Part.UNDER_YEAR_DAY: lambda civil, _: f"{civil.year_day:3d}",
    Part.ZERO_YEAR_DAY: lambda civil, _: f"{civil.year_day:03d}",
    Part.HOUR: lambda civil, _: f"{civil.hour:02d}",
    Part.HOUR12: lambda civil, _: str(_hour12(civil)),
    Part.ZERO_HOUR12: lambda civil, _: f"{_hour12(civil):02d}",
    Part.MINUTE: lambda civil, _: str(civil.minute),
    Part.ZERO_MINUTE: lambda civil, _: f"{civil.minute:02d}",
    Part.SECOND: lambda civil, _: str(civil.second),
    Part.ZERO_SECOND: lambda civil, _: f"{civil.second:02d}",
    Part.LONG_YEAR: _long_year,
    Part.YEAR: _year,
    Part.UPPER_PM: lambda civil, _: "PM" if civil.hour >= 12 else "AM",
    Part.LOWER_PM: lambda civil, _: "pm" if civil.hour >= 12 else "am",
    Part.ZONE_NAME: _zone_name,
    Part.OFFSET: _offset,
    Part.FRACTION0: _fraction0,
    Part.FRACTION9: _fraction9,
}
