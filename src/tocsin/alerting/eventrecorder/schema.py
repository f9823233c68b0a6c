"""What an event looks like: protobuf's JSON of the messages in Alertmanager 0.34's ``eventrecorder.proto``.

By that mapping 64-bit numbers are texts, instants RFC 3339, spans seconds with an ``s``; what has its empty
value is left out, but a message that is set is there, if only as ``{}``. Instants outside the years 1 to 9999
have no text: they raise ValueError, as does text that is not Unicode when it is encoded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, Literal, TypeAlias

from tocsin.alerting.alert import Alert
from tocsin.alerting.inhibit import InhibitRule
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher, MatchType
from tocsin.alerting.silence import Silence
from tocsin.alerting.timestamp import LATEST, SECOND, ZERO, Nanoseconds, format_rfc3339

Message: TypeAlias = dict[str, Any]

Kind = Literal[
    "alertmanager_startup_event",
    "alertmanager_shutdown_event",
    "alert_created",
    "alert_resolved",
    "alert_grouped",
    "notification",
    "silence_created",
    "silence_updated",
    "silence_muted_alert",
    "inhibition_muted_alert",
]
"""As the metrics have them; in an event it is the name of the member of ``data``, in camel case."""

_MEMBERS: Final[Mapping[Kind, str]] = {
    "alertmanager_startup_event": "alertmanagerStartupEvent",
    "alertmanager_shutdown_event": "alertmanagerShutdownEvent",
    "alert_created": "alertCreated",
    "alert_resolved": "alertResolved",
    "alert_grouped": "alertGrouped",
    "notification": "notification",
    "silence_created": "silenceCreated",
    "silence_updated": "silenceUpdated",
    "silence_muted_alert": "silenceMutedAlert",
    "inhibition_muted_alert": "inhibitionMutedAlert",
}
_TYPES: Final[Mapping[MatchType, str]] = {
    MatchType.EQUAL: "TYPE_EQUAL",
    MatchType.REGEXP: "TYPE_REGEXP",
    MatchType.NOT_EQUAL: "TYPE_NOT_EQUAL",
    MatchType.NOT_REGEXP: "TYPE_NOT_REGEXP",
}
_encoded: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_MANY: Final = 256
"""Alerts from which on an event is encoded piece by piece: json's fast encoder lets no other thread run."""


def envelope(kind: Kind, data: Message, *, at: Nanoseconds, instance: str, position: int) -> Message:
    """The whole event. ``position``: of the node among the cluster's members."""
    found = {"@timestamp": instant(at), "instance": instance, "data": {_MEMBERS[kind]: data}}
    return found | ({"clusterPosition": position} if position else {})


def encode(event: Message, *, many: bool = False) -> bytes:
    """One line, without its end. ``many``: it is long. ValueError for what has no JSON."""
    return (_in_pieces(event) if many else _encoded(event)).encode()


def _in_pieces(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join([f"{_encoded(name)}:{_in_pieces(each)}" for name, each in value.items()]) + "}"
    if isinstance(value, list) and len(value) >= _MANY:
        return "[" + ",".join(map(_encoded, value)) + "]"
    return _encoded(value)


def is_long(alerts: Sequence[object]) -> bool:
    """Whether an event about so many is long."""
    return len(alerts) >= _MANY


def instant(at: Nanoseconds) -> str:
    """A Timestamp. 0 stands for Go's zero time, as in :class:`Alert`."""
    at = at or ZERO
    if not ZERO <= at <= LATEST:
        raise ValueError(f"an instant outside the years 1 to 9999: {at}")
    seconds, _, fraction = format_rfc3339(at).removesuffix("Z").partition(".")
    if not fraction:
        return f"{seconds}Z"
    return f"{seconds}.{fraction.ljust(-(-len(fraction) // 3) * 3, '0')}Z"


def span(nanoseconds: Nanoseconds) -> str:
    """A Duration that is not negative."""
    seconds, rest = divmod(nanoseconds, SECOND)
    if not rest:
        return f"{seconds}s"
    fraction = f"{rest:09d}".rstrip("0")
    return f"{seconds}.{fraction.ljust(-(-len(fraction) // 3) * 3, '0')}s"


def given(**members: Any) -> Message:
    """A message with those members that are not empty."""
    return {name: value for name, value in members.items() if value not in ("", 0, False) and value != []}


def labels(found: Labels) -> Message:
    """A LabelSet."""
    return given(labels=[given(key=name, value=value) for name, value in found.items()])


def alert(found: Alert, now: Nanoseconds) -> Message:
    """An Alert as it is at ``now``."""
    return given(
        fingerprint=str(found.labels.fingerprint),
        name=found.name,
        labels=labels(found.labels),
        annotations=labels(found.annotations),
        startsAt=instant(found.starts_at),
        endsAt=instant(found.ends_at),
        resolved=found.resolved_at(now),
    )


def grouped(found: Alert, now: Nanoseconds) -> Message:
    """A GroupedAlert with all that it has."""
    return {"hash": str(found.labels.hash), "details": alert(found, now)}


def referred(hashes: Iterable[int]) -> list[Message]:
    """GroupedAlerts that only refer."""
    return [{"hash": str(each)} for each in hashes]


def group(
    key: str, group_labels: Labels, receiver: str, matchers: Iterable[Matcher] = (), uuid: str = ""
) -> Message:
    """An AlertGroupInfo."""
    return given(
        groupKey=key,
        groupLabels=labels(group_labels),
        groupId=sha256(key.encode("utf-8", "surrogatepass")).hexdigest(),
        receiverName=receiver,
        matchers=[matcher(each) for each in matchers],
        groupUuid=uuid,
    )


def matcher(found: Matcher) -> Message:
    """A Matcher."""
    return given(type=_TYPES[found.type], name=found.name, pattern=found.value, rendered=str(found))


def silence(found: Silence) -> Message:
    """A Silence; without its annotations, as in Alertmanager."""
    sets = [given(matchers=[matcher(each) for each in matchers]) for matchers in found.matcher_sets]
    return given(
        id=found.id,
        matchers=sets[0].get("matchers", []) if sets else [],
        startsAt=instant(found.starts_at),
        endsAt=instant(found.ends_at),
        updatedAt=instant(found.updated_at),
        createdBy=found.created_by,
        comment=found.comment,
        matcherSets=sets,
    )


def muted(found: Labels) -> Message:
    """A MutedAlert."""
    return {"labels": labels(found), "fingerprint": str(found.fingerprint)}


def rule(found: InhibitRule) -> Message:
    """An InhibitRule."""
    return given(
        sourceMatchers=[matcher(each) for each in found.source_matchers],
        targetMatchers=[matcher(each) for each in found.target_matchers],
        equalLabels=sorted(set(found.equal)),
        name=found.name,
    )
