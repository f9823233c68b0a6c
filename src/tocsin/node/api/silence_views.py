"""Silences as the API shows them. What does not change is encoded once and remembered."""

from __future__ import annotations

from typing import Final, NamedTuple

from tocsin.alerting.silence import Silence
from tocsin.alerting.timestamp import Nanoseconds, format_milliseconds
from tocsin.node.api.alert_views import encode_labels
from tocsin.node.api.go_json import encode

MAX_VIEWS: Final = 65_536
"""Silences that are remembered in encoded form; past it the oldest is forgotten."""
MAX_VIEW_BYTES: Final = 32 << 20
"""Bytes of all remembered encodings: silences can be large, and may have expired long ago."""


class _View(NamedTuple):
    silence: Silence
    before: bytes
    after: bytes

    @property
    def size(self) -> int:
        return len(self.before) + len(self.after)


class SilenceViews:
    """Remembers the views of recently shown silences."""

    def __init__(self, max_views: int = MAX_VIEWS, max_bytes: int = MAX_VIEW_BYTES) -> None:
        self._max_views = max_views
        self._max_bytes = max_bytes
        self._views: dict[str, _View] = {}
        self._bytes = 0

    def encode(self, silence: Silence, now: Nanoseconds) -> bytes:
        """A silence. Of several matcher sets the first is shown, as the API has room for one."""
        view = self._views.get(silence.id)
        if view is None or view.silence is not silence:
            if view is None and len(self._views) >= self._max_views:
                self._forget_oldest()
            if view is not None:
                self._bytes -= view.size
            view = self._views[silence.id] = _view(silence)
            self._bytes += view.size
            while self._bytes > self._max_bytes and len(self._views) > 1:
                self._forget_oldest()
        return b'%b%b"},%b' % (view.before, silence.state_at(now).value.encode(), view.after)

    def _forget_oldest(self) -> None:
        self._bytes -= self._views.pop(next(iter(self._views))).size

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
