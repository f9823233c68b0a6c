"""The error of this package."""


class TimeError(Exception):
    """A time, layout, zone or duration that Go's ``time`` package refuses; the text is Go's."""
