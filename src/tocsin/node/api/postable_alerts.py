"""The body of POST alerts. This is the hot path: the usual body takes a few microseconds an alert."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels, fingerprinting, go_quote, valid_text
from tocsin.alerting.matcher import ParserMode
from tocsin.alerting.timestamp import ZERO, Nanoseconds
from tocsin.errors import ValidationError
from tocsin.node.api import weight
from tocsin.node.api.bodies import (
    BodyError,
    fields_of,
    label_set_of,
    opaque_text_of,
    required,
    time_of,
    unparsable,
)
from tocsin.node.api.go_json import GoJSONError, Pairs, Value, decode_first, mismatch
from tocsin.node.api.interned import Interned, shared
from tocsin.node.api.scheduler import pause
from tocsin.node.api.steps import run_steps
from tocsin.node.api.times import parse_time

MAX_PROBLEMS: Final = 1000
"""Invalid alerts of one request that are described in the error; further ones are only counted."""

SLICE: Final = 256
"""Alerts that are taken in before other work of the event loop runs: what a Prometheus sends at once, so that
one flush has all of them."""
READ_SLICE: Final = 64
"""Alerts that are read before other work runs."""
SLICE_BYTES: Final = 1 << 16
"""Bytes of labels that are hashed before other work runs: that takes some milliseconds."""
FINGERPRINTED_AT_ONCE: Final = 4096
"""Bytes of a label set; the fingerprint of a larger one is computed in steps."""
SLOW_BYTES: Final = 1 << 16
"""Bytes of a body from which on the slow reader runs in a thread."""

REMEMBERED: Final = 1024
"""Characters of a URL up to which its check is remembered."""

_NAME = "alerts"
_ANNOTATED_TYPE = (
    'struct { Annotations models.LabelSet "json:\\"annotations,omitempty\\""; '
    'EndsAt strfmt.DateTime "json:\\"endsAt,omitempty\\""; '
    'StartsAt strfmt.DateTime "json:\\"startsAt,omitempty\\"" }'
)


class PostableAlert(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An alert of the usual form; a body with any other goes to :func:`read_slowly`."""

    labels: msgspec.Raw
    annotations: msgspec.Raw = msgspec.Raw(b"{}")
    startsAt: str | None = None  # noqa: N815
    endsAt: str | None = None  # noqa: N815
    generatorURL: str | None = None  # noqa: N815


LABEL_BYTES: Final = 180
"""Approximate memory of one label beside its text."""


class _Known(NamedTuple):
    """A label set, and whether its names and values are valid."""

    labels: Labels
    valid: bool


_decode_alerts = msgspec.json.Decoder(list[PostableAlert]).decode
_decode_labels = msgspec.json.Decoder(dict[str, str]).decode


def _known(labels: dict[str, str], mode: ParserMode) -> _Known:
    valid = all(mode.valid_name(name) and valid_text(value) for name, value in labels.items())
    return _Known(Labels(labels), valid)


def _size(known: _Known) -> int:
    return LABEL_BYTES * len(known.labels)


_NOTHING: Final = _Known(Labels(), valid=True)


class Parts(NamedTuple):
    """An alert of a body, of the right types but not yet validated; ZERO is a time that was not given."""

    labels: _Known
    annotations: _Known
    starts_at: Nanoseconds
    ends_at: Nanoseconds
    generator_url: str
    problem: str = ""
    """Why the alert is refused, if it is past a bound."""


class AlertLimits(NamedTuple):
    """Bounds of one alert; 0: none."""

    labels: int = 1024
    """Labels, and annotations."""
    bytes: int = 256 * 1024
    """Bytes of labels and annotations together, as JSON."""

    def problem(self, count: int, size: int) -> str:
        """What is wrong with so many labels, of so many bytes; empty: nothing."""
        if 0 < self.labels < count:
            return f"{count} labels or annotations, the limit is {self.labels} (--alerts.max-labels)"
        if 0 < self.bytes < size:
            return f"{size} bytes, the limit is {self.bytes} (--alerts.max-size-bytes)"
        return ""


DEFAULT_LIMITS: Final = AlertLimits()


class AlertReader:
    """Reads bodies, remembering the label sets it has seen."""

    def __init__(self, limits: AlertLimits = DEFAULT_LIMITS, mode: ParserMode = ParserMode.FALLBACK) -> None:
        self._limits = limits
        self._mode = mode
        self._labels: Interned[_Known] = Interned(size=_size)
        self._annotations: Interned[_Known] = Interned(size=_size)

    async def read(self, body: bytes) -> list[Parts]:
        """The alerts of a body. Raises BodyError."""
        found = await self._read(body)
        if not all(each.labels.labels.is_fingerprinted for each in found):
            await run_steps(fingerprinting(each.labels.labels for each in found))
        return found

    async def _read(self, body: bytes) -> list[Parts]:
        weight.check(body, _NAME)
        try:
            decoded = _decode_alerts(body)
            parts: list[Parts] = []
            held = 0
            for position, alert in enumerate(decoded):
                held += len(alert.labels)
                if position % READ_SLICE == READ_SLICE - 1 or held > SLICE_BYTES:
                    held = 0
                    await pause()
                parts.append(self._parts(alert))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, GoJSONError):
            if len(body) < SLOW_BYTES:
                return read_slowly(body, self._limits, self._mode)
            weight.check_unusual(body, _NAME)
            return await asyncio.to_thread(read_slowly, body, self._limits, self._mode)
        return parts

    def _parts(self, postable: PostableAlert) -> Parts:
        url = postable.generatorURL
        if url and not is_request_uri(url):
            raise GoJSONError("generatorURL")
        starts_at, ends_at = postable.startsAt, postable.endsAt
        problem = self._limits.problem(0, len(postable.labels) + len(postable.annotations))
        if problem:  # before anything is made of it
            return Parts(_NOTHING, _NOTHING, ZERO, ZERO, "", problem)
        raw = bytes(postable.labels)
        labels = self._labels.get(raw)
        if labels is None:
            decoded = {name: shared(value) for name, value in _decode_labels(raw).items()}
            labels = _known(_without_empty(decoded), self._mode)
            if len(raw) <= FINGERPRINTED_AT_ONCE:
                _ = labels.labels.fingerprint
            self._labels.put(raw, labels)
        raw = bytes(postable.annotations)
        annotations = self._annotations.get(raw)
        if annotations is None:
            annotations = _known(_decode_labels(raw), self._mode)
            self._annotations.put(raw, annotations)
        problem = self._limits.problem(max(len(labels.labels), len(annotations.labels)), 0)
        return Parts(
            labels,
            annotations,
            ZERO if starts_at is None else parse_time(starts_at),
            ZERO if ends_at is None else parse_time(ends_at),
            shared(url) if url else "",
            problem,
        )


def read_slowly(
    body: bytes, limits: AlertLimits = DEFAULT_LIMITS, mode: ParserMode = ParserMode.FALLBACK
) -> list[Parts]:
    """The alerts of a body that is not as usual. Raises BodyError with go-openapi's message."""
    if not body.strip(b" \t\r\n"):
        raise required(_NAME)
    try:
        value = decode_first(body)
        if value is None:
            return []
        if not isinstance(value, list) or isinstance(value, Pairs):
            raise mismatch(value, "Go value", "models.PostableAlerts")
        raw = [_raw_alert(element) for element in value]
    except GoJSONError as error:
        raise unparsable(_NAME, error) from None
    return [_checked(number, alert, limits, mode) for number, alert in enumerate(raw)]


class _RawAlert(NamedTuple):
    labels: dict[str, str] | None
    annotations: dict[str, str]
    starts_at: Nanoseconds | None
    ends_at: Nanoseconds | None
    generator_url: str


def _raw_alert(value: Value) -> _RawAlert | None:
    if value is None:
        return None
    # Go decodes an alert twice, into its two halves: an error in the first half comes first.
    fields = fields_of(value, _ANNOTATED_TYPE)
    annotations: dict[str, str] | None = None
    times: dict[str, Nanoseconds | None] = {}
    for name in fields:
        if name == "annotations":
            annotations = label_set_of(fields, "annotations", "")
        elif name in ("startsat", "endsat"):
            times[name] = time_of(fields, name)
    labels: dict[str, str] | None = None
    url: str | None = None
    for name in fields:
        if name == "labels":
            labels = label_set_of(fields, "labels", "Alert")
        elif name == "generatorurl":
            url = opaque_text_of(fields, "generatorURL")
    return _RawAlert(labels, annotations or {}, times.get("startsat"), times.get("endsat"), url or "")


def _checked(number: int, alert: _RawAlert | None, limits: AlertLimits, mode: ParserMode) -> Parts:
    if alert is None:  # Alertmanager's handler panics
        raise required(f"{number}")
    url = alert.generator_url
    if url and not is_request_uri(url):
        raise BodyError(601, f"{number}.generatorURL in body must be of type uri: {go_quote(url)}")
    if alert.labels is None:
        raise required(f"{number}.labels")
    pairs = (*alert.labels.items(), *alert.annotations.items())
    problem = limits.problem(
        max(len(alert.labels), len(alert.annotations)),
        sum([len(name) + len(value) for name, value in pairs]),
    )
    return Parts(
        _known(_without_empty(alert.labels), mode),
        _known(alert.annotations, mode),
        ZERO if alert.starts_at is None else alert.starts_at,
        ZERO if alert.ends_at is None else alert.ends_at,
        url,
        problem,
    )


class Intake:
    """Makes alerts of :class:`Parts`: the valid ones, and the errors of the others."""

    def __init__(
        self, now: Nanoseconds, resolve_timeout: Nanoseconds, mode: ParserMode = ParserMode.FALLBACK
    ) -> None:
        self._mode = mode
        self.problems: list[str] = []
        self.firing = 0
        self.resolved = 0
        self.invalid = 0
        self._now = now
        self._timeout_at = now + resolve_timeout

    def alerts(self, parts: Iterable[Parts]) -> list[Alert]:
        """The valid ones of ``parts``, each with its start and end filled in."""
        now, timeout_at = self._now, self._timeout_at
        made: list[Alert] = []
        resolved = invalid = count = 0
        for labels, notes, starts_at, ends_at, url, problem in parts:
            count += 1
            if problem:
                invalid += 1
                if len(self.problems) < MAX_PROBLEMS:
                    self.problems.append(f"alert too large: {problem}")
                continue
            timeout = False
            if starts_at == ZERO:
                starts_at = now if ends_at == ZERO else ends_at
            if ends_at == ZERO:
                timeout = True
                ends_at = timeout_at
            elif ends_at <= now:
                resolved += 1
            alert = Alert(labels.labels, notes.labels, starts_at, ends_at, url, now, timeout)
            if ends_at < starts_at or not (labels.labels and labels.valid and notes.valid):
                try:
                    alert.validate(self._mode)
                except ValidationError as error:
                    invalid += 1
                    if len(self.problems) < MAX_PROBLEMS:
                        self.problems.append(str(error))
                    continue
            made.append(alert)
        self.firing += count - resolved
        self.resolved += resolved
        self.invalid += invalid
        return made


def _without_empty(labels: dict[str, str]) -> dict[str, str]:
    """Alertmanager takes a label with an empty value for one that is not there."""
    if "" in labels.values():
        return {name: value for name, value in labels.items() if value}
    return labels


# As net/url's ParseRequestURI judges, which is less strict than RFC 3986.
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOST = re.compile(r"(?:\[[^\[\]]*\]|[^\[\]:]*)(?::[0-9]*)?\Z")
_BAD_HOST_CHARACTER = re.compile(r"[\x00-\x20\x7f\"<>\\^`{|}#/?%]")
_USER = re.compile(r"[A-Za-z0-9._:~!$&'()*+,;=%@-]*\Z")


def is_request_uri(text: str) -> bool:
    """Whether ``text`` is a URI with a scheme, or a rooted path."""
    return _is_request_uri(text) if len(text) > REMEMBERED else _remembered_uri(text)


@lru_cache(maxsize=16_384)
def _remembered_uri(text: str) -> bool:
    return _is_request_uri(text)


def _is_request_uri(text: str) -> bool:
    if not text or _CONTROL.search(text):
        return False
    rest = text
    scheme = _SCHEME.match(text)
    if scheme is not None:
        rest = text[scheme.end() :]
        if not rest.startswith("/"):
            return True  # opaque
    elif ":" in text.split("/", 1)[0]:
        return False
    path, _, _query = rest.partition("?")
    if not path.startswith("/"):
        return False
    if path.startswith("//"):
        authority, _, path = path[2:].partition("/")
        user, at, host = authority.rpartition("@")
        if at and not (_USER.match(user) and not _BAD_ESCAPE.search(user)):
            return False
        if _HOST.match(host) is None or _BAD_HOST_CHARACTER.search(host):
            return False
    return _BAD_ESCAPE.search(path) is None
