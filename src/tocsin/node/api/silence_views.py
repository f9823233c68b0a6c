"""Silences as the API shows them. What does not change is encoded once and remembered."""

from __future__ import annotations

from typing import Final, NamedTuple

from tocsin.alerting.silence import Silence
from tocsin.alerting.timestamp import Nanoseconds, format_milliseconds
from tocsin.node.api.alert_views import encode_labels
from tocsin.node.api.go_json import encode

MAX_VIEWS: Final = 65_536
"""Past it the oldest is forgotten, and encoded anew when it is asked for."""


class _View(NamedTuple):
    silence: Silence
    before: bytes
    after: bytes


class SilenceViews:
    """The views of the silences that were shown lately."""

    def __init__(self, max_views: int = MAX_VIEWS) -> None:
        self._max_views = max_views
        self._views: dict[str, _View] = {}

    def encode(self, silence: Silence, now: Nanoseconds) -> bytes:
        """A silence. Of several matcher sets the first is shown, as the API has room for one."""
        view = self._views.get(silence.id)
        if view is None or view.silence is not silence:
            if view is None and len(self._views) >= self._max_views:
                del self._views[next(iter(self._views))]
            view = self._views[silence.id] = _view(silence)
        return b'%b%b"},%b' % (view.before, silence.state_at(now).value.encode(), view.after)

    def __len__(self) -> int:
        return len(self._views)


def _view(silence: Silence) -> _View:
    matchers = [
        {
            "isEqual": matcher.type.is_equal,
            "isRegex": matcher.type.is_regex,
            "name": matcher.name,
            "value": matcher.value,
        }
        for matcher in silence.matchers
    ]
    annotations = b'"annotations":%b,' % encode_labels(silence.annotations) if silence.annotations else b""
    before = b'{"id":%b,"status":{"state":"' % encode(silence.id)
    after = b'"updatedAt":"%b",%b"comment":%b,"createdBy":%b,"endsAt":"%b","matchers":%b,"startsAt":"%b"}' % (
        format_milliseconds(silence.updated_at).encode(),
        annotations,
        encode(silence.comment),
        encode(silence.created_by),
        format_milliseconds(silence.ends_at).encode(),
        encode(matchers),
        format_milliseconds(silence.starts_at).encode(),
    )
    return _View(silence, before, after)
