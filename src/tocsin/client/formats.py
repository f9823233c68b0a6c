"""Alerts, silences, cluster and configuration as amtool prints them: simple, extended, json.

Source: behaviour of amtool 0.33.1. Where it prints addresses of memory (``-o extended config show``), the
values are printed.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tocsin.client import dates
from tocsin.client.tables import align, rows
from tocsin.notify.integrations.json import escape

Json = Mapping[str, Any]

_ALERT: Final = (
    ("annotations", "endsAt", "fingerprint", "receivers", "startsAt", "status", "updatedAt"),
    ("generatorURL", "labels"),
)
_SILENCE: Final = (
    ("id", "status", "updatedAt", "annotations", "comment", "createdBy", "endsAt", "matchers", "startsAt"),
)


def to_json(value: object) -> str:
    """One line, as Go's encoder writes it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return escape(text).encode("utf-8", "replace").decode() + "\n"


def alerts(found: Iterable[Json], output: str, layout: str) -> str:
    """A table, or JSON, of alerts of the API."""
    if output == "json":
        return to_json([_ordered(alert, _ALERT) for alert in found])
    by_start = sorted(found, key=lambda alert: dates.read(alert["startsAt"]))
    if output == "simple":
        return rows(
            ("Alertname", "Starts At", "Summary", "State"),
            [
                (
                    alert["labels"].get("alertname", ""),
                    dates.shown(alert["startsAt"], layout),
                    alert["annotations"].get("summary", ""),
                    alert["status"]["state"],
                )
                for alert in by_start
            ],
        )
    return rows(
        ("Labels", "Annotations", "Starts At", "Ends At", "Generator URL", "State"),
        [
            (
                pairs(alert["labels"]),
                pairs(alert["annotations"]),
                dates.shown(alert["startsAt"], layout),
                dates.shown(alert["endsAt"], layout),
                alert.get("generatorURL", ""),
                alert["status"]["state"],
            )
            for alert in by_start
        ],
    )


def silences(found: Iterable[Json], output: str, layout: str) -> str:
    """A table, or JSON, of silences of the API."""
    if output == "json":
        return to_json([_ordered(silence, _SILENCE) for silence in found])
    by_end = sorted(found, key=lambda silence: dates.read(silence["endsAt"]))
    if output == "simple":
        return rows(
            ("ID", "Matchers", "Ends At", "Created By", "Comment"),
            [
                (
                    silence["id"],
                    " ".join(matchers(silence)),
                    dates.shown(silence["endsAt"], layout),
                    silence["createdBy"],
                    silence["comment"],
                )
                for silence in by_end
            ],
        )
    return rows(
        ("ID", "Matchers", "Starts At", "Ends At", "Updated At", "Created By", "Comment"),
        [
            (
                silence["id"],
                "{" + ",".join(matchers(silence)) + "}",
                *(dates.shown(silence[name], layout) for name in ("startsAt", "endsAt", "updatedAt")),
                silence["createdBy"],
                silence["comment"],
            )
            for silence in by_end
        ],
    )


def cluster(status: Json, output: str) -> str:
    """The ``cluster`` of a status."""
    if output == "json":
        return to_json(status)
    text = f"Cluster Status:\t{status['status']}\nNode Name:\t{status.get('name', '')}\n"
    if output == "extended":
        peers = sorted(status.get("peers") or (), key=_by_address)
        text += "\nAddress\tName\n" + "".join(f"{peer['address']}\t{peer['name']}\t\n" for peer in peers)
    return align(text)


def configuration(status: Json, output: str) -> str:
    """The configuration in a status, and the version of the node."""
    if output == "json":
        return to_json(status)
    original = f"{status['config']['original']}\n"
    if output == "simple":
        return original
    version = status["versionInfo"]
    names = ("buildUser", "goVersion", "revision", "version", "branch", "buildDate")
    return original + "".join(f"{name} {version[name]}\n" for name in names) + f"uptime {status['uptime']}\n"


def pairs(labels: Mapping[str, str]) -> str:
    """``a="x" b="y"``."""
    return " ".join(sorted(f'{name}="{value}"' for name, value in labels.items()))


def matchers(silence: Json) -> list[str]:
    """The matchers of a silence as texts."""
    from tocsin.alerting.matcher import MatchType, matcher_text

    return [
        matcher_text(
            MatchType.of(is_regex=one["isRegex"], is_equal=one.get("isEqual", True)),
            one["name"],
            one["value"],
        )
        for one in silence["matchers"]
    ]


def _ordered(value: Json, fields: Sequence[Sequence[str]]) -> dict[str, Any]:
    """With the fields in the order that Go has them in; maps by name."""
    found = {name: value[name] for names in fields for name in names if name in value}
    for name in ("annotations", "labels"):
        if name in found:
            found[name] = dict(sorted(found[name].items()))
    return found


def _by_address(peer: Json) -> tuple[bytes, str, int]:
    host, _, port = str(peer["address"]).rpartition(":")
    try:
        packed = ipaddress.ip_address(host.strip("[]")).packed.rjust(16, b"\0")
    except ValueError:
        packed = b""
    return packed, host, int(port) if port.isdigit() else 0
