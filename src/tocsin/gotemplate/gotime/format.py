"""Writes a time by a layout: Go's ``Time.Format``."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeAlias

from tocsin.gotemplate.gotime.calendar import MONTHS, WEEKDAYS
from tocsin.gotemplate.gotime.layout import KEPT_LAYOUT, Part, Token, split_layout
from tocsin.gotemplate.gotime.moment import Civil, Time

Reader: TypeAlias = Callable[[Civil], Any]


def format_time(moment: Time, layout: str) -> str:
    """The time as the layout writes it."""
    prepare = _prepared if len(layout) <= KEPT_LAYOUT else _prepared.__wrapped__
    pattern, read = prepare(layout)
    written: str = pattern % read(moment.civil)
    return written


@lru_cache(maxsize=1024)
def _prepared(layout: str) -> tuple[str, Reader]:
    """A layout as a pattern for ``%``, and what reads the values for it: a layout is used again and again."""
    pattern: list[str] = []
    readers: list[str | Reader] = []
    for piece in split_layout(layout):
        if isinstance(piece, str):
            pattern.append(piece.replace("%", "%%"))
            continue
        plain = _PLAIN.get(piece.part)
        if plain is not None:
            pattern.append(plain[0])
            readers.append(plain[1])
        else:
            pattern.append("%s")
            readers.append(_written(_WRITERS[piece.part], piece))
    return "".join(pattern), _reader(readers)


def _written(write: Callable[[Civil, Token], str], token: Token) -> Reader:
    return lambda civil: write(civil, token)


def _reader(readers: list[str | Reader]) -> Reader:
    names = [reader for reader in readers if isinstance(reader, str)]
    if len(names) == len(readers) > 1:
        return attrgetter(*names)
    each = [attrgetter(reader) if isinstance(reader, str) else reader for reader in readers]
    return lambda civil: tuple([read(civil) for read in each])


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


_PLAIN: dict[Part, tuple[str, str]] = {
    Part.NUM_MONTH: ("%d", "month"),
    Part.ZERO_MONTH: ("%02d", "month"),
    Part.DAY: ("%d", "day"),
    Part.UNDER_DAY: ("%2d", "day"),
    Part.ZERO_DAY: ("%02d", "day"),
    Part.UNDER_YEAR_DAY: ("%3d", "year_day"),
    Part.ZERO_YEAR_DAY: ("%03d", "year_day"),
    Part.HOUR: ("%02d", "hour"),
    Part.MINUTE: ("%d", "minute"),
    Part.ZERO_MINUTE: ("%02d", "minute"),
    Part.SECOND: ("%d", "second"),
    Part.ZERO_SECOND: ("%02d", "second"),
}
"""Parts that are plain numbers of the wall clock."""
_WRITERS: dict[Part, Callable[[Civil, Token], str]] = {
    Part.LONG_MONTH: lambda civil, _: MONTHS[civil.month - 1],
    Part.MONTH: lambda civil, _: MONTHS[civil.month - 1][:3],
    Part.LONG_WEEKDAY: lambda civil, _: WEEKDAYS[civil.weekday],
    Part.WEEKDAY: lambda civil, _: WEEKDAYS[civil.weekday][:3],
    Part.HOUR12: lambda civil, _: str(_hour12(civil)),
    Part.ZERO_HOUR12: lambda civil, _: f"{_hour12(civil):02d}",
    Part.LONG_YEAR: _long_year,
    Part.YEAR: _year,
    Part.UPPER_PM: lambda civil, _: "PM" if civil.hour >= 12 else "AM",
    Part.LOWER_PM: lambda civil, _: "pm" if civil.hour >= 12 else "am",
    Part.ZONE_NAME: _zone_name,
    Part.OFFSET: _offset,
    Part.FRACTION0: _fraction0,
    Part.FRACTION9: _fraction9,
}
