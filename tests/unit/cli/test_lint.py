"""``tocsinctl lint``: a configuration for each rule to find, and one that all of them find good."""

import json
from pathlib import Path

import pytest

from tocsin.cli.control import main
from tocsin.cli.linting.rules import NAMES

ROOT = Path(__file__).resolve().parents[3]
REST = "receivers: [{name: r, webhook_configs: [{url: 'http://x/'}]}]\n"
ROUTE = "route:\n  receiver: r\n  group_by: [alertname]\n"
INHIBIT = ROUTE + REST + "inhibit_rules:\n"


def routes(*lines: str) -> str:
    return ROUTE + "  routes:\n" + "".join(f"    - {line}\n" for line in lines) + REST


FOUND = {
    "unreachable-route": [
        routes("matchers: [a=b]", "matchers: [a=b, c=d]"),
        routes("matchers: ['a=~\"b|c\"']", "matchers: [a=b]"),
        routes("matchers: []", "matchers: [a=b]"),
        routes("{matchers: [a=b], routes: [{matchers: [c=d]}, {matchers: [c=d, e=f]}]}"),
    ],
    "contradictory-route": [
        routes("{matchers: [a=b], routes: [{matchers: [a=c]}]}"),
        routes("matchers: [a=b, 'a!~\"b.*\"']"),
    ],
    "notified-twice": [routes("{matchers: [a=b], continue: true}", "matchers: [a=b]")],
    "continue-without-effect": [routes("{matchers: [a=b], continue: true}")],
    "matches-everything": [routes("matchers: ['a=~\".*\"']"), routes("match_re: {a: '.*'}")],
    "plain-expression": [routes("matchers: [a=~b]"), routes("match_re: {a: b}")],
    "no-grouping": [routes("{matchers: [a=b], group_by: ['...']}")],
    "one-group": ["route: {receiver: r}\n" + REST],
    "repeat-past-retention": [routes("{matchers: [a=b], repeat_interval: 6d}")],
    "repeat-below-group": [routes("{matchers: [a=b], repeat_interval: 1m}")],
    "repeat-no-multiple": [routes("{matchers: [a=b], repeat_interval: 7m}")],
    "no-time-to-deduplicate": [routes("{matchers: [a=b], group_interval: 20s}")],
    "inhibition-without-equal": [INHIBIT + "  - {source_matchers: [a=b], target_matchers: [a=c]}\n"],
    "inhibition-of-everything": [INHIBIT + "  - {target_matchers: [a=c], equal: [x]}\n"],
    "inhibition-of-itself": [INHIBIT + "  - {source_matchers: [a=b], target_matchers: [a=b], equal: [x]}\n"],
    "unused-receiver": [ROUTE + "receivers: [{name: r}, {name: s}]\n"],
    "unused-time-interval": [
        ROUTE + REST + "time_intervals: [{name: t, time_intervals: [{months: ['1']}]}]\n"
    ],
    "empty-time-interval": [
        routes("{matchers: [a=b], mute_time_intervals: [t]}") + "time_intervals: [{name: t}]\n"
    ],
    "silent-receiver": [ROUTE + "receivers: [{name: r}]\n"],
    "no-template-files": [ROUTE + REST + "templates: ['nowhere/*.tmpl']\n"],
    "old-key": [
        routes("match: {a: b}"),
        INHIBIT + "  - {source_match: {a: b}, target_matchers: [a=c], equal: [x]}\n",
        routes("{matchers: [a=b], mute_time_intervals: [t]}")
        + "mute_time_intervals: [{name: t, time_intervals: [{months: ['1']}]}]\n",
    ],
}
GOOD = (
    ROUTE
    + """\
  routes:
    - matchers: [team="db"]
      receiver: db
      repeat_interval: 1h
      routes:
        - matchers: [severity="page"]
    - matchers: [team=~"web|api"]
      receiver: web
receivers:
  - {name: r, webhook_configs: [{url: 'http://x/'}]}
  - {name: db, webhook_configs: [{url: 'http://x/'}]}
  - {name: web, webhook_configs: [{url: 'http://x/'}]}
inhibit_rules:
  - {source_matchers: [severity="page"], target_matchers: [severity="warn"], equal: [cluster]}
"""
)


def lint(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, *flags: str) -> tuple[set[str], int]:
    file = tmp_path / "alertmanager.yml"
    file.write_text(text)
    status = main(["lint", str(file), "-o", "json", *flags])
    found = json.loads(capsys.readouterr().out)
    assert all(each["place"].startswith(f"{file}:") and each["hint"] for each in found)
    return {each["rule"] for each in found}, status


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in FOUND.items() for text in texts])
def test_a_rule_finds_what_it_is_for(
    rule: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rule in lint(tmp_path, capsys, text)[0]
    assert rule not in lint(tmp_path, capsys, text, f"--ignore={rule}")[0]


def test_nothing_is_found_in_what_is_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint(tmp_path, capsys, GOOD, "--strict") == (set(), 0)


def test_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint(tmp_path, capsys, FOUND["old-key"][0])[1] == 0
    assert lint(tmp_path, capsys, FOUND["old-key"][0], "--strict")[1] == 1
    assert lint(tmp_path, capsys, FOUND["inhibition-without-equal"][0])[1] == 1
    (tmp_path / "bad.yml").write_text("route: 1\n")
    assert main(["lint", str(tmp_path / "bad.yml")]) == 1
    assert "bad.yml:1:8: expected a map" in capsys.readouterr().err


def test_a_rule_that_there_is_not_cannot_be_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "alertmanager.yml").write_text(GOOD)
    assert main(["lint", str(tmp_path / "alertmanager.yml"), "--ignore=old-key", "--ignore=oldkey"]) == 1
    problem = capsys.readouterr().err
    assert "--ignore=oldkey: there is no such rule" in problem
    assert all(rule in problem for rule in FOUND)


def test_the_docs_list_every_rule_and_no_other() -> None:
    text = (ROOT / "docs" / "tocsinctl.md").read_text()
    table = text[text.index("| rule |") :].split("\n\n")[0]
    assert {line.split("`")[1] for line in table.splitlines()[2:]} == set(FOUND) == set(NAMES)
