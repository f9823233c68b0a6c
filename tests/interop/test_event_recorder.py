"""What the event recorder writes, beside the real Alertmanager: the same story, the same events."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.alertmanager import alertmanager
from tests.support.api import matcher, rfc3339
from tests.support.eventually import eventually
from tests.support.node import Node, NodeKind
from tests.support.sink import WebhookSink

pytestmark = pytest.mark.interop

CONFIG = """\
route:
  receiver: sink
  group_by: [alertname]
  group_wait: 100ms
  group_interval: 200ms
  repeat_interval: 4h
  routes: [{matchers: ['team=~"a|b"'], receiver: sink}]
receivers: [{name: sink, webhook_configs: [{url: 'URL'}]}]
inhibit_rules: [{source_matchers: [alertname="Source"], target_matchers: [alertname="Target"], equal: [team]}]
event_recorder:
  file_outputs: [{path: events.jsonl}]
  webhook_outputs: [{url: 'EVENTS', workers: 1}]
"""
STARTED = "2026-01-02T03:04:05.678Z"
VARIES = re.compile(r"(?!0001|2026-01-02)\d{4}-[\d-]+T[\d:.]+Z|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""What is another in every run: instants and random ids."""


def posted(name: str, **more: Any) -> dict[str, Any]:
    labels = {"alertname": name, "team": "a"}
    return {"labels": labels, "annotations": {"summary": 'é "q" <&>'}, "startsAt": STARTED, **more}


def silence(node: Node, hours: int, identifier: str = "", starts_at: str = "") -> dict[str, Any]:
    now = datetime.now(UTC)
    asked = {
        "matchers": [matcher("alertname", "Quiet.*", regex=True), matcher("x", "y", equal=False)],
        "startsAt": starts_at or rfc3339(now),
        "endsAt": rfc3339(now + timedelta(hours=hours)),
        "createdBy": "test",
        "comment": f"for {hours}",
        **({"id": identifier} if identifier else {}),
    }
    answer = node.api.http.post("/api/v2/silences", json=asked)
    made = node.api.silence(answer.raise_for_status().json()["silenceID"])
    assert made is not None
    return made


def written(node: Node) -> list[str]:
    file = node.folder / "events.jsonl"
    return file.read_text().splitlines() if file.exists() else []


def different(lines: list[str]) -> set[str]:
    """What is told, without what is another in every run: how often something is told goes by chance."""
    found = set()
    for line in lines:
        event = json.loads(line)
        del event["@timestamp"]
        ((kind, of),) = event["data"].items()
        of.pop("flushId", None)
        event["data"] = {kind: sorted(of) if kind == "alertmanagerStartupEvent" else of}
        found.add(VARIES.sub("...", json.dumps(event, sort_keys=True)))
    return found


def story(kind: NodeKind, folder: Path) -> tuple[set[str], set[str]]:
    """The events, and the families of metrics that tell of them."""
    with WebhookSink() as sink, WebhookSink() as hook:
        config = CONFIG.replace("URL", sink.url).replace("EVENTS", hook.url)
        flags = {"cluster.listen-address": "", "enable-feature": "event-recorder"}
        node = Node(kind, "alone", folder, config=config, flags=flags)

        def tells(*words: str) -> None:
            def told() -> bool:
                return any(all(word in line for word in words) for line in written(node))

            eventually(told, f"{kind} tells of {words}")

        try:
            node.start()
            node.api.post_alerts(posted("Plain"), posted("Source"))
            for name in ("Plain", "Source"):
                tells('"notification":', f'"{name}"')
            made = silence(node, 1)
            silence(node, 2, made["id"], made["startsAt"])
            node.api.post_alerts(posted("Target"), posted("Quiet"))
            tells('"silenceMutedAlert":', '"for 2"')
            tells('"inhibitionMutedAlert":')
            node.api.post_alerts(posted("Plain", endsAt=rfc3339(datetime.now(UTC))))
            tells('"alertResolved":')
            shown = node.api.http.get("/metrics").text
            node.stop()
            lines = written(node)
            bodies = [json.dumps(each.body, sort_keys=True) for each in hook.all()]
            assert bodies == [json.dumps(json.loads(line), sort_keys=True) for line in lines]
        finally:
            node.close()
    return different(lines), set(re.findall(r"^# TYPE (alertmanager_event\S+)", shown, re.MULTILINE))


def test_the_events_are_alertmanagers(tmp_path: Path, ours: NodeKind) -> None:
    here, there = story(ours, tmp_path / "ours"), story(alertmanager("0.33"), tmp_path / "theirs")
    assert here == there
    kinds = {found[1] for line in here[0] if (found := re.search(r'"data": \{"(\w+)"', line))}
    assert len(kinds) == 10
