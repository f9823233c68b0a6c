"""What goes wrong once must not stay wrong: periodic work, the clock, views of an earlier configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.transports import eventually
from tests.unit.node.test_app import CONFIG, HOUR, MovedClock, Sender, alert, play
from tocsin.errors import ConfigError
from tocsin.node.app import Node
from tocsin.node.clock import ClockWatch


def test_a_node_begins_anew_once_the_files_of_its_senders_are_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(node: Node, sender: Sender, clock: MovedClock) -> None:
        refused = 0

        def missing(_config: object) -> dict[tuple[str, str, int], Sender]:
            nonlocal refused
            refused += 1
            raise ConfigError("ca.pem", "cannot be read")

        monkeypatch.setattr(node._coordinator, "_make_senders", missing)
        before = node.engine
        clock.moved = -10 * HOUR
        await eventually(lambda: refused > 1)
        assert node.engine is before
        monkeypatch.setattr(
            node._coordinator, "_make_senders", lambda _config: {("sink", "webhook", 0): sender}
        )
        await eventually(lambda: node.engine is not before)
        await node.put_alerts([alert("after", clock.now())])
        await eventually(lambda: sender.sent == [["after"]])

    play(tmp_path, monkeypatch, story)


def test_a_bug_in_periodic_work_costs_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = 0
    set_back_by = ClockWatch.set_back_by

    def fails_first(watch: ClockWatch) -> int:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ZeroDivisionError
        return set_back_by(watch)

    async def story(node: Node, sender: Sender, clock: MovedClock) -> None:
        await eventually(lambda: runs > 1)

    monkeypatch.setattr(ClockWatch, "set_back_by", fails_first)
    play(tmp_path, monkeypatch, story)


def test_a_group_of_an_earlier_configuration_can_still_be_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    muted = CONFIG.replace("group_by:", "routes: [{mute_time_intervals: [never]}], group_by:")

    async def story(node: Node, sender: Sender, clock: MovedClock) -> None:
        file = tmp_path / "alertmanager.yml"
        file.write_text(muted + "time_intervals: [{name: never, time_intervals: []}]\n")
        await node.reload()
        await node.put_alerts([alert("A", clock.now())])
        [group] = node.groups()
        assert node.group_muted_by(group) == ()
        file.write_text(CONFIG)
        await node.reload()
        assert node.group_muted_by(group) == ()

    play(tmp_path, monkeypatch, story)
