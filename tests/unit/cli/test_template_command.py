"""``tocsinctl template``: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tocsin.cli.control import main


def test_render_prints_the_text_and_not_a_byte_more(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    (tmp_path / "a.tmpl").write_text('{{ define "a" }}<{{ .Status }}>{{ end }}')
    (tmp_path / "b.tmpl").write_text('{{ define "b" }}{{ urlUnescape "%ff" }}{{ end }}')
    (tmp_path / "data.json").write_text(json.dumps({"status": "<b>"}))
    command = ["template", "render", f"--template.glob={tmp_path}/a.tmpl", f"--template.glob={tmp_path}/b.*"]
    both = '--template.text={{ template "a" . }}{{ template "b" . }}'
    assert main([*command, f"--template.data={tmp_path}/data.json", both]) == 0
    assert capfdbinary.readouterr().out == b"<<b>>\xff"
    text = "--template.text=<p>{{ .Status }}"
    assert main([*command, f"--template.data={tmp_path}/data.json", "--template.type=html", text]) == 0
    assert capfdbinary.readouterr().out == b"<p>&lt;b&gt;"


def test_the_built_in_templates_are_there_when_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    title = '--template.text={{ template "slack.default.title" . }}'
    assert main(["template", "render", title]) == 1
    assert "not defined" in capfd.readouterr().err
    assert main(["template", "render", "--defaults", title]) == 0
    assert capfd.readouterr().out.startswith("[ALERTSTATUS] grouplabelvalue1 grouplabelvalue2 ")


FILE = """
templates: ['*.tmpl']
tests:
  - {name: good, text: '{{ template "a" . }}', data: {status: firing}, want: "is firing"}
  - {name: html, type: html, text: '{{ .Status }}', data: data.json, want: "&lt;"}
  - {name: fails, text: '{{ .Nope }}', error: can't evaluate field Nope}
"""


def test_expectations_are_checked(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a.tmpl").write_text('{{ define "a" }}is {{ .Status }}{{ end }}')
    (tmp_path / "data.json").write_text('{"status": "<"}')
    file = tmp_path / "tests.yml"
    file.write_text(FILE)
    assert main(["template", "test", str(file)]) == 0
    assert "3 of 3 as expected" in capfd.readouterr().out
    file.write_text(FILE.replace("is firing", "was firing"))
    assert main(["template", "test", str(file)]) == 1
    shown = capfd.readouterr().out
    assert "FAILED good" in shown
    assert "wanted 'was firing'" in shown


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tests: []", "a list of tests is wanted"),
        ("tests: [{txt: x}]", "unknown key txt"),
        ("tests: [{text: x}]", "either want or error"),
        ("tests: [{text: x, want: 1}]", "want: a text is wanted"),
        ("[", "is not YAML"),
        ("tests: [{text: x, want: x, data: nowhere.json}]", "cannot be read"),
    ],
)
def test_a_file_of_expectations_that_is_none(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, text: str, problem: str
) -> None:
    file = tmp_path / "tests.yml"
    file.write_text(text)
    assert main(["template", "test", str(file)]) == 1
    assert problem in capfd.readouterr().err
