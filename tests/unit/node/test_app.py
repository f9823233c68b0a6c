"""The whole node in this process, with a sender that we hold and a clock that we set."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.support.transports import eventually
from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.notification import Notification
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.errors import TocsinError
from tocsin.node import app, prepared
from tocsin.node.app import Node, start
from tocsin.node.clock import Clock
from tocsin.node.config.arguments import parse_flags
from tocsin.notify.integrations.base import Outcome

HOUR = 3600 * SECOND
CONFIG = """
route: {receiver: sink, group_by: [alertname], group_wait: 10ms, group_interval: 50ms}
receivers: [{name: sink, webhook_configs: [{url: "http://127.0.0.1:1/"}]}]
"""


class Sender:
    """Takes everything."""

    needs = ()

    def __init__(self) -> None:
        self.sent: list[list[str]] = []

    async def send(self, notification: Notification, deadline: Nanoseconds) -> Outcome:
        self.sent.append([each.name for each in notification.alerts])
        return Outcome(success=True)

    async def close(self) -> None:
        pass


class MovedClock(Clock):
    """The machine's clock, set by somebody."""

    moved = 0

    def now(self) -> Nanoseconds:
        return super().now() + self.moved


def alert(name: str, now: Nanoseconds) -> Alert:
    labels = Labels.from_mapping({"alertname": name})
    return Alert(labels, Labels(), starts_at=now, ends_at=now + 100 * HOUR, updated_at=now)


def play(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    story: Callable[[Node, Sender, MovedClock], Awaitable[None]],
) -> None:
    file = folder / "alertmanager.yml"
    file.write_text(CONFIG)
    sender, clock = Sender(), MovedClock()
    monkeypatch.setattr(prepared, "Clock", lambda: clock)
    monkeypatch.setattr(app, "CLOCK_INTERVAL", SECOND // 50)
    monkeypatch.setattr(prepared, "senders_of", lambda *_, **__: {("sink", "webhook", 0): sender})
    flags = parse_flags(
        [
            f"--config.file={file}",
            f"--storage.path={folder / 'data'}",
            "--cluster.listen-address=",
            "--web.listen-address=127.0.0.1:0",
        ]
    )

    async def main() -> None:
        node = await start(prepared.prepare(flags))
        try:
            await story(node, sender, clock)
        finally:
            await node.stop()

    asyncio.run(main())


@pytest.mark.parametrize("step", [-10 * HOUR, -60 * SECOND, HOUR])
def test_alerts_are_notified_whatever_happens_to_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Nanoseconds
) -> None:
    async def story(node: Node, sender: Sender, clock: MovedClock) -> None:
        await node.put_alerts([alert("before", clock.now())])
        await eventually(lambda: sender.sent == [["before"]])
        clock.moved = step
        await node.put_alerts([alert("after", clock.now())])
        await eventually(lambda: ["after"] in sender.sent)
        assert sender.sent == [["before"], ["after"]]

    play(tmp_path, monkeypatch, story)


def test_a_clock_that_is_set_back_does_not_hide_a_file_that_cannot_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(node: Node, sender: Sender, clock: MovedClock) -> None:
        assert node.counts.reload_successful
        (tmp_path / "alertmanager.yml").write_text("route: [")
        with pytest.raises(TocsinError):
            await node.reload()
        assert not node.counts.reload_successful
        before = node.engine
        clock.moved = -10 * HOUR
        await eventually(lambda: node.engine is not before)
        assert not node.counts.reload_successful

    play(tmp_path, monkeypatch, story)


def test_a_template_that_does_not_load_refuses_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(node: Node, sender: Sender, clock: MovedClock) -> None:
        (tmp_path / "own.tmpl").write_text('{{ define "x" }}\n{{ toUper .Status }}{{ end }}')
        (tmp_path / "alertmanager.yml").write_text(CONFIG + "templates: ['*.tmpl']\n")
        engine, templates = node.engine, node.config.files.templates
        with pytest.raises(TocsinError, match=r"own\.tmpl:2: .*toUper.*did you mean toUpper\?"):
            await node.reload()
        assert not node.counts.reload_successful
        assert (node.engine, node.config.files.templates) == (engine, templates)
        (tmp_path / "own.tmpl").write_text('{{ define "x" }}mine{{ end }}')
        await node.reload()
        assert node.counts.reload_successful
        assert "x" in node.config.files.templates.names()

    play(tmp_path, monkeypatch, story)
