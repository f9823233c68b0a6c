"""Alerts as the API shows them. What does not change is encoded once and remembered."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.route import Route
from tocsin.alerting.timestamp import format_milliseconds
from tocsin.node.api.go_json import encode

MAX_VIEWS: Final = 32_768
"""Alerts that are remembered in encoded form; past it the oldest is forgotten."""
MAX_VIEW_BYTES: Final = 32 << 20
"""Bytes of all remembered encodings: alerts can be large, and may have ended long ago."""

_ACTIVE: Final = b'{"inhibitedBy":[],"mutedBy":[],"silencedBy":[],"state":"active"}'


def encode_labels(labels: Labels) -> bytes:
    """A label set as JSON, in byte order of the names."""
    return encode(dict(labels.pairs))


def encode_status(
    silenced_by: Sequence[str], inhibited_by: Sequence[str], muted_by: Sequence[str] = ()
) -> bytes:
    """The ``status`` of an alert."""
    if not (silenced_by or inhibited_by or muted_by):
        return _ACTIVE
    return _encode_suppressed(tuple(silenced_by), tuple(inhibited_by), tuple(muted_by))


@lru_cache(maxsize=4)
def _encode_suppressed(
    silenced_by: tuple[str, ...], inhibited_by: tuple[str, ...], muted_by: tuple[str, ...]
) -> bytes:
    # What mutes one alert often mutes the next one too, and there may be thousands of silences.
    return encode(
        {
            "inhibitedBy": list(inhibited_by),
            "mutedBy": list(muted_by),
            "silencedBy": list(silenced_by),
            "state": "suppressed",
        }
    )


@lru_cache(maxsize=1024)
def encode_receivers(names: tuple[str, ...]) -> bytes:
    """The ``receivers`` of an alert."""
    return encode([{"name": name} for name in names])


class AlertView:
    """The parts of one alert, encoded, between which the parts that change are put."""

    __slots__ = ("_after", "_annotations", "_before", "_between", "_labels", "_receivers", "_route", "alert")

    _labels: bytes
    _annotations: bytes
    _receivers: tuple[str, ...] | None

    def __init__(self, alert: Alert, route: Route, old: AlertView | None) -> None:
        self.alert = alert
        self._route = route
        labels, notes = alert.labels, alert.annotations
        # Reports of one alert mostly share their label sets: see AlertReader.
        if old is not None and old.alert.labels is labels and old._route is route:
            self._labels, self._receivers = old._labels, old._receivers
        else:
            self._labels, self._receivers = encode_labels(labels), None
        same_notes = old is not None and old.alert.annotations is notes
        self._annotations = old._annotations if old is not None and same_notes else encode_labels(notes)
        self._before = b'{"annotations":%b,"endsAt":"%b","fingerprint":"%b","receivers":' % (
            self._annotations,
            format_milliseconds(alert.ends_at).encode(),
            labels.fingerprint_text.encode(),
        )
        self._between = b',"startsAt":"%b","status":' % format_milliseconds(alert.starts_at).encode()
        self._after = b',"updatedAt":"%b"%b,"labels":%b}' % (
            format_milliseconds(alert.updated_at).encode(),
            b',"generatorURL":' + encode(alert.generator_url) if alert.generator_url else b"",
            self._labels,
        )

    @property
    def receivers(self) -> tuple[str, ...]:
        """The receivers of the routes that match the alert; computed on demand, as answers with groups do not
        need them."""
        found = self._receivers
        if found is None:
            routes = self._route.match(self.alert.labels)
            found = self._receivers = tuple(match.options.receiver for match in routes)
        return found

    @property
    def size(self) -> int:
        """Approximate size in bytes."""
        return len(self._before) + len(self._after) + len(self._labels)

    def is_of(self, alert: Alert, route: Route) -> bool:
        """Whether this still shows ``alert``."""
        return self.alert is alert and self._route is route

    def encode(self, receivers: tuple[str, ...], status: bytes) -> bytes:
        """The whole alert."""
        return b"".join((self._before, encode_receivers(receivers), self._between, status, self._after))


class AlertViews:
    """Remembers the views of recently shown alerts."""

    def __init__(self, max_views: int = MAX_VIEWS, max_bytes: int = MAX_VIEW_BYTES) -> None:
        self._max_views = max_views
        self._max_bytes = max_bytes
        self._views: dict[int, AlertView] = {}
        self._bytes = 0

    def of(self, alert: Alert, route: Route) -> AlertView:
        """The view of ``alert``; ``route`` is the root of the routing tree."""
        fingerprint = alert.labels.fingerprint
        view = self._views.get(fingerprint)
        if view is None or not view.is_of(alert, route):
            if view is None and len(self._views) >= self._max_views:
                self._forget_oldest()
            if view is not None:
                self._bytes -= view.size
            view = self._views[fingerprint] = AlertView(alert, route, view)
            self._bytes += view.size
            while self._bytes > self._max_bytes and len(self._views) > 1:
                self._forget_oldest()
        return view

    def _forget_oldest(self) -> None:
        self._bytes -= self._views.pop(next(iter(self._views))).size

    def __len__(self) -> int:
        return len(self._views)
