"""Tocsin's own API of a whole node: receivers, history, events and acknowledgements tell what it does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.openapi import PREFIX, check
from tests.support.processes import free_port
from tests.support.sink import WebhookSink
from tests.support.transports import eventually
from tocsin.alerting.acknowledge import Acknowledgements
from tocsin.alerting.timestamp import SECOND, format_milliseconds
from tocsin.node import acknowledging, tocsinbackend
from tocsin.node.app import Node, start
from tocsin.node.config.arguments import parse_flags
from tocsin.node.events import hub
from tocsin.node.prepared import prepare

CONFIG = """
route: {{receiver: sink, group_by: [alertname], group_wait: 10ms, group_interval: 100ms}}
receivers: [{{name: sink, webhook_configs: [{{url: "{url}"}}]}}]
"""


async def events(http: httpx.AsyncClient, found: list[Any]) -> None:
    async with http.stream("GET", f"{PREFIX}/events") as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))  # noqa: PERF401 - read as they come


def test_a_node_tells_what_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tocsinbackend, "ACKNOWLEDGEMENTS_INTERVAL", SECOND // 20)
    monkeypatch.setattr(acknowledging, "Acknowledgements", partial(Acknowledgements, hold=0))
    monkeypatch.setattr(hub, "CHECK_INTERVAL", 0.02)

    async def story(node: Node, http: httpx.AsyncClient) -> None:
        async def ask(path: str, **query: str) -> Any:
            return await check(http, await http.get(PREFIX + path, params=query))

        async def fire(**more: str) -> None:
            alert = {"labels": {"alertname": "Down", "team": "db"}, **more}
            (await http.post("/api/v2/alerts", json=[alert])).raise_for_status()

        told: list[Any] = []
        listening = asyncio.create_task(events(http, told))
        await eventually(lambda: bool(told))
        await fire()

        async def notified() -> list[Any]:
            items = (await ask("/history/notifications", outcome="sent"))["items"]
            return [item for item in items if item["deliveries"][0]["firing"]]

        async with asyncio.timeout(30):
            while not (sent := await notified()):  # noqa: ASYNC110 - the node tells nobody
                await asyncio.sleep(0.02)
        assert sent[-1]["deliveries"][0]["integration"] == "sink/webhook[0]"
        assert sent[-1]["groupLabels"] == {"alertname": "Down"}
        [receiver] = (await ask("/receivers"))["items"]
        assert receiver["integrations"][0]["sent"] >= 1
        assert receiver["integrations"][0]["lastSuccess"]
        [seen] = (await ask("/history/alerts"))["items"]
        assert seen["labels"] == {"alertname": "Down", "team": "db"}
        status = await ask("/status")
        assert status["ready"]
        assert status["configuration"]["successful"]
        assert (await ask("/cluster"))["status"] == "disabled"

        asked = {"createdBy": "ann", "receiver": "sink", "group": {"alertname": "Down"}}
        made = await check(http, await http.post(f"{PREFIX}/acknowledge", json=asked))
        identifier = made["silenceId"]
        await eventually(lambda: node.tocsin.acknowledging.statistics.active == 1)
        await fire(endsAt=format_milliseconds(node.now()))

        def ended() -> bool:
            silence = node.silences.get(identifier)
            return silence is not None and silence.ends_at <= node.now()

        await eventually(ended)
        [silence] = (await ask("/history/silences"))["items"]
        assert (silence["id"], silence["acknowledgement"], silence["state"]) == (identifier, True, "expired")
        await eventually(lambda: {"alerts", "notifications", "silences"} <= {e.get("kind") for e in told})
        assert identifier in [each for event in told for each in event.get("ids", ())]
        await node.stop()
        await asyncio.wait_for(listening, 30)  # It ends in order.

    async def main() -> None:
        async for node, http in started(tmp_path):
            await story(node, http)

    asyncio.run(main())


def test_an_acknowledgement_outlives_a_restart_and_ends_with_its_alert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acknowledging, "Acknowledgements", partial(Acknowledgements, hold=0, unknown_hold=0))

    async def report(http: httpx.AsyncClient, **more: str) -> None:
        alert = {"labels": {"alertname": "Down", "team": "db"}, **more}
        (await http.post("/api/v2/alerts", json=[alert])).raise_for_status()

    async def main() -> None:
        identifier = ""
        async for node, http in started(tmp_path):
            await report(http)
            asked = {"createdBy": "ann", "matchers": ["alertname=Down"]}
            identifier = (await http.post(f"{PREFIX}/acknowledge", json=asked)).json()["silenceId"]
            await node.stop()
        async for node, http in started(tmp_path):
            for _ in range(3):
                await node.tocsin.acknowledging.evaluate()
            silence = node.silences.get(identifier)
            assert silence is not None
            assert silence.ends_at > node.now(), "it knows of no alert, so none has ended"
            await report(http, endsAt=format_milliseconds(node.now()))
            await node.tocsin.acknowledging.evaluate()
            silence = node.silences.get(identifier)
            assert silence is not None
            assert silence.ends_at <= node.now()
            await node.stop()

    asyncio.run(main())


async def started(folder: Path) -> AsyncIterator[tuple[Node, httpx.AsyncClient]]:
    with WebhookSink() as sink:
        file = folder / "alertmanager.yml"
        file.write_text(CONFIG.format(url=sink.url))
        port = free_port()
        flags = parse_flags(
            [
                f"--config.file={file}",
                f"--storage.path={folder / 'data'}",
                "--cluster.listen-address=",
                f"--web.listen-address=127.0.0.1:{port}",
            ]
        )
        node = await start(prepare(flags))
        base = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=30) as http:
            yield node, http
