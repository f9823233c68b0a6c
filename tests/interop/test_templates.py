"""Templates beside the real ``amtool template render``: the same bytes, or an error of the same class."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import alertmanager
from tests.templatefuzz.__main__ import FOUND, make
from tests.templatefuzz.compare import Case, by_amtool, here, templates
from tocsin.cli.control import main
from tocsin.gotemplate.casing import to_lower, to_upper
from tocsin.notify.template.casing import title

pytestmark = pytest.mark.interop

GENERATED = 300
CHARACTERS = [chr(code) for code in (*range(0x20, 0xD800), *range(0xE000, 0x20000), *range(0xE0000, 0xE0200))]


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def same(cases: list[Case]) -> None:
    loaded = templates()
    with ThreadPoolExecutor(3) as pool:
        theirs = list(pool.map(lambda case: by_amtool(alertmanager.amtool(), case), cases))
    for case, real in zip(cases, theirs, strict=True):
        ours = here(loaded, case)
        if ours.error != "bound":
            assert ours == real, case.told()


@pytest.mark.usefixtures("utc")
def test_templates_made_by_chance_come_out_the_same() -> None:
    same([make(0, number) for number in range(GENERATED)])


@pytest.mark.usefixtures("utc")
def test_what_once_differed_comes_out_the_same() -> None:
    same([Case.read(line) for line in FOUND.read_text("utf-8").splitlines()])


@pytest.mark.parametrize(("name", "change"), [("toUpper", to_upper), ("toLower", to_lower), ("title", title)])
def test_every_character_has_the_case_that_go_gives_it(name: str, change: object, tmp_path: Path) -> None:
    assert callable(change)
    around = "{0} a{0}b a{0}{0}b".format if name == "title" else "{}".format
    text = "\n".join(map(around, CHARACTERS))
    data = tmp_path / "data.json"
    data.write_text(json.dumps({"commonAnnotations": {"all": text}}), "utf-8")
    done = subprocess.run(
        [
            alertmanager.amtool(),
            "template",
            "render",
            "--template.glob=/dev/null",
            f"--template.data={data}",
            f"--template.text={{{{ {name} .CommonAnnotations.all }}}}",
        ],
        capture_output=True,
        check=True,
        timeout=120,
    )
    ours = change(text).split("\n")
    for char, theirs, our in zip(CHARACTERS, done.stdout.decode().split("\n"), ours, strict=True):
        assert our == theirs, f"U+{ord(char):04X}"


@pytest.mark.usefixtures("utc")
def test_the_command_prints_what_amtool_prints(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    (tmp_path / "a.tmpl").write_text('{{ define "own" }}{{ range .Alerts }}{{ .Labels }};{{ end }}{{ end }}')
    (tmp_path / "b.tmpl").write_text("body {{ .Status | toUpper }}\n")
    arguments = [
        "template",
        "render",
        f"--template.glob={tmp_path}/a.*",
        f"--template.glob={tmp_path}/b.tmpl",
    ]
    for text in (
        '{{ template "own" . }}',
        '{{ template "b.tmpl" . }}',
        "{{ .CommonLabels.Names }} {{ len .Alerts.Firing }} {{ .ExternalURL }}",
        '{{ range .Alerts }}{{ (.EndsAt.Sub .StartsAt).Minutes | printf "%.0f" }} {{ .Labels }}{{ end }}',
        '{{ template "slack.default.title" . }}',
    ):
        done = subprocess.run(
            [alertmanager.amtool(), *arguments, f"--template.text={text}"],
            capture_output=True,
            check=False,
            timeout=60,
            env={**os.environ, "TZ": "UTC"},
        )
        ours = main([*arguments, f"--template.text={text}"])
        assert (ours == 0) == (done.returncode == 0), text
        shown = capfdbinary.readouterr().out
        if ours == 0:
            assert shown == done.stdout, text
