"""The daemon as its operator meets it: exit statuses, one-line errors, reload, and state over a restart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.api import matcher, prometheus_alert
from tests.support.cluster import issue, make_authority
from tests.support.eventually import eventually
from tests.support.node import Node, metric, webhook_config
from tests.support.sink import WebhookSink
from tests.support.tocsin_node import TOCSIN


def tocsin(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run the daemon where it is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "tocsin.cli.daemon", *arguments],
        env=dict(TOCSIN.environment),
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    with WebhookSink() as running:
        yield running


@pytest.fixture
def node(tmp_path: Path, sink: WebhookSink) -> Iterator[Node]:
    """One node that runs alone."""
    running = Node(
        TOCSIN,
        "alone",
        tmp_path / "node",
        config=webhook_config(sink.url),
        flags={"cluster.listen-address": "", "cluster.advertise-address": ""},
    )
    yield running.start()
    running.close()


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_a_reader_that_goes_away_is_no_error(tmp_path: Path, argument: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "tocsin.cli.daemon", argument],
            env=dict(TOCSIN.environment),
            cwd=tmp_path,
            stdout=theirs,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(theirs)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--version"], 0, "alertmanager, version 0.34.1 (branch: tocsin, revision: "),
        (["--help"], 0, "--cluster.peer"),
        (["--no.such.flag"], 1, "no.such.flag"),
        (["--cluster.gossip-interval=fast"], 1, "cluster.gossip-interval"),
        (["--config.file=missing.yml", "--cluster.listen-address="], 1, "--config.file: missing.yml: cannot"),
        (["--cluster.transport=tls"], 1, "--cluster.tls-config"),
        (
            ["--config.file=good.yml", "--cluster.listen-address=", "--web.systemd-socket"],
            1,
            "no socket activation",
        ),
        (["--config.file=bad.yml", "--cluster.listen-address="], 1, "bad.yml:2:1"),
        (["--config.file=good.yml", "--cluster.listen-address=", "--storage.path=good.yml"], 1, "good.yml"),
        (
            ["--config.file=good.yml", "--cluster.listen-address=127.0.0.1:0", "--cluster.tls-config=no.yml"],
            1,
            "--cluster.tls-config: no.yml: cannot",
        ),
    ],
)
def test_bad_usage_is_one_line_and_a_status(
    tmp_path: Path, arguments: list[str], status: int, said: str
) -> None:
    (tmp_path / "bad.yml").write_text("route: {receiver: x}\nrecievers: []\n")
    (tmp_path / "good.yml").write_text("route: {receiver: x}\nreceivers: [{name: x}]\n")
    ended = tocsin(*arguments, directory=tmp_path)
    assert ended.returncode == status, ended.stderr
    assert said in ended.stdout + ended.stderr
    if status:
        assert "Traceback" not in ended.stderr
        assert ended.stderr.count("--help") == ("no.such.flag" in said)
        assert len([line for line in ended.stderr.splitlines() if "level=INFO" not in line]) == 1


def test_a_taken_port_is_named(tmp_path: Path, node: Node) -> None:
    (tmp_path / "good.yml").write_text("route: {receiver: x}\nreceivers: [{name: x}]\n")
    ended = tocsin(
        "--config.file=good.yml",
        "--cluster.listen-address=",
        f"--web.listen-address=127.0.0.1:{node.port}",
        directory=tmp_path,
    )
    assert ended.returncode == 1
    assert f"127.0.0.1:{node.port}" in ended.stderr
    assert "another program listens there" in ended.stderr


def test_damaged_files_do_not_keep_a_node_from_starting(node: Node) -> None:
    assert node.stop() == 0
    data = node.folder / "data"
    (data / "silences").write_bytes(b"\xff\xff\xff not a snapshot")
    (data / "journal.db").write_bytes(b"not a journal" * 1000)
    node.restart()
    assert "a snapshot is damaged" in node.process.text()
    assert "the journal is damaged" in node.process.text()
    [aside] = data.glob("silences.damaged-*")
    assert aside.read_bytes() == b"\xff\xff\xff not a snapshot"
    assert len(list(data.glob("journal.db.damaged-*"))) == 1
    assert node.api.post_silence([matcher("alertname", "quiet")])


def test_silences_and_the_log_survive_a_clean_stop_and_start(node: Node, sink: WebhookSink) -> None:
    identifier = node.api.post_silence([matcher("alertname", "quiet")])
    node.api.post_alerts(prometheus_alert("loud"))
    sink.wait_for("loud")
    assert node.stop() == 0
    node.restart()
    kept = node.api.silence(identifier)
    assert kept is not None
    assert kept["status"]["state"] == "active"
    node.api.post_alerts(prometheus_alert("loud"), prometheus_alert("later"))
    sink.wait_for("later")
    assert len(sink.of_alert("loud")) == 1


def test_a_reload_takes_a_good_file_and_keeps_the_old_for_a_bad_one(node: Node, sink: WebhookSink) -> None:
    good = node.config_file.read_text()
    node.config_file.write_text(good.replace("receiver: sink", "receiver: nobody"))
    answer = httpx.post(f"{node.url}/-/reload", trust_env=False)
    assert answer.status_code == 500
    assert "nobody" in answer.text
    assert "alertmanager_config_last_reload_successful 0\n" in node.api.metrics()
    node.api.post_alerts(prometheus_alert("still"))
    sink.wait_for("still")

    node.config_file.write_text(good.replace(sink.url, f"{sink.url}second"))
    node.process.send(signal.SIGHUP)
    eventually(
        lambda: "alertmanager_config_last_reload_successful 1\n" in node.api.metrics(), "the reload is done"
    )
    node.api.post_alerts(prometheus_alert("moved"))
    assert sink.wait_for("moved")[0].path == "/second"
    assert len(sink.of_alert("still")) == 1


def test_a_reload_that_is_asked_for_during_the_start_follows_upon_it(tmp_path: Path) -> None:
    """The file has been read by then, and a large state takes its time."""
    before, after = (webhook_config("http://127.0.0.1:9/", group_interval=each) for each in ("6m", "7m"))
    node = Node(TOCSIN, "node", tmp_path / "node", config=before, flags={"cluster.listen-address": ""})
    snapshot = node.folder / "data" / "silences"
    snapshot.parent.mkdir()
    os.mkfifo(snapshot)  # It waits for what is to be read there.
    node.process.start()
    try:
        eventually(lambda: "starting Tocsin" in node.process.text(), "it reads its state")
        node.config_file.write_text(after)
        node.process.send(signal.SIGHUP)
        writer = eventually(
            lambda: os.open(snapshot, os.O_WRONLY | os.O_NONBLOCK), "it reads", ignoring=(OSError,)
        )
        os.close(writer)
        eventually(node.api.answers, "it answers", ignoring=(httpx.TransportError,))
        eventually(lambda: "7m" in node.api.status()["config"]["original"], "it has the later file")
    finally:
        node.close()


def test_alone_it_is_disabled_as_a_cluster_but_ready(node: Node) -> None:
    assert node.api.cluster()["status"] == "disabled"
    assert httpx.get(f"{node.url}/-/ready", trust_env=False).status_code == 200


def test_a_reload_that_fails_in_one_part_changes_nothing(tmp_path: Path, sink: WebhookSink) -> None:
    files = issue(make_authority(tmp_path / "certs"), "node")
    node = Node(TOCSIN, "node", tmp_path / "node", config=webhook_config(sink.url), tls=files)
    node.start()
    try:
        before = node.api.status()["config"]["original"]
        node.config_file.write_text(webhook_config(sink.url, group_interval="7m"))
        kept = files.certificate.read_bytes()
        files.certificate.write_text("rubbish")
        answer = node.api.http.post("/-/reload")
        assert answer.status_code == 500
        assert str(files.certificate) in answer.text
        assert node.api.status()["config"]["original"] == before
        assert node.process.text().count('msg="configuration loaded"') == 1
        assert node.process.text().count("reloading failed; nothing was changed") == 1
        assert metric(node.api.http.get("/metrics").text, "alertmanager_config_last_reload_successful") == 0
        files.certificate.write_bytes(kept)
        assert node.api.http.post("/-/reload").status_code == 200
        assert node.api.status()["config"]["original"] != before
    finally:
        node.close()
