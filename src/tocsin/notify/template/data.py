"""What notification templates get: Alertmanager 0.34's ``template.Data``, as values of Go."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.notification import Notification
from tocsin.alerting.timestamp import SECOND, ZERO, Nanoseconds
from tocsin.gotemplate.gojson import name_fields
from tocsin.gotemplate.gotime import TimeError, parse_time
from tocsin.gotemplate.gotime.bindings import TIME, Time
from tocsin.gotemplate.gotime.bindings import ZERO as ZERO_TIME
from tocsin.gotemplate.values import (
    BOOL,
    STRING,
    STRINGS,
    Map,
    Pointer,
    Slice,
    Struct,
    named_map,
    named_slice,
    pointer_to,
    slice_of,
    struct,
    whole,
)

NAMES: Final = named_slice("template.Strings", STRING)
PAIR: Final = struct("template.Pair", {"Name": STRING, "Value": STRING})
PAIRS: Final = named_slice("template.Pairs", PAIR)
KV: Final = named_map("template.KV", STRING, STRING)
ALERT: Final = struct(
    "template.Alert",
    {
        "Status": STRING,
        "Labels": KV,
        "Annotations": KV,
        "StartsAt": TIME,
        "EndsAt": TIME,
        "GeneratorURL": STRING,
        "Fingerprint": STRING,
    },
)
ALERTS: Final = named_slice("template.Alerts", ALERT)
DATA: Final = struct(
    "template.Data",
    {
        "Receiver": STRING,
        "Status": STRING,
        "Alerts": ALERTS,
        "NotificationReason": STRING,
        "GroupLabels": KV,
        "CommonLabels": KV,
        "CommonAnnotations": KV,
        "RouteLabels": KV,
        "ExternalURL": STRING,
        "routeLabelsRendered": BOOL,
    },
)
DATA_POINTER: Final = pointer_to(DATA)
_SOME_ALERTS: Final = slice_of(ALERT)

_ALERT_NAMES: Final = {
    "Status": "status",
    "Labels": "labels",
    "Annotations": "annotations",
    "StartsAt": "startsAt",
    "EndsAt": "endsAt",
    "GeneratorURL": "generatorURL",
    "Fingerprint": "fingerprint",
}
DATA_NAMES: Final = {
    "Receiver": "receiver",
    "Status": "status",
    "Alerts": "alerts",
    "NotificationReason": "notification_reason",
    "GroupLabels": "groupLabels",
    "CommonLabels": "commonLabels",
    "CommonAnnotations": "commonAnnotations",
    "RouteLabels": "routeLabels",
    "ExternalURL": "externalURL",
}
name_fields(ALERT, _ALERT_NAMES)
name_fields(DATA, DATA_NAMES)


class _Labels(Map):
    """A ``KV`` that caches its names in order."""

    __slots__ = ("_ordered",)

    def __init__(self, items: Mapping[str, str] | None) -> None:
        super().__init__(KV, items)
        self._ordered: list[str] | None = None

    @property
    def ordered(self) -> list[str]:
        """The names in byte order, but ``alertname`` first."""
        if self._ordered is None:
            self._ordered = _order(self.items)
        return self._ordered


def _order(items: Mapping[str, str]) -> list[str]:
    # Code points sort as their bytes do; only bytes that are not UTF-8 would not.
    names = sorted(items)
    if "alertname" in items:
        names.remove("alertname")
        names.insert(0, "alertname")
    return names


def _names(kv: Map) -> list[str]:
    return kv.ordered if isinstance(kv, _Labels) else _order(kv.items)


def _pair(name: str, value: str) -> Struct:
    return Struct(PAIR, {"Name": name, "Value": value})


@KV.method("SortedPairs", (), PAIRS)
def _sorted_pairs(kv: Map) -> Slice:
    items = kv.items
    return Slice(PAIRS, [_pair(name, items[name]) for name in _names(kv)])


@KV.method("Remove", (STRINGS,), KV)
def _remove(kv: Map, names: Slice) -> Map:
    gone = set(names.items)
    return _Labels({name: value for name, value in kv.items.items() if name not in gone})


@KV.method("Names", (), NAMES)
def _kv_names(kv: Map) -> Slice:
    return Slice(NAMES, _names(kv))


@KV.method("Values", (), NAMES)
def _kv_values(kv: Map) -> Slice:
    return Slice(NAMES, [kv.items[name] for name in _names(kv)])


@KV.method("String", (), STRING)
def _kv_string(kv: Map) -> str:
    return whole(", ".join(f"{name}={kv.items[name]}" for name in _names(kv)))


@PAIRS.method("Names", (), NAMES)
def _pair_names(pairs: Slice) -> Slice:
    return Slice(NAMES, [pair.fields["Name"] for pair in pairs.items])


@PAIRS.method("Values", (), NAMES)
def _pair_values(pairs: Slice) -> Slice:
    return Slice(NAMES, [pair.fields["Value"] for pair in pairs.items])


@PAIRS.method("String", (), STRING)
def _pairs_string(pairs: Slice) -> str:
    return whole(", ".join(f"{pair.fields['Name']}={pair.fields['Value']}" for pair in pairs.items))


@NAMES.method("Join", (STRING,), STRING, budgeted=True)
def _join(budget: Any, names: Slice, separator: str) -> str:
    return join(budget, separator, names)


def join(budget: Any, separator: str, texts: Slice) -> str:
    """``strings.Join``."""
    items = texts.items
    budget.claim(sum(map(len, items)) + len(separator) * max(len(items) - 1, 0))
    return whole(separator.join(items))


@ALERTS.method("Firing", (), _SOME_ALERTS)
def _firing(alerts: Slice) -> Slice:
    return Slice(_SOME_ALERTS, [alert for alert in alerts.items if alert.fields["Status"] == "firing"])


@ALERTS.method("Resolved", (), _SOME_ALERTS)
def _resolved(alerts: Slice) -> Slice:
    return Slice(_SOME_ALERTS, [alert for alert in alerts.items if alert.fields["Status"] == "resolved"])


class Data:
    """The data of one notification. ``value`` is what templates get: a ``*template.Data``.

    ``weight`` says how much there is to render: labels and annotations of all alerts, and the alerts.
    """

    __slots__ = ("fields", "value", "weight")

    def __init__(self, fields: Mapping[str, Any]) -> None:
        target = Struct(DATA, fields)
        self.value = Pointer(target, DATA_POINTER)
        self.fields = target.fields
        self.weight = sum(
            1 + len(alert.fields["Labels"].items) + len(alert.fields["Annotations"].items)
            for alert in self.fields["Alerts"].items
        )

    @property
    def receiver(self) -> str:
        """The receiver's name, quoted for regular expressions as Alertmanager has it."""
        return str(self.fields["Receiver"])

    @property
    def status(self) -> str:
        """``firing`` or ``resolved``."""
        return str(self.fields["Status"])

    @property
    def alert_count(self) -> int:
        """How many alerts there are."""
        return len(self.fields["Alerts"].items)

    @property
    def external_url(self) -> str:
        """``--web.external-url``: where the node's pages are."""
        return str(self.fields["ExternalURL"])

    @property
    def route_labels(self) -> Mapping[str, str]:
        """The labels of the route, whose values may be templates."""
        items: Mapping[str, str] = self.fields["RouteLabels"].items
        return items

    @property
    def route_labels_rendered(self) -> bool:
        """Whether the values of the route's labels are rendered already, and not templates."""
        return bool(self.fields["routeLabelsRendered"])


_REGEXP_META: Final = re.compile(r"[\\.+*?()|\[\]{}^$]")


def data_of(
    notification: Notification,
    external_url: str,
    *,
    route_labels: Mapping[str, str] | None = None,
    alerts: Sequence[Alert] | None = None,
) -> Data:
    """The data of a notification. ``alerts``: those to render, by default all of the notification."""
    told = notification.alerts if alerts is None else alerts
    firing = any(_fires(alert) for alert in told)
    return Data(
        {
            "Receiver": _REGEXP_META.sub(r"\\\g<0>", notification.receiver),
            "Status": "firing" if firing else "resolved",
            "Alerts": Slice(ALERTS, [_alert(alert) for alert in told]),
            "NotificationReason": notification.reason,
            "GroupLabels": _Labels(notification.group_labels),
            "CommonLabels": _Labels(_common([alert.labels for alert in told])),
            "CommonAnnotations": _Labels(_common([alert.annotations for alert in told])),
            "RouteLabels": _Labels(route_labels or {}),
            "ExternalURL": external_url,
            "routeLabelsRendered": False,
        }
    )


def _fires(alert: Alert) -> bool:
    return alert.ends_at in (0, ZERO)


def _alert(alert: Alert) -> Struct:
    return Struct(
        ALERT,
        {
            "Status": "firing" if _fires(alert) else "resolved",
            "Labels": _Labels(dict(alert.labels.pairs)),
            "Annotations": _Labels(dict(alert.annotations.pairs)),
            "StartsAt": instant(alert.starts_at),
            "EndsAt": instant(alert.ends_at or ZERO),
            "GeneratorURL": alert.generator_url,
            "Fingerprint": alert.labels.fingerprint_text,
        },
    )


def instant(moment: Nanoseconds) -> Time:
    """A time in UTC."""
    seconds, nanoseconds = divmod(moment, SECOND)
    return Time(seconds, nanoseconds) if moment != ZERO else ZERO_TIME


def _common(sets: Iterable[Labels]) -> dict[str, str]:
    common: dict[str, str] | None = None
    for labels in sets:
        if common is None:
            common = dict(labels.pairs)
        else:
            common = {name: value for name, value in common.items() if labels.get(name) == value}
        if not common:
            break
    return common or {}


_RFC3339: Final = "2006-01-02T15:04:05Z07:00"


def data_from_json(told: Mapping[str, Any]) -> Data:
    """The data that a JSON object describes, as ``amtool template render --template.data`` reads it.

    What is missing is Go's zero value, unknown keys are passed over, and a key's case does not count.
    Raises ValueError with the key at fault.
    """
    keys = _lower(told)
    alerts = _list(keys.get("alerts"), "alerts")
    return Data(
        {
            **_texts(keys, DATA_NAMES, ("Receiver", "Status")),
            "Alerts": Slice(ALERTS, None if alerts is None else [_json_alert(each) for each in alerts]),
            **_texts(keys, DATA_NAMES, ("NotificationReason",)),
            **{
                name: _json_labels(keys.get(DATA_NAMES[name].lower()), DATA_NAMES[name])
                for name in ("GroupLabels", "CommonLabels", "CommonAnnotations", "RouteLabels")
            },
            **_texts(keys, DATA_NAMES, ("ExternalURL",)),
            "routeLabelsRendered": False,
        }
    )


def _lower(told: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(told, Mapping):
        raise ValueError("an object is wanted")
    return {key.lower(): value for key, value in told.items()}


def _list(value: Any, name: str) -> list[Any] | None:
    if value is not None and not isinstance(value, list):
        raise ValueError(f"{name}: a list is wanted")
    return value


def _texts(keys: Mapping[str, Any], names: Mapping[str, str], wanted: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in wanted:
        value = keys.get(names[name].lower())
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{names[name]}: a text is wanted")
        found[name] = value or ""
    return found


def _json_labels(value: Any, name: str) -> Map:
    if value is None:
        return _Labels(None)
    if not isinstance(value, Mapping):
        raise ValueError(f"{name}: an object is wanted")
    for key, text in value.items():
        if text is not None and not isinstance(text, str):
            raise ValueError(f"{name}: {key}: a text is wanted")
    return _Labels({key: text or "" for key, text in value.items()})


def _json_time(value: Any, name: str) -> Time:
    if value is None:
        return ZERO_TIME
    if not isinstance(value, str):
        raise ValueError(f"{name}: a time such as 2006-01-02T15:04:05Z is wanted")
    try:
        return Time.of(parse_time(_RFC3339, value))
    except TimeError as error:
        raise ValueError(f"{name}: {error}") from None


def _json_alert(told: Any) -> Struct:
    keys = _lower(told)
    return Struct(
        ALERT,
        {
            **_texts(keys, _ALERT_NAMES, ("Status",)),
            "Labels": _json_labels(keys.get("labels"), "labels"),
            "Annotations": _json_labels(keys.get("annotations"), "annotations"),
            "StartsAt": _json_time(keys.get("startsat"), "startsAt"),
            "EndsAt": _json_time(keys.get("endsat"), "endsAt"),
            **_texts(keys, _ALERT_NAMES, ("GeneratorURL", "Fingerprint")),
        },
    )
