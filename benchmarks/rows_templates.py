"""What templates take of a processor: here within this process, in Go by ``amtool template render``.

amtool is a process for each text, so what it takes for many renderings of one text counts, less what it takes
for one. It uses several processors at once, of which all count.
"""

from __future__ import annotations

import json
import resource
import subprocess
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.bench import Bench
from benchmarks.row import Figure, Row, Samples, Target, smallest
from tests.support import alertmanager
from tests.support.node import NodeKind
from tocsin.notify.template import Field, data_from_json, load_templates
from tocsin.notify.template.loading import _built_in

SLACK: Final = (
    "{{ range .Alerts }}*{{ .Labels.alertname }}* on {{ .Labels.instance }} is {{ .Status | toUpper }}\n"
    "{{ .Annotations.summary }}{{ if .Annotations.runbook_url }} <{{ .Annotations.runbook_url }}|runbook>"
    '{{ end }}\nsince {{ .StartsAt.Format "15:04:05" }}\n{{ end }}'
)
TEXTS: Final = {
    "slack": ("text", SLACK),
    "list": ("text", '{{ template "__text_alert_list" .Alerts }}'),
    "mail": ("html", '{{ template "email.default.html" . }}'),
}
SIZES: Final = (1, 100)


def _data(count: int) -> dict[str, Any]:
    common = {"alertname": "HighLatency", "cluster": "eu-1", "job": "api", "severity": "critical"}
    return {
        "receiver": "ops",
        "status": "firing",
        "alerts": [
            {
                "status": "firing",
                "labels": {**common, "instance": f"10.0.0.{n}:9100", "zone": f"z{n % 3}"},
                "annotations": {
                    "summary": f"The 99th percentile of 10.0.0.{n} is above a second",
                    "description": "It has been so for ten minutes.",
                    "runbook_url": "https://runbooks.example.org/latency",
                },
                "startsAt": "2026-11-24T01:02:03.123Z",
                "generatorURL": f"http://prometheus.example.org/graph?g0.expr=up{n}",
                "fingerprint": f"{n:016x}",
            }
            for n in range(count)
        ],
        "groupLabels": {"alertname": "HighLatency"},
        "commonLabels": common,
        "commonAnnotations": {},
        "externalURL": "http://am.example.org:9093",
    }


def _here(bench: Bench) -> Samples:
    samples: Samples = {"load": []}
    field = Field("field", TEXTS["slack"][1])
    for _ in range(bench.size(20, 3)):
        _built_in.cache_clear()
        began = time.process_time()
        load_templates([]).check(field)
        samples["load"].append(1e3 * (time.process_time() - began))
    templates = load_templates([])
    for name, (kind, text) in TEXTS.items():
        for size in SIZES:
            data = data_from_json(_data(size))
            render = templates.html if kind == "html" else templates.text
            told = Field("field", text)
            render(told, data)
            taken: list[float] = []
            until = time.process_time() + bench.seconds(2, 0.3)
            while time.process_time() < until:
                began = time.process_time()
                for _ in range(100 // size):
                    render(told, data)
                taken.append(1e3 * (time.process_time() - began) / (100 // size))
            samples[f"{name}{size}"] = taken
    return samples


def _amtool(bench: Bench) -> Samples:
    samples: Samples = {}
    share = Path(alertmanager.amtool()).parents[1] / "share/prometheus/alertmanager"
    with bench.folder() as folder:
        for name, (kind, text) in TEXTS.items():
            for size in SIZES:
                file = folder / f"{size}.json"
                file.write_text(json.dumps(_data(size)))
                times = 20_000 // size
                inner = text.replace(".Alerts", "$.Alerts").replace('html" .', 'html" $')
                command = [alertmanager.amtool(), "template", "render", f"--template.glob={share}/*.tmpl"]
                command += [f"--template.type={kind}", f"--template.data={file}"]

                def took(repeats: int, command: list[Any] = command, inner: str = inner) -> float:
                    looped = f"{{{{ range {repeats} }}}}{inner}{{{{ end }}}}"
                    began = _children()
                    subprocess.run(
                        [*command, f"--template.text={looped}"],
                        check=True,
                        stdout=subprocess.DEVNULL,
                        timeout=300,
                    )
                    return _children() - began

                key = f"{name}{size}"
                for _ in range(bench.size(5, 2)):
                    samples.setdefault(key, []).append(1e3 * max(took(times) - took(1), 0.0) / (times - 1))
    return samples


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _measure(bench: Bench, kind: NodeKind) -> Samples:
    return _here(bench) if kind.name == "tocsin" else _amtool(bench)


ROWS = (
    Row(
        "templates",
        "One text rendered again and again for 1 and for 100 alerts of six labels and three annotations, and "
        "the least processor time of it; in Go within one run of amtool, without what its start takes. "
        "Loading: all built-in templates and one field, which amtool cannot tell.",
        (
            Figure("slack1", "Slack-like text, 1 alert", "ms", Target(limit=0.02), smallest),
            Figure("slack100", "Slack-like text, 100 alerts", "ms", Target(limit=2), smallest),
            Figure("list1", "default text list, 1 alert", "ms", Target(limit=0.2), smallest),
            Figure("list100", "default text list, 100 alerts", "ms", Target(limit=5), smallest),
            Figure("mail1", "default mail, 1 alert", "ms", Target(limit=3), smallest),
            Figure("mail100", "default mail, 100 alerts", "ms", Target(limit=50), smallest),
            Figure("load", "loading the built-in templates", "ms", Target(limit=10), smallest),
        ),
        _measure,
    ),
)
