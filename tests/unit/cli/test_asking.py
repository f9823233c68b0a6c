"""What is printed: bytes to a pipe, to a terminal nothing that it obeys; JSON where it is asked for."""

import io
import json
import sys
from pathlib import Path

import pytest

from tocsin.cli.asking import say
from tocsin.cli.control import main
from tocsin.client.terminal import Terminal

EVIL = "a\x1b[31mb\u202ec\td\n"


class Screen(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_every_byte_and_a_terminal_what_is_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    for kind in (io.TextIOWrapper, Screen):
        raw = io.BytesIO()
        with kind(raw, encoding="ascii") as stream:
            monkeypatch.setattr(sys, "stdout", stream)
            say(EVIL)
            written.append(raw.getvalue().decode())
            monkeypatch.undo()
    assert written == [EVIL, "a\\x1b[31mb\\u202ec\\td\n"]


def test_colours_are_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert Terminal().mark("a", "good") == "a"
    with Screen(io.BytesIO()) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        coloured = Terminal().mark("a", "good")
        monkeypatch.setenv("NO_COLOR", "1")
        plain = Terminal().mark("a", "good")
        monkeypatch.undo()
    assert (coloured, plain) == ("\x1b[32ma\x1b[0m", "a")


def test_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().table(("NAME", "STATE"), [("a\x1b[2Jb", "ok"), ("longer than that", "no")])
    assert capsys.readouterr().out == (
        "NAME              STATE\na\\x1b[2Jb         ok\nlonger than that  no\n"
    )


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*line: str, status: int = 0) -> object:
        capsys.readouterr()
        assert main([*line, "-o", "json"]) == status
        return json.loads(capsys.readouterr().out)

    good, bad = tmp_path / "good.yml", tmp_path / "bad.yml"
    good.write_text(
        "route: {receiver: r}\nreceivers: [{name: r}]\n"
        "event_recorder: {kafka_outputs: [{brokers: [b], topic: t}]}\n"
    )
    bad.write_text("route: 1\n")
    found = run("check-config", str(good), str(bad), status=1)
    assert isinstance(found, list)
    assert [len(one["warnings"]) for one in found] == [1, 0]
    assert found[0]["problem"] == ""
    assert found[1]["problem"].startswith(f"{bad}:1:8: expected a map")
    made = run("certs", "init", "--dir", str(tmp_path / "certs"))
    assert isinstance(made, dict)
    assert list(made["files"]) == [str(tmp_path / "certs" / name) for name in ("ca.pem", "ca-key.pem")]
    key = run("keyring", "generate", "--size=16")
    assert isinstance(key, dict)
    assert (len(key["key"]), len(key["fingerprint"])) == (24, 32)
    shown = run("certs", "show", "--dir", str(tmp_path / "certs"))
    assert isinstance(shown, list)
    assert shown[0]["found"]["subject"] == "Tocsin cluster CA"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "silences").write_bytes(b"")
    assert run("storage", "export", str(tmp_path / "out"), f"--storage.path={tmp_path}/data") == {
        "entries": {"silences": 0, "nflog": 0},
        "problems": [],
    }
    tests = tmp_path / "templates.yml"
    tests.write_text("tests: [{name: one, text: a, want: b}]\n")
    assert run("template", "test", str(tests), status=1) == [
        {"name": "one", "problem": "wanted 'b'\n  got    'a'"}
    ]
