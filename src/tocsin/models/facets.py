"""``facets``: which labels the alerts have, with which values, and how often."""

from __future__ import annotations

from typing import Annotated

import msgspec

from tocsin.models.base import Model, Paging, said


class FacetsQuery(Paging):
    """Which alerts are counted."""

    filter: Annotated[tuple[str, ...], said('matchers, `team="db"`: of alerts that match all of them')] = ()
    values: Annotated[int, msgspec.Meta(ge=1, le=1000, description="of each label, at most")] = 50


class FacetValue(Model):
    """A value of a label. An alert may be silenced and inhibited at once."""

    value: str
    alerts: Annotated[int, said("that fire and have it")]
    active: Annotated[int, said("of them, neither silenced nor inhibited")]
    silenced: int
    inhibited: int


class Facet(Model):
    """A label. Those that most alerts have come first; so do values."""

    name: str
    alerts: Annotated[int, said("that fire and have it")]
    values: tuple[FacetValue, ...]
    more: Annotated[int, said("values that are left out")]
