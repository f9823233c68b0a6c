"""Texts and alerts, chosen for what programs treat differently."""

from __future__ import annotations

from random import Random
from typing import Any, Final

BOUNDS: Final = (100, 130, 250, 255, 256, 512, 1024, 1600, 2000, 4096, 7439, 16_383, 20_480, 32_767)
"""Where kinds cut what they send, in characters or in bytes."""

PLAIN: Final = (
    "text",
    "",
    " ",
    "  around  ",
    "0",
    "123",
    "-1.5e3",
    "true",
    "null",
    "~",
    "[a, b]",
    '{"a": {"b": [1, "2"]}}',
    "- a\n- b",
    "key: value",
    "two\nlines",
    "two\r\nlines\t",
    "ä 🔥 ß 日本語",
    "e\u0301 \u200b\u2028\u2029 \ufeff",
    "<b>&amp;</b> & \"quoted\" 'single' `back`",
    "<script>alert(1)</script>",
    "a/b?c=d&e=%20#f",
    "http://example.org/a b?x=ä#y",
    "back\\slash \\n \\u0041",
    "#channel",
    "@user",
    "100%",
    "%41%zz",
    "*bold* _it_ [x](http://y) ~~s~~",
    "\u0001\u001f\u007f",
    "Severity",
    "critical",
    "P1",
)

TEMPLATES: Final = (
    "{{ .Status }}",
    "{{ .Status | toUpper }} {{ .CommonLabels.alertname }}",
    "{{ len .Alerts }}",
    "{{ .Alerts.Firing | len }}/{{ len .Alerts.Resolved }}",
    "{{ range .Alerts }}{{ .Labels.instance }}={{ .Annotations.summary }};{{ end }}",
    "{{ .CommonAnnotations.summary }}",
    "{{ .CommonLabels.nothing }}",
    '{{ .GroupLabels.SortedPairs.Values | join ", " }}',
    "{{ .CommonLabels | toJson }}",
    "{{ .Receiver }} {{ .ExternalURL }}",
    '{{ template "custom.text" . }}',
    '{{ template "custom.title" . }}',
    '{{ if eq .Status "firing" }}down{{ else }}up{{ end }}',
    "{{ .CommonLabels.odd }}",
    '<a href="{{ .ExternalURL }}?q={{ .CommonLabels.odd }}">{{ .CommonLabels.odd | safeHtml }}</a>',
    '{{ .CommonLabels.severity | title }} {{ reReplaceAll "(.)r" "$1-" .CommonLabels.severity }}',
    '{{ (index .Alerts 0).StartsAt.Format "2006-01-02" }} {{ (index .Alerts 0).Fingerprint }}',
    " {{ .Status }}\n",
)
FAILING: Final = (
    "{{ index .Alerts 999 }}",
    "{{ .Nope }}",
    '{{ template "nowhere" . }}',
    "{{ .Alerts.Nope }}",
)
PIECES: Final = ("a", "ä", "日", "🔥", "a🔥", "<", '"', "e\u0301")


def text(random: Random, *, template: bool = True) -> str:
    """One value of a key."""
    roll = random.random()
    if roll < 0.12:
        return long(random)
    if template and roll < 0.55:
        found = random.choice(TEMPLATES)
        return random.choice(PLAIN) + found if random.random() < 0.25 else found
    if template and roll < 0.58:
        return random.choice(FAILING)
    return random.choice(PLAIN)


def long(random: Random) -> str:
    """A text about as long as a bound, in characters or in bytes."""
    bound, piece = random.choice(BOUNDS), random.choice(PIECES)
    size = len(piece) if random.random() < 0.5 else len(piece.encode())
    made = piece * (bound // size + 1)
    whole = made[: max(bound // size * len(piece) + random.choice((-1, 0, 0, 1, 2, 40)), 1)]
    return "{{ .Status }}" + whole if random.random() < 0.2 else whole


def alerts(random: Random, case: str) -> list[dict[str, Any]]:
    """Those of one group, all of which fire."""
    name = random.choice(("Full", "Full disk", "Größe 🔥", "<b>&\"'", "a" * 300))
    shared = {
        "alertname": name,
        "case": case,
        "job": random.choice(("web", "x y")),
        "odd": random.choice(PLAIN) or "x",
    }
    found = []
    for number in range(random.choice((1, 1, 1, 2, 3, 5, 25))):
        labels = shared | {
            "instance": f"web{number}.example.org:80",
            "severity": random.choice(("critical", "warning", "info")),
        }
        if random.random() < 0.3:
            labels["extra"] = random.choice(PLAIN) or "y"
        annotations = {"summary": random.choice(PLAIN)}
        if random.random() < 0.4:
            annotations["description"] = random.choice((*PLAIN, "ä" * 700, "line\n" * 300))
        if random.random() < 0.4:
            annotations["runbook"] = "https://runbooks.example.org/" + random.choice(("a", "ä b?c=d&e"))
        found.append(
            {
                "labels": {key: value for key, value in labels.items() if value},
                "annotations": annotations,
                # In the future: a new group waits then until all of its alerts are in.
                "startsAt": "2099-01-02T03:04:05.678Z",
                "endsAt": "2100-01-01T00:00:00Z",
                **random.choice(
                    ({}, {"generatorURL": "http://prometheus.example.org/graph?g0.expr=a+%3D%3D+0&g0.tab=1"})
                ),
            }
        )
    return found


def resolved(firing: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same alerts, ended."""
    times = {"startsAt": "2026-01-02T03:04:05.678Z", "endsAt": "2026-01-02T03:14:05Z"}
    return [{**alert, **times} for alert in firing]
