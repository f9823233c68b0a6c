"""Go's ``time`` package, as far as templates reach it: instants, durations, zones, layouts.

Durations are integers of nanoseconds here; :mod:`tocsin.gotemplate.gotime.bindings` gives them Go's types.
"""

from tocsin.gotemplate.gotime import duration
from tocsin.gotemplate.gotime.errors import TimeError
from tocsin.gotemplate.gotime.moment import ZERO_TIME, Civil, Time
from tocsin.gotemplate.gotime.parse import parse_time
from tocsin.gotemplate.gotime.zones import LOCAL, UTC, Location, fixed_zone, load_location

__all__ = [
    "LOCAL",
    "UTC",
    "ZERO_TIME",
    "Civil",
    "Location",
    "Time",
    "TimeError",
    "duration",
    "fixed_zone",
    "load_location",
    "parse_time",
]
