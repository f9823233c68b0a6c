"""A node in shadow: it decides, and sends, records and announces nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.support.transports import eventually
from tests.unit.node.test_app import CONFIG, HOUR, Sender, alert
from tocsin.alerting.nflog import Entry, NotificationLog, Receiver, RecordedEntries
from tocsin.alerting.steps import finish
from tocsin.alerting.timestamp import LATEST
from tocsin.errors import ConfigError
from tocsin.node import prepared
from tocsin.node.app import Node, start
from tocsin.node.clock import Clock
from tocsin.node.cluster.name import SHADOW
from tocsin.node.config.arguments import parse_flags
from tocsin.node.config.flags import NodeFlags
from tocsin.node.shadowing import LINES, Shadowing

SINK = Receiver("sink", "webhook", 0)
KEY = '{}:{alertname="A"}'


def play(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    story: Callable[[Node, Sender], Awaitable[None]],
    *more: str,
) -> None:
    file = folder / "alertmanager.yml"
    file.write_text(CONFIG)
    sender = Sender()
    monkeypatch.setattr(prepared, "senders_of", lambda *_, **__: {("sink", "webhook", 0): sender})
    arguments = [f"--config.file={file}", f"--storage.path={folder / 'data'}", "--dispatch.shadow", *more]
    arguments += ["--web.listen-address=127.0.0.1:0", "--cluster.settle-timeout=0s"]
    flags = parse_flags(arguments)

    async def main() -> None:
        node = await start(prepared.prepare(flags))
        try:
            await story(node, sender)
        finally:
            await node.stop()

    asyncio.run(main())


ALONE = ("--cluster.listen-address=127.0.0.1:0", "--cluster.advertise-address=127.0.0.1:9")


def test_it_decides_and_sends_nothing_and_puts_nothing_into_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(node: Node, sender: Sender) -> None:
        shadow = node.state.shadow
        assert shadow is not None
        told: list[str] = []
        monkeypatch.setattr(node.cluster, "broadcast", lambda key, _changes: told.append(key))
        monkeypatch.setattr(node.cluster, "send_to_tocsin", lambda key, _payload: told.append(key))
        await node.put_alerts([alert("A", node.now())])
        await eventually(lambda: shadow.machine.query(SINK, KEY) is not None)
        await eventually(lambda: len(node.state.remembered.recorded) == 0)
        assert node.state.log.query(SINK, KEY) is None
        assert not sender.sent
        assert not told
        assert not node.intents.statistics.announced
        assert shadow.machine.statistics.not_compared["alone"]
        shown = finish(node.metrics(""))[0].decode()
        assert 'tocsin_shadow_notifications_total{receiver="sink",result="missing"} 0\n' in shown
        assert "tocsin_shadow_enabled 1\n" in shown

        async def outcomes() -> list[str]:
            return [each.outcome async for _, record in node.record.read() for each in record.deliveries]

        await eventually(lambda: len(node.state.store.records.waiting) > 0)
        assert (await outcomes())[-1] == "would have sent"
        assert node.cluster_status().name.startswith(SHADOW)

    play(tmp_path, monkeypatch, story, *ALONE)


def test_it_compares_nothing_before_it_would_send(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What others send while alerts are only coming in is no difference."""

    async def story(node: Node, sender: Sender) -> None:
        shadow, cluster = node.state.shadow, node.cluster
        assert shadow is not None
        assert cluster is not None
        await eventually(lambda: cluster.settled)
        assert shadow.machine.since == 0

    play(tmp_path, monkeypatch, story, *ALONE, "--dispatch.start-delay=1h")


def test_many_differences_are_few_lines_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        clock = Clock()
        shadow = Shadowing(NodeFlags(), NotificationLog(HOUR), RecordedEntries(), clock)
        shadow.begin()
        shadow.members((1, frozenset(), 1))
        for number in range(4 * LINES):
            group = b'{}:{n="%d"}' % number
            shadow.heard(Entry(group, SINK, clock.now(), (number,), (), expires_at=LATEST), None)
        while shadow.machine.next_timeout() is not None:
            shadow.machine.handle_timeout(clock.now() + HOUR)
        shadow.decided(())
        assert len(shadow.machine.results.differences) == 4 * LINES
        assert sum("in shadow: extra" in each.getMessage() for each in caplog.records) == LINES
        shadow.close()

    asyncio.run(story())


def test_it_is_told_at_the_start_and_needs_a_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(node: Node, sender: Sender) -> None:
        assert any("in shadow (--dispatch.shadow)" in each.getMessage() for each in caplog.records)

    play(tmp_path, monkeypatch, story, *ALONE)
    with pytest.raises(ConfigError, match="nobody to compare with"):
        play(tmp_path, monkeypatch, story, "--cluster.listen-address=")


def test_it_leaves_acknowledgements_to_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may know less of alerts than those who notify."""

    async def story(node: Node, sender: Sender) -> None:
        looked: list[int] = []

        async def look() -> None:
            looked.append(1)

        monkeypatch.setattr(node.tocsin.acknowledging, "evaluate", look)
        await eventually(lambda: node.dispatching)
        await node.tocsin.end_acknowledgements()
        assert not looked

    play(tmp_path, monkeypatch, story, *ALONE)
