"""``acknowledge``: silences alerts that somebody works on, until they have ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from tocsin.models.base import Body, Model, Time, said

USUAL: float = 24 * 3600.0
LONGEST: float = 30 * 24 * 3600.0


class Acknowledge(Body):
    """What is acknowledged: one of ``alert``, ``group`` (with ``receiver``) and ``matchers``."""

    created_by: Annotated[str, msgspec.Meta(min_length=1, max_length=256, description="who is on it")]
    comment: Annotated[str, msgspec.Meta(max_length=4096)] = "acknowledged"
    alert: Annotated[str, said("fingerprint of an alert")] = ""
    group: Annotated[
        Mapping[str, str] | None, said("labels of an aggregation group, as API v2 shows them")
    ] = None
    receiver: Annotated[str, said("of the group")] = ""
    matchers: Annotated[
        tuple[str, ...], msgspec.Meta(max_length=64, description='`team="db"`: alerts that match all of them')
    ] = ()
    duration: Annotated[
        float,
        msgspec.Meta(ge=60, le=LONGEST, description="seconds after which it ends even if the alerts do not"),
    ] = USUAL


class Acknowledged(Model):
    """The silence that was made."""

    silence_id: str
    matchers: tuple[str, ...]
    ends_at: Annotated[Time, said("at the latest")]
    alerts: Annotated[int, said("that fire and are silenced by it")]
