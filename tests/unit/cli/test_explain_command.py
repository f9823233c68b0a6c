"""``tocsinctl explain``: what a file would do, and what a node has told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tocsin.cli.control import main

CONFIG = """
route:
  receiver: rest
  group_by: [alertname]
  routes: [{matchers: [team=db], receiver: db, mute_time_intervals: [night]}]
receivers: [{name: rest}, {name: db}]
inhibit_rules: [{source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [host]}]
time_intervals: [{name: night, time_intervals: [{times: [{start_time: '00:00', end_time: '06:00'}]}]}]
"""
STORY: dict[str, Any] = {
    "fingerprint": "00000000000000ff",
    "labels": {"alertname": "A"},
    "at": "2026-11-30T05:00:00.000Z",
    "nodes": [],
    "routes": [],
    "groups": [],
    "text": "a story\n",
}


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "alertmanager.yml"
    path.write_text(CONFIG)
    return f"--config.file={path}"


def test_what_a_file_would_do(file: str, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    words = ["Slow", "team=db", "severity=warning"]
    assert main(["explain", file, *words, "--at=2026-12-24T03:00:00Z"]) == 0
    told = capsysbinary.readouterr().out.decode()
    assert "db: WOULD NOT BE SENT, the route is muted by night\n" in told
    assert (
        'rule 0 inhibits it while an alert with {severity="critical"}\n  fires with the same host\n' in told
    )
    assert "  - rest: {}: routes below it took the alert\n" in told
    assert main(["explain", file, *words, "--at=2026-12-24T12:00:00Z"]) == 0
    assert b"db: WOULD BE SENT, 30s after the first alert of its group" in capsysbinary.readouterr().out
    assert main(["explain", file, *words, "--at=2026-12-24T03:00:00Z", "-o", "json"]) == 0
    shown = json.loads(capsysbinary.readouterr().out)
    assert [(each["receiver"], each["mutedBy"]) for each in shown["receivers"]] == [("db", ["night"])]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["Slow", "--at=noon"], "--at: "),
        (["Slow", "--receiver=x"], "--receiver asks a node"),
        (["severity=~x"], "must be specified as key=value pairs"),
    ],
)
def test_what_cannot_be_asked_of_a_file(
    file: str, words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", file, *words]) != 0
    assert problem in capsys.readouterr().err


class Answers(HTTPServer):
    """A node that tells what it is to tell."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.answer: object = {}
        self.asked: list[str] = []

    @property
    def flag(self) -> str:
        return f"--alertmanager.url=http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Answers

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = json.dumps(self.server.answer).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        pass


@pytest.fixture
def node() -> Iterator[Answers]:
    server = Answers()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_a_node_tells(node: Answers, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    quiet = {"node": "am2", "answer": "no answer", "why": "it did not answer in time"}
    node.answer = {"stories": [STORY], "nodes": [quiet], "more": 2}
    assert main(["explain", node.flag, "A", "team=db", "--receiver=x", "--no-peers"]) == 1
    assert capsysbinary.readouterr().out.decode() == (
        "a story\n\n2 more alerts are meant; --limit shows more of them.\n\n"
        "of these nodes less is known\n  am2: it did not answer in time\n"
    )
    asked = "receiver=x&limit=5&peers=false&filter=alertname%3D%22A%22&filter=team%3D%22db%22"
    assert node.asked == [f"/api/tocsin/v1/explain?{asked}"]
    node.answer = {"stories": [], "nodes": [], "more": 0}
    assert main(["explain", node.flag, "00000000000000ff"]) == 0
    assert capsysbinary.readouterr().out == b"No such alert.\n"
    assert node.asked[-1].endswith("fingerprint=00000000000000ff")
    assert main(["explain", node.flag, "A", "-o", "json"]) == 0
    assert json.loads(capsysbinary.readouterr().out) == {"stories": [], "nodes": [], "more": 0}


def test_what_a_node_refuses_is_told(node: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    node.status = 400
    node.answer = {"status": 400, "error": "bad_request", "message": "no", "place": "query group"}
    assert main(["explain", node.flag, "A"]) == 1
    assert "query group: no" in capsys.readouterr().err
    node.status, node.answer = 404, "an Alertmanager"
    assert main(["explain", node.flag, "A"]) == 1
    assert "is it a Tocsin node?" in capsys.readouterr().err
