"""Every alert of the mixin and every ERROR line of a node has its page, and every page its alert or line."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.unit.test_architecture import modules, within
from tocsin.node.metrics.own import meanings

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "docs/runbooks"
RULES = ROOT / "mixin/tocsin.rules.yml"
LOGGERS = re.compile(r"(^|\.)_?log$")


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return list(group["rules"])


def slug(message: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", message.lower())[:70].strip("-")


@cache
def error_lines() -> set[str]:
    """What is logged with level error, without what stands for values at its end."""
    found = set()
    for name, _, tree in modules():
        if not within(name, "tocsin"):
            continue
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "error"
                and LOGGERS.search(ast.unparse(node.func.value))
            ):
                message = node.args[0]
                assert isinstance(message, ast.Constant), f"{name}: a message that is put together"
                found.add(re.sub(r": %s$", "", str(message.value)))
    return found


def test_every_error_line_has_its_page() -> None:
    lines = error_lines()
    assert len(lines) > 20
    missing = [line for line in lines if not (PAGES / f"{slug(line)}.md").is_file()]
    assert not missing


def test_every_alert_has_its_page_and_names_it() -> None:
    for alert in alerts():
        page = alert["annotations"]["runbook_url"]
        assert page == f"docs/runbooks/{alert['alert']}.md"
        assert (ROOT / page).is_file(), page
        assert alert["labels"]["severity"] in ("warning", "critical")


def test_no_page_is_of_nothing_and_the_index_has_all() -> None:
    names = {alert["alert"] for alert in alerts()} | {slug(line) for line in error_lines()}
    pages = {path.stem for path in PAGES.glob("*.md")} - {"README"}
    assert pages == names
    index = (PAGES / "README.md").read_text()
    assert not [page for page in pages if f"({page}.md)" not in index]


def test_rules_and_dashboard_name_metrics_that_there_are() -> None:
    known = set(meanings())
    dashboard = json.loads((ROOT / "mixin/dashboard.json").read_text())
    queries = [str(alert["expr"]) for alert in alerts()]
    queries += [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    named = {name for query in queries for name in re.findall(r"\btocsin_\w+", query)}
    assert len(named) > 10
    assert not {name for name in named if re.sub(r"_(bucket|sum|count)$", "", name) not in known}
