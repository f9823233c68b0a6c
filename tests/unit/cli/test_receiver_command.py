"""``tocsinctl receiver test``: what it sends and prints, and what it never prints."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tocsin.cli.control import main

FILE = """
route: {{receiver: ops}}
receivers:
- name: ops
  webhook_configs:
  - url: http://{address}/hush-path
    http_config: {{basic_auth: {{username: u, password: hush-word}}}}
- name: chat
  wechat_configs:
  - {{api_url: 'http://{address}/', api_secret: 'hush&secret', corp_id: c, message: 'hush&secret'}}
- name: none
- name: mail
  webhook_configs: [{{url: 'http://127.0.0.1:1/hush-path'}}]
"""


class Far(HTTPServer):
    """Answers every request with ``status``."""

    status = 200
    got: list[tuple[str, bytes]]


class Handler(BaseHTTPRequestHandler):
    server: Far

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.got.append((self.path, body))
        self.send_response(self.server.status)
        self.send_header("Retry-After", "7")
        self.send_header("Content-Length", "17")
        self.end_headers()
        self.wfile.write(b"you said hush-pat")

    def log_message(self, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def far() -> Iterator[Far]:
    with Far(("127.0.0.1", 0), Handler) as server:
        server.got = []
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield server
        server.shutdown()
        serving.join()


def run(far: Far, folder: Path, *arguments: str) -> int:
    file = folder / "am.yml"
    file.write_text(FILE.format(address=f"127.0.0.1:{far.server_port}"))
    return main(["receiver", "test", *arguments, "--config.file", str(file)])


def test_it_sends_and_prints_without_secrets(
    far: Far, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(far, tmp_path, "ops", "--alert", "alertname=Full,severity=high", "--annotation", "summary=s") == 0
    )
    [(path, body)] = far.got
    assert path == "/hush-path"
    assert b'"labels":{"alertname":"Full","severity":"high"},"annotations":{"summary":"s"}' in body
    said = capsys.readouterr().out
    assert "== webhook[0]\n> POST <secret>\n" in said
    assert "> Authorization: <secret>\n" in said
    assert body.decode().strip() in said
    assert "< 200\n" in said
    assert said.endswith("taken\n")
    assert "hush-path" not in said
    assert "hush-word" not in said


def test_a_failure_has_a_reason_and_a_hint(
    far: Far, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    far.status = 429
    assert run(far, tmp_path, "ops", "--resolved") == 1
    said = capsys.readouterr().out
    assert '"status":"resolved"' in said
    assert "FAILED (rateLimited): unexpected status code 429: you said" in said
    assert "hint: the server wants fewer requests; come back in 7 s" in said


def test_nobody_is_there(far: Far, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(far, tmp_path, "mail") == 1
    said = capsys.readouterr().out
    assert "connection refused" in said
    assert "hint: nothing listens there" in said
    assert "hush" not in said


def test_a_dry_run_sends_nothing(far: Far, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(far, tmp_path, "chat", "--dry-run") == 0
    assert far.got == []
    said = capsys.readouterr().out
    assert "/gettoken?corpid=c&corpsecret=<secret>" in said
    assert '"text":{"content":"<secret>"}' in said
    assert said.endswith("nothing was sent\n")
    assert "hush" not in said


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("opps",), "there is no receiver 'opps' (did you mean 'ops'?)"),
        (("none",), "the receiver 'none' has no integrations"),
        (("ops", "--alert", "Full"), "--alert: 'Full' is not a NAME=VALUE"),
    ],
)
def test_what_it_cannot_do(
    far: Far, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], error: str
) -> None:
    assert run(far, tmp_path, *arguments) == 1
    assert error in capsys.readouterr().err
    assert far.got == []
