"""Labels of routes, as the API shows them for each group."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx

from tests.support.api_backend import LoneNode
from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.timestamp import SECOND
from tocsin.node.api import create_app
from tocsin.node.config.alertmanager import load_config
from tocsin.node.routelabels import RouteLabels
from tocsin.notify.rendering import TemplateRenderer

CONFIG = """\
route:
  receiver: a
  group_by: [alertname]
  labels: {team: root, url: 'x/{{ .GroupLabels.alertname }}', bad: '{{ template "none" . }}'}
  routes:
    - matchers: [service="y"]
      labels: {team: why, count: '{{ len .Alerts.Firing }}'}
receivers: [{name: a}]
"""


def test_they_are_inherited_and_rendered_with_the_alerts_of_the_group(tmp_path: Path) -> None:
    async def play() -> None:
        (tmp_path / "alertmanager.yml").write_text(CONFIG)
        config = load_config(str(tmp_path / "alertmanager.yml"))
        node = LoneNode(config)
        now = node.now()

        def alert(**labels: str) -> Alert:
            return Alert(Labels(labels), Labels(), now, now + 3600 * SECOND, updated_at=now)

        await node.put_alerts([alert(alertname="A"), alert(alertname="B", service="y")])
        labels = RouteLabels(TemplateRenderer(config.files))
        first, second = [dict(await labels.of_group(group, now)) for group in node.groups()]
        assert first == {"team": "root", "url": "x/A", "bad": '{{ template "none" . }}'}
        assert second == {"team": "why", "url": "x/B", "count": "1", "bad": '{{ template "none" . }}'}
        await node.put_alerts([alert(alertname="B", service="y", job="another")])
        [_, second] = [dict(await labels.of_group(group, now)) for group in node.groups()]
        assert second["count"] == "2"

    asyncio.run(play())


def test_every_group_of_the_api_has_them(tmp_path: Path) -> None:
    async def play() -> None:
        (tmp_path / "alertmanager.yml").write_text(CONFIG.replace(", bad: '{{ template \"none\" . }}'", ""))
        node = LoneNode(load_config(str(tmp_path / "alertmanager.yml")))
        transport = httpx.ASGITransport(app=create_app(node))
        async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
            await http.post("/api/v2/alerts", json=[{"labels": {"alertname": "A"}}])
            [group] = (await http.get("/api/v2/alerts/groups")).json()
        assert list(group) == ["alerts", "labels", "receiver", "routeLabels"]
        assert group["routeLabels"]["team"] == "root"

    asyncio.run(play())
