"""A node's answers, decoded: JSON with the fields that the tool shows, or one error that names what is
missing."""

from __future__ import annotations

import json
from typing import Any, Final

from tocsin.client import dates
from tocsin.errors import RemoteError

Json = dict[str, Any]

_TEXT: Final = "a text"
_TIME: Final = "a time"
_MAP: Final = "a map of texts"
_BOOL: Final = "true or false"

_ALERT: Final[Json] = {
    "labels": _MAP,
    "annotations": _MAP,
    "startsAt": _TIME,
    "endsAt": _TIME,
    "status": {"state": _TEXT, "silencedBy": [_TEXT]},
}
_SILENCE: Final[Json] = {
    "id": _TEXT,
    "status": {"state": _TEXT},
    "matchers": [{"name": _TEXT, "value": _TEXT, "isRegex": _BOOL}],
    "createdBy": _TEXT,
    "comment": _TEXT,
    "startsAt": _TIME,
    "endsAt": _TIME,
    "updatedAt": _TIME,
}
_VERSION: Final = ("branch", "buildDate", "buildUser", "goVersion", "revision", "version")
_STATUS: Final[Json] = {
    "cluster": {"status": _TEXT},
    "config": {"original": _TEXT},
    "versionInfo": dict.fromkeys(_VERSION, _TEXT),
    "uptime": _TIME,
}
_PEER: Final[Json] = {"name": _TEXT, "address": _TEXT}
_OPTIONAL_TEXTS: Final = ("generatorURL", "name")


def read_alerts(body: bytes) -> list[Json]:
    """A list of alerts. :class:`~tocsin.errors.RemoteError`, as of all functions here."""
    return _each(_read(body), _ALERT, "alert")


def read_silences(body: bytes) -> list[Json]:
    """A list of silences."""
    return _each(_read(body), _SILENCE, "silence")


def read_silence(body: bytes) -> Json:
    """A silence."""
    return _fitting(_read(body), _SILENCE, "silence")


def read_status(body: bytes) -> Json:
    """A status; without a cluster it has no members."""
    status = _fitting(_read(body), _STATUS, "status")
    cluster = status["cluster"]
    _optional_texts(cluster, "cluster")
    peers = cluster.get("peers")
    if peers is not None:
        _each(peers, _PEER, "member")
    return status


def read_id(body: bytes) -> str:
    """The id of a created silence."""
    return str(_fitting(_read(body), {"silenceID": _TEXT}, "answer")["silenceID"])


def _read(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise RemoteError("something other than JSON") from None


def _each(found: object, shape: Json, what: str) -> list[Json]:
    if not isinstance(found, list):
        raise RemoteError(f"something other than a list of {what}s")
    return [_fitting(one, shape, what) for one in found]


def _fitting(found: object, shape: Json, what: str) -> Json:
    if not isinstance(found, dict):
        raise RemoteError(f"something that is not {_one(what)}")
    _check(found, shape, what, "")
    _optional_texts(found, what)
    return found


def _optional_texts(found: Json, what: str) -> None:
    for name in _OPTIONAL_TEXTS:
        if name in found and not isinstance(found[name], str):
            raise RemoteError(f"{_one(what)} whose {name} is not a text")


def _check(found: object, shape: object, what: str, place: str) -> None:
    if isinstance(shape, dict):
        if not isinstance(found, dict):
            raise _lacking(what, place, "a map")
        for name, inner in shape.items():
            _check(found.get(name), inner, what, f"{place}.{name}" if place else name)
    elif isinstance(shape, list):
        if not isinstance(found, list):
            raise _lacking(what, place, "a list")
        for one in found:
            _check(one, shape[0], what, place)
    elif not _is(found, shape):
        raise _lacking(what, place, str(shape))


def _is(found: object, kind: object) -> bool:
    if kind == _MAP:
        return isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
    if kind == _BOOL:
        return isinstance(found, bool)
    if not isinstance(found, str):
        return False
    if kind == _TIME:
        try:
            return dates.read(found).tzinfo is not None
        except ValueError:
            return False
    return True


def _lacking(what: str, place: str, wanted: str) -> RemoteError:
    return RemoteError(f"{_one(what)} whose {place} is not {wanted}")


def _one(what: str) -> str:
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"
