"""The event recorder: its queue, its outputs, what a reload and a stop do to them."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.httpreceiver import Server, json_answer, run, served
from tests.support.routing import T0, alert, one_route
from tests.support.transports import eventually
from tocsin.aio.beside import Beside
from tocsin.alerting.dispatch import Dispatcher
from tocsin.errors import ConfigError
from tocsin.node.clock import Clock
from tocsin.node.config.alertmanager import parse_config
from tocsin.node.config.arguments import parse_flags
from tocsin.node.config.observing import EventRecorderConfig, FileOutputConfig
from tocsin.node.eventrecorder import recorder as module
from tocsin.node.eventrecorder import webhook
from tocsin.node.eventrecorder.file import FileOutput, StdoutOutput
from tocsin.node.eventrecorder.recorder import EventRecorder
from tocsin.node.eventrecorder.recording import NotRecording, make_recording
from tocsin.node.log import LogfmtFormatter, Logger
from tocsin.node.metrics import Metrics
from tocsin.notify.integrations.statistics import ClientStatistics

LEAST = "route: {receiver: r}\nreceivers: [{name: r}]\n"


def config(text: str) -> EventRecorderConfig:
    """The section of a file."""
    found = parse_config(f"{LEAST}event_recorder: {text}\n", path="/etc/am.yml").event_recorder
    assert found is not None
    return found


def files(*paths: Path) -> EventRecorderConfig:
    return EventRecorderConfig(file_outputs=tuple(FileOutputConfig(path=str(path)) for path in paths))


def make(of: EventRecorderConfig | None) -> EventRecorder:
    return EventRecorder(
        of,
        silence=lambda _id: None,
        clock=Clock(),
        clients=ClientStatistics(),
        log=Logger("tocsin.test"),
        instance="here",
    )


@asynccontextmanager
async def running(of: EventRecorderConfig | None) -> AsyncIterator[tuple[EventRecorder, Metrics]]:
    recorder, metrics = make(of), Metrics(version="1")
    recorder.start(lambda: 1, metrics)
    try:
        yield recorder, metrics
    finally:
        await recorder.close()


def kinds(path: Path) -> list[str]:
    return [next(iter(json.loads(line)["data"])) for line in path.read_text().splitlines()]


def names(path: Path) -> list[str]:
    data = [json.loads(line)["data"] for line in path.read_text().splitlines()]
    return [each["alertCreated"]["alert"]["name"] for each in data if "alertCreated" in each]


def create(recorder: EventRecorder, *alertnames: str) -> None:
    for name in alertnames:
        recorder.created(alert(alertname=name))
        recorder.inserted((), Dispatcher(one_route(), now=T0))


def recorded(metrics: Metrics) -> str:
    return metrics.render()[0].decode()


def test_a_file_has_an_event_a_line_from_start_to_stop(tmp_path: Path) -> None:
    file = tmp_path / "events"

    async def story() -> None:
        async with running(files(file)) as (recorder, metrics):
            create(recorder, "A")
            await eventually(lambda: recorder.queued == 0)
            shown = recorded(metrics)
        created = f'{{event_type="alert_created",output="file:{file}",result="success"}} 1\n'
        assert f"alertmanager_events_recorded_total{created}" in shown
        size = len(file.read_bytes().splitlines(keepends=True)[1])
        written = f'{{event_type="alert_created",output="file:{file}"}} {size}\n'
        assert f"alertmanager_event_recorder_bytes_written_total{written}" in shown
        assert "alertmanager_event_recorder_queue_length 0\n" in shown
        # As in Alertmanager, what has not happened is not shown.
        for absent in ("events_dropped_total", "event_serialize_errors", "event_output_drops"):
            assert f"alertmanager_{absent}" not in shown

    run(story)
    assert kinds(file) == ["alertmanagerStartupEvent", "alertCreated", "alertmanagerShutdownEvent"]
    first, second = (json.loads(line) for line in file.read_text().splitlines()[:2])
    assert "clusterPosition" not in first
    assert (second["clusterPosition"], second["instance"]) == (1, "here")


def test_what_is_past_the_queue_is_dropped_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED", 3)
    file = tmp_path / "events"

    async def story() -> None:
        recorder, metrics = make(files(file)), Metrics(version="1")
        create(recorder, "A", "B", "C", "D")
        assert recorder.queued == 3
        recorder.start(int, metrics)
        assert 'alertmanager_events_dropped_total{event_type="alert_created"} 2\n' in recorded(metrics)
        assert "alertmanager_event_recorder_queue_length 3\n" in recorded(metrics)
        await eventually(lambda: recorder.queued == 0)
        await recorder.close()

    run(story)
    assert names(file) == ["A", "B"]


def test_what_happens_at_once_is_written_in_slices_and_dropped_past_the_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED", 9)
    monkeypatch.setattr(module, "SLICE", 2)
    file, dispatcher = tmp_path / "events", Dispatcher(one_route(), now=T0)
    alerts = [alert(alertname=name) for name in "ABCDE"]
    for each in alerts:
        dispatcher.insert(each, T0)

    async def story() -> None:
        recorder = make(files(file))
        for each in alerts:
            recorder.created(each)
        recorder.inserted(alerts, dispatcher)
        assert recorder.queued == 9
        assert recorder.statistics.dropped == {"alert_grouped": 2}
        recorder.start(int, Metrics(version="1"))
        await eventually(lambda: recorder.queued == 0)
        await recorder.close()

    run(story)
    assert names(file) == [*"ABCDE"]
    assert kinds(file)[6:] == ["alertGrouped"] * 3 + ["alertmanagerShutdownEvent"]


def test_a_file_that_is_moved_away_or_removed_is_followed_by_a_new_one(tmp_path: Path) -> None:
    file, moved = tmp_path / "events", tmp_path / "events.1"

    async def story() -> None:
        async with running(files(file)) as (recorder, _):
            create(recorder, "A")
            await eventually(lambda: recorder.queued == 0)
            file.rename(moved)
            create(recorder, "B")
            await eventually(lambda: recorder.queued == 0)
            file.unlink()
            create(recorder, "C")

    run(story)
    assert (names(moved), names(file)) == (["A"], ["C"])


def test_a_write_that_fails_is_counted_and_goes_better_later(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    file = folder / "events"

    async def story() -> None:
        async with running(files(file)) as (recorder, metrics):
            await eventually(lambda: recorder.queued == 0)
            file.unlink()
            folder.rmdir()
            create(recorder, "A")
            await eventually(lambda: recorder.queued == 0)
            folder.mkdir()
            create(recorder, "B")
            await eventually(lambda: recorder.queued == 0)
            assert f'event_type="alert_created",output="file:{file}",result="error"}} 1\n' in recorded(
                metrics
            )

    run(story)
    assert names(file) == ["B"]


def test_what_has_no_json_is_counted(tmp_path: Path) -> None:
    file = tmp_path / "events"

    async def story() -> None:
        async with running(files(file)) as (recorder, metrics):
            create(recorder, "\ud800", "B")
            await eventually(lambda: recorder.queued == 0)
            shown = recorded(metrics)
            assert 'alertmanager_event_serialize_errors_total{event_type="alert_created"} 1\n' in shown
            assert f'event_type="alert_created",output="file:{file}",result="error"}} 1\n' in shown

    run(story)
    assert names(file) == ["B"]


def test_a_reload_has_other_outputs(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"

    async def story() -> None:
        async with running(files(first)) as (recorder, _):
            create(recorder, "A")
            await eventually(lambda: recorder.queued == 0)
            recorder.configure(files(second))
            create(recorder, "B")
            await eventually(lambda: recorder.queued == 0)
            recorder.configure(None)
            create(recorder, "C")

    run(story)
    assert (names(first), names(second)) == (["A"], ["B"])


def test_a_reload_that_cannot_have_all_outputs_keeps_the_old_ones(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"

    async def story() -> None:
        async with running(files(first)) as (recorder, metrics):
            recorder.configure(files(second, tmp_path / "missing" / "file"))
            create(recorder, "A")
            await eventually(lambda: recorder.queued == 0)
            assert recorder.statistics.own.reloads_failed == 1
            assert "tocsin_event_recorder_reloads_failed_total 1\n" in recorded(metrics)

    run(story)
    assert (names(first), names(second)) == (["A"], [])


def test_an_output_that_cannot_be_had_at_the_start_is_left_out_until_it_can(tmp_path: Path) -> None:
    file, late = tmp_path / "events", tmp_path / "missing" / "file"

    async def story() -> None:
        async with running(files(late, file)) as (recorder, _):
            create(recorder, "A")
            await eventually(lambda: recorder.queued == 0)
            late.parent.mkdir()
            recorder.configure(files(late, file))
            create(recorder, "B")

    run(story)
    assert (names(late), names(file)) == (["B"], ["A", "B"])


class Stuck:
    """An output that does not come back."""

    name = "stuck"

    async def write(self, lines: Sequence[bytes]) -> Sequence[int | str]:
        await asyncio.Event().wait()
        return ()

    async def close(self, grace: float) -> None:
        pass


def test_an_output_that_hangs_keeps_the_node_from_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED", 8)
    monkeypatch.setattr(module, "STOP", 0.05)
    monkeypatch.setattr(FileOutput, "write", Stuck.write)

    async def story() -> None:
        async with running(files(tmp_path / "events")) as (recorder, _):
            create(recorder, *"ABCDEFGHIJ")
            assert recorder.queued == 8
            assert recorder.statistics.dropped["alert_created"] == 3

    run(story)  # It ends: the stop waits a bounded time.


def test_a_bug_costs_the_event_alone(tmp_path: Path) -> None:
    file = tmp_path / "events"

    async def story() -> None:
        async with running(files(file)) as (recorder, _):
            broken: Any = None
            recorder.silence("create", broken)
            await eventually(lambda: recorder.queued == 0)
            create(recorder, "A")
            await eventually(lambda: recorder.queued == 0)
            assert recorder.statistics.own.failures == 1

    run(story)
    assert names(file) == ["A"]


def test_standard_output_has_an_event_a_line() -> None:
    async def story() -> None:
        reading, writing = os.pipe()
        thread = Beside("test")
        output = StdoutOutput(thread, writing)
        assert await output.write([b"{}", b"{1}"]) == [3, 4]
        assert os.read(reading, 100) == b"{}\n{1}\n"
        os.close(reading)
        (problem,) = await output.write([b"{}"])
        assert problem == "Broken pipe"
        os.close(writing)
        thread.close()

    run(story)
    assert config("{stdout_outputs: [{}]}").stdout_outputs


# -- the webhook


def hooks(server: Server, more: str = "") -> EventRecorderConfig:
    return config(f"{{webhook_outputs: [{{url: 'http://u:hush@127.0.0.1:{server.port}/path?q=1'{more}}}]}}")


def play(story: Callable[[Server], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with served() as server:
            await story(server)

    run(whole)


def test_a_webhook_gets_each_event_by_itself() -> None:
    async def story(server: Server) -> None:
        async with running(hooks(server, ", workers: 1")) as (recorder, metrics):
            create(recorder, "A")
            await eventually(lambda: len(server.requests) == 2)
            name = f'output="webhook:http://127.0.0.1:{server.port}"'
            shown = recorded(metrics)
            assert f"alertmanager_event_output_drops_total{{{name}}} 0\n" in shown
            assert f'{{event_type="alert_created",{name},result="success"}} 1\n' in shown
            for secret in ("hush", "/path", "q=1"):
                assert secret not in shown
        last = server.requests[-1]
        assert last.line == "POST /path?q=1 HTTP/1.1"
        assert last.headers["content-type"] == "application/json"
        assert last.headers["authorization"].startswith("Basic ")
        assert [next(iter(json.loads(each.body)["data"])) for each in server.requests] == [
            "alertmanagerStartupEvent",
            "alertCreated",
            "alertmanagerShutdownEvent",
        ]

    play(story)


def test_a_webhook_gets_arrays_up_to_a_number_of_events() -> None:
    async def story(server: Server) -> None:
        more = ", batch: true, batch_max_events: 3, workers: 1, batch_flush_interval: 1m"
        recorder = make(hooks(server, more))
        create(recorder, *"ABCDEF")
        recorder.start(int, Metrics(version="1"))
        await eventually(lambda: len(server.requests) == 2)
        await recorder.close()  # What is less than a whole array goes at the end.
        assert [len(json.loads(each.body)) for each in server.requests] == [3, 3, 2]

    play(story)


def test_a_webhook_gets_arrays_up_to_a_size_and_after_a_while() -> None:
    async def story(server: Server) -> None:
        more = ", batch: true, batch_max_bytes: 1000, workers: 1, batch_flush_interval: 10ms"
        async with running(hooks(server, more)) as (recorder, _):
            create(recorder, "A", "B" * 2000, "C", "D")
            await eventually(lambda: sum(len(json.loads(each.body)) for each in server.requests) == 5)
            for each in server.requests:
                assert len(each.body) <= 1000 or len(json.loads(each.body)) == 1

    play(story)


def test_a_webhook_that_fails_is_tried_again_and_then_given_up(caplog: pytest.LogCaptureFixture) -> None:
    async def story(server: Server) -> None:
        server.answers["/path"] = json_answer(b"{}", 404)
        async with running(hooks(server, ", max_retries: 2, retry_backoff: 1ms")) as (recorder, _):
            await eventually(lambda: recorder.statistics.own.undelivered == 1)
            server.answers.clear()
            server.once["/path"] = json_answer(b"{}", 500)
            create(recorder, "A")
            await eventually(lambda: len(server.requests) == 4)
        own = recorder.statistics.own
        assert (own.posts, own.posts_failed, own.undelivered) == (5, 3, 1)
        logged = "".join(LogfmtFormatter().format(record) for record in caplog.records)
        assert "404" in logged
        for secret in ("hush", "/path"):
            assert secret not in logged

    caplog.set_level("DEBUG", logger="tocsin")
    play(story)


def test_backoff_doubles_up_to_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async def story(server: Server) -> None:
        server.answers["/path"] = json_answer(b"{}", 503)
        async with running(hooks(server, ", max_retries: 9, workers: 1")) as (recorder, _):
            await eventually(lambda: recorder.statistics.own.undelivered == 1)
        assert waited[:8] == [0.5, 1, 2, 4, 8, 16, 30, 30]

    monkeypatch.setattr(webhook, "pause", sleep)
    play(story)


def test_a_webhook_that_is_too_slow_loses_events_and_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "MAX_WAITING", 2)
    gate = asyncio.Event()

    async def held(*_: object) -> None:
        await gate.wait()

    monkeypatch.setattr(webhook.WebhookOutput, "_deliver", held)

    async def story(server: Server) -> None:
        async with running(hooks(server, ", workers: 1")) as (recorder, metrics):
            await eventually(lambda: recorder.queued == 0)
            create(recorder, *"ABCDE")
            await eventually(lambda: recorder.queued == 0)
            drops = recorder.statistics.output_drops
            assert sum(drops.values()) >= 3
            (name,) = drops
            assert f'alertmanager_event_output_drops_total{{output="{name}"}}' in recorded(metrics)
            gate.set()

    play(story)


def test_bytes_that_wait_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "MAX_WAITING_BYTES", 10)
    gate = asyncio.Event()

    async def held(*_: object) -> None:
        await gate.wait()

    monkeypatch.setattr(webhook.WebhookOutput, "_deliver", held)

    async def story(server: Server) -> None:
        async with running(hooks(server, ", workers: 1")) as (recorder, _):
            create(recorder, *"ABCDE")
            await eventually(lambda: recorder.queued == 0)
            assert sum(recorder.statistics.output_drops.values()) >= 3
            gate.set()

    play(story)


def test_what_a_dead_webhook_does_not_take_is_given_up_at_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE", 0.05)

    async def story(server: Server) -> None:
        server.answers["/path"] = json_answer(b"{}", 503)
        async with running(hooks(server, ", retry_backoff: 1h, workers: 1")) as (recorder, _):
            create(recorder, "A")
            await eventually(lambda: recorder.statistics.own.posts_failed == 1)
        assert recorder.statistics.own.undelivered == 3

    play(story)


def test_a_webhook_that_cannot_be_made_keeps_the_old_outputs(tmp_path: Path) -> None:
    file = tmp_path / "events"
    bad = config(
        "{webhook_outputs: [{url: 'http://h/', http_config: {tls_config: {ca_file: /nowhere/ca.pem}}}]}"
    )

    async def story() -> None:
        async with running(files(file)) as (recorder, _):
            recorder.configure(bad)
            create(recorder, "A")
            await eventually(lambda: recorder.queued == 0)
            assert recorder.statistics.own.reloads_failed == 1

    run(story)
    assert names(file) == ["A"]


# -- the configuration


def test_without_the_feature_nothing_is_recorded_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flags = parse_flags([f"--storage.path={tmp_path}"])
    silences: Any = None
    found = make_recording(flags, files(tmp_path / "events"), silences, Clock(), ClientStatistics())
    assert isinstance(found, NotRecording)
    assert "does nothing without --enable-feature=event-recorder" in caplog.text
    assert not (tmp_path / "events").exists()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{webhook_outputs: [{url: 'http://h/', batch_max_events: 2}]}", "require batch: true"),
        ("{webhook_outputs: [{url: 'http://h/', batch_flush_interval: 1s}]}", "require batch: true"),
        ("{webhook_outputs: [{url: 'http://h/', batch: true, batch_max_bytes: -1}]}", "cannot be negative"),
        ("{webhook_outputs: [{}]}", "requires a url"),
        ("{webhook_outputs: [{url: <secret>}]}", "absolute http"),
        ("{file_outputs: [{}]}", "requires a path"),
        (
            "{kafka_outputs: [{brokers: ['b:1'], topic: t}]}",
            "kafka_outputs of event_recorder is not supported",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        config(text)


def test_paths_are_relative_to_the_file_and_urls_are_not_shown() -> None:
    found = config("{file_outputs: [{path: e.jsonl}], webhook_outputs: [{url: 'http://h/hush'}]}")
    assert found.file_outputs[0].path == "/etc/e.jsonl"
    assert "hush" not in repr(found)
    assert found.shown()["webhook_outputs"] == [{"url": "<secret>"}]
