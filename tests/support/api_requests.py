"""Requests to Alertmanager's HTTP interface, in scenes, and how their answers are written down.

The same scenes are played against the real Alertmanager (to record its answers, and by the interop tests) and
against ours. What differs from run to run is written as a mark: ``@+1h@`` in a request is the time an hour
after the scene's start, ``@silence1@`` the id of the first silence made; answers are marked likewise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

CONFIG = """\
global:
  resolve_timeout: 7m
route:
  receiver: team-x
  group_by: [alertname, cluster]
  group_wait: 1h
  group_interval: 1h
  repeat_interval: 4h
  routes:
    - receiver: team-y
      matchers: ['team="y"']
      continue: true
    - receiver: team-z
      matchers: ['team=~"y|z"']
    - receiver: muted
      matchers: ['team="muted"']
      group_wait: 0s
      mute_time_intervals: [always]
receivers:
  - name: team-x
    webhook_configs: [{url: 'http://127.0.0.1:1/x'}]
  - name: team-y
    labels: {owner: why, tier: '1'}
    webhook_configs: [{url: 'http://127.0.0.1:1/y'}]
  - name: team-z
    labels: {owner: zed}
  - name: muted
    labels: {sign: '<&>'}
inhibit_rules:
  - source_matchers: ['severity="critical"']
    target_matchers: ['severity="warning"']
    equal: [cluster]
time_intervals:
  - name: always
    time_intervals:
      - times: [{start_time: '00:00', end_time: '24:00'}]
"""

HEADERS = (
    "content-type",
    "allow",
    "cache-control",
    "location",
    "vary",
    "x-content-type-options",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
)
"""The headers of an answer that are compared."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``name`` is unique within its scene. ``settle``: Alertmanager acts on it a bit later."""

    name: str
    method: str
    path: str
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    settle: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, marked."""

    status: int
    headers: Mapping[str, str]
    body: str


def get(path: str, name: str = "", **headers: str) -> Request:
    fields = {key.replace("_", "-"): value for key, value in headers.items()}
    return Request(name or f"GET {path}", "GET", path, headers=fields)


def post(path: str, name: str, body: Any, *, content_type: str = "application/json") -> Request:
    """``body``: text as it is, anything else as JSON."""
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    headers = {"Content-Type": content_type} if content_type else {}
    settle = path == "/api/v2/alerts"
    return Request(name, "POST", path, text, headers, settle)


def alert(labels: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"labels": labels if labels is not None else {"alertname": "A"}, **more}


def matcher(name: Any = "alertname", value: Any = "A", regex: Any = False, **more: Any) -> dict[str, Any]:
    return {"name": name, "value": value, "isRegex": regex, **more}


def silence(*matchers: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "matchers": list(matchers) or [matcher()],
        "startsAt": "@-5m@",
        "endsAt": "@+1h@",
        "createdBy": "me",
        "comment": "because",
        **more,
    }


UUID = "1a111111-2222-4333-8444-5555555555ef"


_MARK = re.compile(r"@(?:(now)|([+-])([0-9]+)([mh])|(silence|SILENCE)([0-9]+))@")
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_METHODS = re.compile(r"\[([A-Z,]+)\] are")
_SILENCE = re.compile(r'\A\{"silenceID":"([0-9a-f-]{36})"\}\s*\Z')


class Script:
    """Writes the marks of one scene into requests, and the answers' variable parts as marks."""

    def __init__(self, start: datetime) -> None:
        self._start = start.replace(microsecond=start.microsecond // 1000 * 1000)
        self._silences: list[str] = []

    def fill(self, text: str) -> str:
        """A request's text with times and ids in place of the marks."""
        return _MARK.sub(self._filled, text)

    def _filled(self, found: re.Match[str]) -> str:
        now, sign, number, unit, silence, position = found.groups()
        if silence:
            identifier = self._silences[int(position) - 1]
            return identifier.upper() if silence == "SILENCE" else identifier
        moment = self._start
        if not now:
            minutes = int(number) * (60 if unit == "h" else 1)
            moment += timedelta(minutes=-minutes if sign == "-" else minutes)
        return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def mark(self, status: int, headers: Mapping[str, str], body: str) -> Answer:
        """An answer with marks in place of the times near the scene's start and of the silences' ids."""
        made = _SILENCE.match(body)
        if made and made[1] not in self._silences:
            self._silences.append(made[1])
        for number, identifier in enumerate(self._silences, start=1):
            body = body.replace(identifier, f"@silence{number}@").replace(
                identifier.upper(), f"@SILENCE{number}@"
            )
        body = body.replace(',"routeLabels":{}', "")  # Alertmanager has them since 0.34, the recorded one not
        kept = {name: headers[name] for name in HEADERS if name in headers}
        if "allow" in kept:  # Go lists methods in no fixed order
            kept["allow"] = ",".join(sorted(kept["allow"].replace(" ", "").split(",")))
        body = _METHODS.sub(lambda found: "[" + ",".join(sorted(found[1].split(","))) + "] are", body)
        return Answer(status, kept, _TIME.sub(self._marked, body))

    def _marked(self, found: re.Match[str]) -> str:
        try:
            moment = datetime.fromisoformat(found[1] + found[3])
        except ValueError:
            return found[0]
        away = (moment - self._start).total_seconds()
        if abs(away) > 86_400:
            return found[0]
        # Seconds pass while a scene is played; all its times are whole minutes apart.
        fraction = len(found[2] or "")
        return f"@T{round(away / 60):+d}m {fraction} {found[3]}@"
