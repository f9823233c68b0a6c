"""The body of POST silences."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import MatchType, ParserMode
from tocsin.alerting.silence import Silence
from tocsin.alerting.silence.silence import NO_ANNOTATIONS
from tocsin.alerting.silence.silences import MAX_SILENCE_BYTES
from tocsin.alerting.silence.validate import MAX_MATCHERS, making_matcher_sets
from tocsin.alerting.steps import Steps, finish
from tocsin.alerting.timestamp import ZERO, Nanoseconds
from tocsin.errors import ValidationError
from tocsin.node.api import weight
from tocsin.node.api.bodies import (
    BodyError,
    fields_of,
    flag_of,
    label_set_of,
    required,
    text_of,
    time_of,
    unparsable,
)
from tocsin.node.api.go_json import GoJSONError, Pairs, Value, decode_first, kind_of, mismatch
from tocsin.node.api.times import parse_time

MAX_BODY_BYTES: Final = 3 << 20
"""Size of a body. A silence takes a third of it at most, or is refused."""
MAX_OPENED: Final = 4 * MAX_MATCHERS

_NAME: Final = "silence"
_ID_TYPE: Final = 'struct { ID string "json:\\"id,omitempty\\"" }'


class PostableMatcher(msgspec.Struct, forbid_unknown_fields=True):
    """A matcher as the API takes it."""

    name: str | None = None
    value: str | None = None
    isRegex: bool | None = None  # noqa: N815
    isEqual: bool | None = None  # noqa: N815


class PostableSilence(msgspec.Struct, forbid_unknown_fields=True):
    """A silence as the API takes it; None is a field that is missing or ``null``."""

    id: str | None = None
    matchers: list[PostableMatcher] | None = None
    startsAt: str | None = None  # noqa: N815
    endsAt: str | None = None  # noqa: N815
    createdBy: str | None = None  # noqa: N815
    comment: str | None = None
    annotations: dict[str, str] | None = None


class SilenceFields(NamedTuple):
    """The fields of a body; None for a missing one."""

    identifier: str
    matchers: list[PostableMatcher] | None
    starts_at: Nanoseconds | None
    ends_at: Nanoseconds | None
    created_by: str | None
    comment: str | None
    annotations: dict[str, str] | None


_decode = msgspec.json.Decoder(PostableSilence).decode


def read_silence(body: bytes, now: Nanoseconds, mode: ParserMode = ParserMode.FALLBACK) -> Silence:
    """:func:`reading_silence` at once."""
    return finish(reading_silence(body, now, mode))


def reading_silence(body: bytes, now: Nanoseconds, mode: ParserMode = ParserMode.FALLBACK) -> Steps[Silence]:
    """The silence that a body asks for, a step for each pattern; ``mode`` says which names its matchers may
    have.

    Raises BodyError (go-openapi refuses it) or ValidationError (Alertmanager does). Size comes first, then
    how many matchers there are, then what they mean.
    """
    if len(body) > MAX_BODY_BYTES:
        raise BodyError(413, f"silence body of {len(body)} bytes, the limit is {MAX_BODY_BYTES}")
    if len(body) > weight.SMALL and body.count(b"{") > MAX_OPENED:
        raise BodyError(413, f"silence body with more than {MAX_OPENED} objects")
    weight.check_unusual(body, _NAME)
    try:
        usual = _decode(body)
        fields = SilenceFields(
            usual.id or "",
            usual.matchers,
            None if usual.startsAt is None else parse_time(usual.startsAt),
            None if usual.endsAt is None else parse_time(usual.endsAt),
            usual.createdBy,
            usual.comment,
            usual.annotations,
        )
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, GoJSONError):
        fields = _read_slowly(body)
    return (yield from making_silence(fields, now, mode))


def making_silence(fields: SilenceFields, now: Nanoseconds, mode: ParserMode) -> Steps[Silence]:
    """The silence that the fields ask for, a step for each pattern; errors as of :func:`reading_silence`."""
    # In the order in which go-openapi validates.
    if fields.comment is None:
        raise required("comment")
    if fields.created_by is None:
        raise required("createdBy")
    if fields.ends_at is None:
        raise required("endsAt")
    if fields.matchers is None:
        raise required("matchers")
    if not fields.matchers:
        raise BodyError(612, "matchers in body should have at least 1 items")
    if len(fields.matchers) > MAX_MATCHERS:
        problem = f"{len(fields.matchers)} matchers, the limit is {MAX_MATCHERS}"
        raise ValidationError(f"invalid silence: {problem}")
    size = sum([len(matcher.name or "") + len(matcher.value or "") for matcher in fields.matchers])
    if size + len(fields.comment) + len(fields.created_by) > MAX_SILENCE_BYTES:
        raise ValidationError(
            f"silence exceeded maximum size: {size} bytes (limit: {MAX_SILENCE_BYTES} bytes)"
        )
    triples = [_triple(number, matcher) for number, matcher in enumerate(fields.matchers)]
    if fields.starts_at is None:
        raise required("startsAt")
    if fields.starts_at >= fields.ends_at:
        raise ValidationError("Failed to create silence: start time must be before end time")
    if fields.ends_at < now:
        raise ValidationError("Failed to create silence: end time can't be in the past")
    try:
        matcher_sets = yield from making_matcher_sets([triples], mode)
    except ValidationError as error:
        raise ValidationError(f"invalid silence: {error}") from None
    return Silence(
        id=fields.identifier,
        matcher_sets=matcher_sets,
        # The zero time is long past, and so it starts now as any past time does.
        starts_at=fields.starts_at if fields.starts_at > ZERO else 1,
        ends_at=fields.ends_at,
        created_by=fields.created_by,
        comment=fields.comment,
        annotations=Labels(fields.annotations) if fields.annotations else NO_ANNOTATIONS,
    )


def _triple(number: int, matcher: PostableMatcher) -> tuple[int, str, str]:
    if matcher.isRegex is None:
        raise required(f"matchers.{number}.isRegex")
    if matcher.name is None:
        raise required(f"matchers.{number}.name")
    if matcher.value is None:
        raise required(f"matchers.{number}.value")
    is_equal = matcher.isEqual is None or matcher.isEqual
    return MatchType.of(is_regex=matcher.isRegex, is_equal=is_equal), matcher.name, matcher.value


def _read_slowly(body: bytes) -> SilenceFields:
    if not body.strip(b" \t\r\n"):
        raise required(_NAME)
    try:
        # Go decodes a silence twice: first its id, then the rest.
        fields = fields_of(decode_first(body), _ID_TYPE)
        identifier = text_of(fields, "id", "")
        return _fields(fields, identifier or "")
    except GoJSONError as error:
        raise unparsable(_NAME, error) from None


def _fields(fields: dict[str, list[Value]], identifier: str) -> SilenceFields:
    annotations: dict[str, str] | None = None
    texts: dict[str, str | None] = {}
    times: dict[str, Nanoseconds | None] = {}
    matchers: list[PostableMatcher] | None = None
    for name, values in fields.items():  # the first error of the body is reported
        if name == "annotations":
            annotations = label_set_of(fields, name, "Silence")
        elif name in ("startsat", "endsat"):
            times[name] = time_of(fields, name)
        elif name == "comment":
            texts[name] = text_of(fields, "comment", "Silence")
        elif name == "createdby":
            texts[name] = text_of(fields, "createdBy", "Silence")
        elif name == "matchers":
            matchers = _matchers(values[-1])
    return SilenceFields(
        identifier,
        matchers,
        times.get("startsat"),
        times.get("endsat"),
        texts.get("createdby"),
        texts.get("comment"),
        annotations,
    )


def _matchers(value: Value) -> list[PostableMatcher] | None:
    if value is None:
        return None
    if not isinstance(value, list) or isinstance(value, Pairs):
        raise mismatch(value, "Go struct field Silence.matchers", "models.Matchers")
    return [_matcher(number, element) for number, element in enumerate(value)]


def _matcher(number: int, value: Value) -> PostableMatcher:
    path = f"Silence.matchers.{number}"
    if value is not None and not isinstance(value, Pairs):
        raise GoJSONError(f"json: cannot unmarshal {kind_of(value)} into {path} of type models.Matcher")
    fields = fields_of(value, "models.Matcher")
    matcher = PostableMatcher()
    for name in fields:
        if name == "name":
            matcher.name = text_of(fields, "name", path)
        elif name == "value":
            matcher.value = text_of(fields, "value", path)
        elif name == "isregex":
            matcher.isRegex = flag_of(fields, "isRegex", path)
        elif name == "isequal":
            matcher.isEqual = flag_of(fields, "isEqual", path)
    return matcher
