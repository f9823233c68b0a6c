"""``tocsinctl test`` and ``tocsinctl config diff``: what becomes of alerts, checked and compared."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tocsin.cli.control import main

CONFIG = """\
route:
  receiver: ops
  group_by: [alertname]
  routes:
    - matchers: [team="db"]
      receiver: db
      mute_time_intervals: [night]
receivers: [{name: ops}, {name: db}]
inhibit_rules:
  - {source_matchers: [severity="page"], target_matchers: [severity="warn"], equal: [host]}
time_intervals: [{name: night, time_intervals: [{times: [{start_time: '22:00', end_time: '24:00'}]}]}]
"""
GOOD = """\
config: alertmanager.yml
tests:
  - name: by day
    time: 2026-01-05T12:00:00Z
    alerts:
      - labels: {alertname: Down, team: db, severity: page, host: a}
        receivers: [db]
        told: [db]
        muted: false
        group: {alertname: Down}
      - labels: {alertname: Slow, severity: warn, host: a}
        receivers: [ops]
        muted: inhibited
        told: []
  - name: at night
    time: 2026-01-05T23:00:00Z
    silences: [[alertname=Known, 'host=~"a|b"']]
    alerts:
      - labels: {alertname: Down, team: db}
        muted: time interval
      - labels: {alertname: Known, host: b}
        muted: silenced
      - labels: {alertname: Known, host: c}
        muted: false
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "alertmanager.yml").write_text(CONFIG)
    (tmp_path / "good.yml").write_text(GOOD)
    return tmp_path


def test_all_as_expected(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(folder / "good.yml")]) == 0
    assert capsys.readouterr().out == "ok      by day\nok      at night\n2 of 2 as expected\n"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("receivers: [db]", "receivers: [ops]", "wanted the receivers [ops], got [db]"),
        ("told: [db]", "told: []", "wanted [] to be notified, got [db]"),
        ("muted: inhibited", "muted: silenced", "wanted it silenced, got inhibited"),
        ("muted: silenced", "muted: false", "wanted it not muted, got silenced"),
        ("host: c}\n        muted: false", "host: c}\n        muted: true", "wanted it muted, got not muted"),
        ("group: {alertname: Down}", "group: {}", 'wanted the group {}, got {alertname="Down"}'),
    ],
)
def test_what_is_not(
    folder: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, problem: str
) -> None:
    file = folder / "bad.yml"
    assert old in GOOD
    file.write_text(GOOD.replace(old, new))
    assert main(["test", str(file), "-q", f"--junit={folder}/junit.xml"]) == 1
    out = capsys.readouterr().out
    assert problem in out
    assert "1 of 2 as expected" in out
    suite = ElementTree.parse(folder / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert any(problem in (failure.text or "") for failure in suite.iter("failure"))
    assert main(["test", str(file), "-o", "json"]) == 1
    assert sum(len(each["problems"]) for each in json.loads(capsys.readouterr().out)) == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no tests"),
        ("tests: [{alerts: [{labels: {a: b}}]}]", "no configuration"),
        ("config: alertmanager.yml", "no tests"),
        ("config: alertmanager.yml\ntests: [{name: x}]", ":2:9: a test without alerts"),
        ("config: alertmanager.yml\ntests: [{alerts: [{}]}]", "an alert without labels"),
        ("config: alertmanager.yml\ntests: [{alerts: [{labels: {a: b}, muted: x}]}]", "mutes nothing"),
        ("config: alertmanager.yml\ntests: [{time: now, alerts: [{labels: {a: b}}]}]", ":2:16: "),
        ("config: alertmanager.yml\ntests: [{silences: [['=']], alerts: [{labels: {a: b}}]}]", ":2:22: "),
        ("config: nowhere.yml\ntests: [{alerts: [{labels: {a: b}}]}]", "nowhere.yml"),
        ("config: alertmanager.yml\ntest: []", "test"),
    ],
)
def test_a_file_that_is_none_is_refused_with_its_place(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, problem: str
) -> None:
    (folder / "tests.yml").write_text(text)
    assert main(["test", str(folder / "tests.yml")]) == 1
    assert problem in capsys.readouterr().err


def test_config_diff(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new, alerts = folder / "new.yml", folder / "alerts.json"
    new.write_text(CONFIG.replace("receiver: db\n", "receiver: ops\n      repeat_interval: 1h\n"))
    alerts.write_text(
        json.dumps([{"labels": {"alertname": "A", "team": "db"}}, {"labels": {"alertname": "B"}}])
    )
    files = [str(folder / "alertmanager.yml"), str(new)]
    assert main(["config", "diff", *files, f"--alerts={alerts}", "--exit-code"]) == 1
    out = capsys.readouterr().out
    assert out.startswith('{alertname="A", team="db"}\n  - db in the group {alertname="A"} 30s/5m/4h')
    assert '  + ops in the group {alertname="A"} 30s/5m/1h' in out
    assert out.endswith("1 of 2 alerts change\n")
    assert main(["config", "diff", *files, f"--alerts={alerts}", "-o", "json"]) == 0
    assert [one["labels"]["alertname"] for one in json.loads(capsys.readouterr().out)] == ["A"]
    assert main(["config", "diff", files[0], files[0], f"--alerts={alerts}", "--exit-code"]) == 0
    assert capsys.readouterr().out == "0 of 2 alerts change\n"
    alerts.write_text("{}")
    assert main(["config", "diff", *files, f"--alerts={alerts}"]) == 1
    assert "expected a list of alerts" in capsys.readouterr().err


def test_the_examples_are_as_expected_and_without_doubt(capsys: pytest.CaptureFixture[str]) -> None:
    examples = Path(__file__).resolve().parents[3] / "examples"
    assert main(["test", str(examples / "tests" / "routing.yml")]) == 0
    assert main(["lint", "--strict", str(examples / "alertmanager.yml")]) == 0
    assert capsys.readouterr().out.endswith("4 of 4 as expected\n0 warnings, 0 notes\n")
