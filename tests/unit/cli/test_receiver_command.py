"""``tocsinctl receiver test``: what it sends and prints, and what it never prints."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

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
- name: topic
  sns_configs:
  - topic_arn: arn:aws:sns:eu-1:1:t
    message: hush-word
    sigv4: {{region: eu-1, access_key: AK, secret_key: hush-word, role_arn: 'arn:aws:iam::1:role/r'}}
- name: keyless
  sns_configs: [{{topic_arn: 'arn:aws:sns:eu-1:1:t', message: seen, sigv4: {{region: eu-1}}}}]
- name: letters
  email_configs:
  - to: '{{{{ .CommonLabels.team }}}}@example.org, b@example.org'
    from: a@example.org
    smarthost: {address}
    auth_username: u
    auth_password: hush-word
    require_tls: false
    headers: {{Subject: 'hush-word {{{{ .Status }}}}'}}
    html: ''
    text: |
      .first
      hush-word
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
    assert "hint: the server wants fewer requests; retry after 7 s" in said


def in_json(capsys: pytest.CaptureFixture[str]) -> Any:
    said = capsys.readouterr()
    assert "hush" not in said.out.replace('hush-pat"', "")  # The far end said a part of it.
    assert (said.out.count("\n"), said.err) == (1, ""), "one object, and nothing beside it"
    return json.loads(said.out)


def test_in_json_it_tells_requests_answers_and_outcome(
    far: Far, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(far, tmp_path, "ops", "-o", "json") == 0
    done = in_json(capsys)
    [one] = done.pop("integrations")
    assert done == {"receiver": "ops", "dryRun": False, "failed": 0}
    assert one.pop("took") > 0
    [request] = one.pop("requests")
    assert one == {
        "name": "ops/webhook[0]",
        "outcome": "taken",
        "reason": "",
        "error": "",
        "hint": "",
        "mails": [],
        "replies": [],
    }
    assert (request["method"], request["url"]) == ("POST", "<secret>")
    assert {"name": "Authorization", "value": "<secret>"} in request["headers"]
    assert json.loads(request["body"]) == json.loads(far.got[0][1])
    assert (request["answer"]["status"], request["answer"]["body"]) == (200, "you said hush-pat")
    assert {"name": "retry-after", "value": "7"} in request["answer"]["headers"]
    far.status = 429
    assert run(far, tmp_path, "ops", "-o", "json") == 1
    done = in_json(capsys)
    [one] = done["integrations"]
    assert (done["failed"], one["outcome"], one["reason"]) == (1, "failed", "rateLimited")
    assert one["hint"] == "the server wants fewer requests; retry after 7 s"
    assert one["requests"][0]["answer"]["status"] == 429
    assert run(far, tmp_path, "mail", "-o", "json") == 1
    [one] = in_json(capsys)["integrations"]
    assert one["requests"][0]["answer"] is None
    assert "connection refused" in one["error"]


def test_a_dry_run_in_json_has_what_would_be_sent_and_no_answer(
    far: Far, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(far, tmp_path, "chat", "--dry-run", "-o", "json") == 0
    done = in_json(capsys)
    [one] = done["integrations"]
    assert (done["dryRun"], done["failed"], one["outcome"]) == (True, 0, "nothing sent")
    token, message = one["requests"]
    assert token["url"].endswith("/gettoken?corpid=c&corpsecret=<secret>")
    assert json.loads(message["body"])["text"] == {"content": "<secret>"}
    assert (token["answer"], message["answer"]) == (None, None)
    command = ("letters", "--dry-run", "-o", "json", "--alert", "alertname=Full,team=a")
    assert run(far, tmp_path, *command) == 0
    [one] = in_json(capsys)["integrations"]
    [mail] = one["mails"]
    assert (mail["sender"], mail["recipients"]) == ("a@example.org", ["a@example.org", "b@example.org"])
    assert "Subject: <secret> firing\r\n" in mail["data"]
    assert (one["requests"], one["replies"], far.got) == ([], [], [])


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


def test_a_dry_run_of_sns_shows_the_message_behind_a_role_and_without_keys(
    far: Far, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert run(far, tmp_path, "topic", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "> POST https://sts.eu-1.amazonaws.com" in said
    assert "> POST https://sns.eu-1.amazonaws.com" in said
    assert "Message=<secret>" in said
    assert said.endswith("nothing was sent\n")
    assert "hush" not in said
    assert run(far, tmp_path, "keyless", "--dry-run") == 1
    said = capsys.readouterr().out
    assert "Message=seen" in said
    assert "FAILED (other): no AWS keys" in said


def test_a_dry_run_of_a_mail_prints_it_and_connects_to_nobody(
    far: Far, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(far, tmp_path, "letters", "--dry-run", "--alert", "alertname=Full,team=a") == 0
    said = capsys.readouterr().out
    assert "== email[0]\n> MAIL FROM:<a@example.org>\n> RCPT TO:<a@example.org>\n> RCPT TO:<b@" in said
    assert "> Subject: <secret> firing\n" in said
    assert "> <secret>\n" in said
    assert said.endswith("nothing was sent\n")
    assert "hush" not in said
    assert run(far, tmp_path, "letters", "--dry-run") == 1
    assert "hint: an address may be made of labels that these alerts have not" in capsys.readouterr().out


@pytest.mark.parametrize("refused", ["", "RCPT", "AUTH"])
def test_a_mail_is_sent_and_every_answer_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], refused: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        serving = threading.Thread(target=serve_mail, args=(server, refused), daemon=True)
        serving.start()
        file = tmp_path / "am.yml"
        file.write_text(FILE.format(address=f"127.0.0.1:{server.getsockname()[1]}"))
        command = ["receiver", "test", "letters", "--alert", "team=a", "--config.file", str(file)]
        assert main(command) == bool(refused)
        serving.join()
    said = capsys.readouterr().out
    assert "< EHLO: 250 far\n< EHLO: AUTH PLAIN\n" in said
    assert "hush" not in said
    if not refused:
        assert "> Subject: <secret> firing\n" in said
        assert "< delivery: 250 yes\ntaken\n" in said
    else:
        assert f"< {refused}" in said
        assert f"FAILED (other): {refused}" in said
        assert "check to" in said if refused == "RCPT" else "check auth_username" in said


def test_a_mail_servers_replies_are_in_the_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        serving = threading.Thread(target=serve_mail, args=(server, "RCPT"), daemon=True)
        serving.start()
        file = tmp_path / "am.yml"
        file.write_text(FILE.format(address=f"127.0.0.1:{server.getsockname()[1]}"))
        line = ["receiver", "test", "letters", "--alert", "team=a", "-o", "json", "--config.file", str(file)]
        assert main(line) == 1
        serving.join()
    [one] = in_json(capsys)["integrations"]
    assert {"step": "EHLO", "code": 250, "message": "far\nAUTH PLAIN"} in one["replies"]
    assert (one["replies"][-1]["step"], one["replies"][-1]["code"]) == ("RCPT", 550)
    assert one["error"].startswith("RCPT")


def serve_mail(server: socket.socket, refused: str) -> None:
    """One session, in which the command ``refused`` is not taken, and what was said is told back."""
    accepted, _ = server.accept()
    with accepted, accepted.makefile("rwb", buffering=0) as file:
        file.write(b"220 far\r\n")
        within = False
        for line in file:
            word = line.split()[0].decode() if line.split() else ""
            if within:
                if line != b".\r\n":
                    continue
                within = False
                file.write(b"250 yes\r\n")
            elif word == refused:
                file.write(b"550 no: " + line)
            elif word == "EHLO":
                file.write(b"250-far\r\n250 AUTH PLAIN\r\n")
            elif word == "DATA":
                within = True
                file.write(b"354 go on\r\n")
            else:
                file.write(b"235 in\r\n" if word == "AUTH" else b"250 yes\r\n")
            if word == "QUIT":
                break


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
