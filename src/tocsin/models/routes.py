"""``routes``: the routing tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from tocsin.models.base import Model, Seconds, said


class Route(Model):
    """A route with all that it inherits. The tree comes as a list, parents before their children."""

    id: Annotated[str, said("unique; also in the decision record and in metrics")]
    parent: Annotated[str, said("its id; empty: this is the root")]
    depth: Annotated[int, said("0 is the root")]
    matchers: Annotated[tuple[str, ...], said("of this route alone, as they are written in a file")]
    receiver: str
    group_by: Annotated[tuple[str, ...], said('label names; "..." is all')]
    group_wait: Seconds
    group_interval: Seconds
    repeat_interval: Seconds
    mute_time_intervals: tuple[str, ...]
    active_time_intervals: tuple[str, ...]
    continues: Annotated[bool, said("whether siblings after it are tried too")]
    labels: Annotated[Mapping[str, str], said("may hold templates")]
    inherited: Annotated[tuple[str, ...], said("fields that are as the parent has them")]
    groups: Annotated[int, said("aggregation groups of this route, now")]
    alerts: Annotated[int, said("firing alerts in them")]
    muted: Annotated[tuple[str, ...], said("time intervals that mute it now")]
