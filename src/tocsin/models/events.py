"""``events``: what has changed, as it changes."""

from __future__ import annotations

from typing import Annotated, Literal

from tocsin.models.base import Model, Query, Time, said

Kind = Literal["alerts", "silences", "notifications", "cluster", "configuration"]
Greeting = Literal["hello", "reset"]
"""Events that are sent to one listener only."""


class EventsQuery(Query):
    """Which events a stream begins with."""

    last_event_id: Annotated[
        str,
        said(
            "the same as the header `Last-Event-ID`, for clients that cannot set one: go on after this event"
        ),
    ] = ""


class Event(Model):
    """``data`` of an event; its ``event`` is the kind, its ``id`` is for `Last-Event-ID`."""

    kind: Kind | Greeting
    at: Time
    ids: Annotated[
        tuple[str, ...],
        said(
            "fingerprints of alerts, ids of silences, names of integrations (`team/webhook[0]`); of the"
            " others none. At most 100"
        ),
    ]
    more: Annotated[int, said("about how many are not named")]
