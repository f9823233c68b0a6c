"""The proleptic Gregorian calendar on plain integers, for any year."""

from __future__ import annotations

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)
_DAYS_TO_EPOCH = 719_468  # from 0000-03-01 to 1970-01-01


def is_leap(year: int) -> bool:
    """Whether the year has a 29th of February."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_in(month: int, year: int) -> int:
    """How many days the month (1 to 12) has."""
    if month == 2:
        return 29 if is_leap(year) else 28
    return 30 if month in {4, 6, 9, 11} else 31


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01. The month is 1 to 12, the day may be any number."""
    # Years are counted from March, so that the leap day is the last of a year.
    shifted = year - (month <= 2)
    month_of_year = (month + 9) % 12
    day_of_year = (153 * month_of_year + 2) // 5 + day - 1
    return shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + day_of_year - _DAYS_TO_EPOCH


def civil_from_days(days: int) -> tuple[int, int, int]:
    """Year, month (1 to 12) and day of the month of that many days since 1970-01-01."""
    era, day_of_era = divmod(days + _DAYS_TO_EPOCH, 146_097)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_of_year = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_of_year + 2) // 5 + 1
    month = month_of_year + 3 if month_of_year < 10 else month_of_year - 9
    return era * 400 + year_of_era + (month <= 2), month, day


def year_day(year: int, month: int, day: int) -> int:
    """The day of the year, from 1."""
    return _BEFORE[month - 1] + day + (month > 2 and is_leap(year))


def weekday(days: int) -> int:
    """The weekday of that many days since 1970-01-01: 0 is Sunday."""
    return (days + 4) % 7


def iso_week(days: int) -> tuple[int, int]:
    """ISO 8601 year and week of that many days since 1970-01-01."""
    thursday = days - (days + 3) % 7 + 3
    year, month, day = civil_from_days(thursday)
    return year, (year_day(year, month, day) - 1) // 7 + 1
