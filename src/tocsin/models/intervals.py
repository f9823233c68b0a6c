"""``intervals``: the time intervals that mute routes or let them speak, as a week."""

from __future__ import annotations

from typing import Annotated

from tocsin.models.base import Model, Time, said


class Interval(Model):
    """A time interval of the configuration in force."""

    name: str
    inside: Annotated[bool, said("whether it is now")]
    zone: Annotated[str, said("of the times in `week`: its own, or UTC when it has several")]
    monday: Annotated[Time, said("with which `week` begins: this week's")]
    week: Annotated[
        tuple[tuple[tuple[int, int], ...], ...],
        said("for each day from Monday on, the spans that are in it: minutes of the day, the last excluded"),
    ]
    mutes: Annotated[int, said("routes that it mutes")]
    activates: Annotated[int, said("routes that speak only then")]
