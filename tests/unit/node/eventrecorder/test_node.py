"""A whole node with an event recorder: what it tells, and where after a reload."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.transports import eventually
from tests.unit.node.test_app import CONFIG, HOUR, Sender, alert
from tocsin.alerting.matcher import parse_matchers
from tocsin.alerting.silence import Silence
from tocsin.node import prepared
from tocsin.node.app import start
from tocsin.node.config.arguments import parse_flags


def told(path: Path) -> list[tuple[str, dict[str, Any]]]:
    if not path.exists():
        return []
    data = [json.loads(line)["data"] for line in path.read_text().splitlines()]
    return [next(iter(each.items())) for each in data]


def kinds(path: Path) -> list[str]:
    return [kind for kind, _ in told(path)]


def recording(name: str) -> str:
    return CONFIG + f"event_recorder: {{file_outputs: [{{path: {name}}}]}}\n"


def test_what_a_node_does_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, first, second = tmp_path / "alertmanager.yml", tmp_path / "first", tmp_path / "second"
    file.write_text(recording("first"))
    monkeypatch.setattr(prepared, "senders_of", lambda *_, **__: {("sink", "webhook", 0): Sender()})
    flags = parse_flags(
        [
            f"--config.file={file}",
            f"--storage.path={tmp_path / 'data'}",
            "--cluster.listen-address=",
            "--web.listen-address=127.0.0.1:0",
            "--enable-feature=event-recorder",
        ]
    )

    async def main() -> None:
        node = await start(prepared.prepare(flags))
        try:
            now = node.now()
            asked = Silence("", (parse_matchers('{alertname="B"}'),), now, now + HOUR, created_by="me")
            identifier = await node.set_silence(asked)
            await node.put_alerts([alert("A", now), alert("B", now)])
            await node.put_alerts([alert("A", now)])
            await eventually(lambda: {"notification", "silenceMutedAlert"} <= {*kinds(first)})
            assert kinds(first).count("alertCreated") == 2
            file.write_text(recording("missing/file"))
            await node.reload()
            file.write_text(recording("second"))
            await node.reload()
            await eventually(lambda: second.exists())
            before = kinds(first)
            await node.expire_silence(identifier)
            ended = alert("A", now)
            ended.ends_at = node.now()
            await node.put_alerts([ended])
            await eventually(lambda: "alertResolved" in kinds(second))
            assert kinds(first)[: len(before)] == before
        finally:
            await node.stop()

    asyncio.run(main())
    assert kinds(first)[0] == "alertmanagerStartupEvent"
    assert kinds(second)[-1] == "alertmanagerShutdownEvent"
    created = [of["silence"]["createdBy"] for kind, of in told(first) if kind == "silenceCreated"]
    assert created == ["me"]
    reasons = [of["reason"] for kind, of in told(first) + told(second) if kind == "notification"]
    assert reasons[0] == "NOTIFY_REASON_FIRST_NOTIFICATION"
    assert "NOTIFY_REASON_ALL_ALERTS_RESOLVED" in reasons
