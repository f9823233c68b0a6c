"""The table in docs/receivers.md says what the modules of the kinds do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.integrations import section
from tocsin.node.clock import Clock
from tocsin.notify.integrations import registry
from tocsin.notify.integrations.base import RetryRule
from tocsin.notify.integrations.sender import make_sender
from tocsin.notify.integrations.tlscontext import TLSContexts
from tocsin.notify.rendering import TemplateFiles, TemplateRenderer

PAGE = (Path(__file__).parents[4] / "docs" / "receivers.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("| --- |")[2].partition("\n\n")[0].splitlines()[1:]
]
LANDED = registry.KINDS
ELSEWHERE = {"MAX_ANSWER_BYTES", "MAX_EXCERPT", "MAX_REMEMBERED", "MAX_SESSIONS", "MAX_ADDRESSES_CHARACTERS"}
"""Bounds of something else than what is sent."""


def rows(name: str) -> list[list[str]]:
    return [row for row in ROWS if row[0].partition(",")[0] == name]


def says(row: list[str], rule: RetryRule) -> None:
    _, retried, _, reasons = row
    if rule.success == range(200, 300):
        assert [int(code) for code in re.findall(r"\b4\d\d\b", retried)] == sorted(rule.codes)
    else:
        assert retried.startswith(f"every status but {', '.join(map(str, sorted(rule.success)))};")
    assert rule.server_errors != ("5xx are not" in retried)
    assert reasons.startswith("by status" if rule.reasons else "`other`")


@pytest.mark.parametrize("kind", LANDED, ids=lambda kind: kind.name)
def test_each_kind_has_its_row(kind: registry.Registered) -> None:
    found = rows(kind.name)
    assert found
    rule = vars(kind.load().notifier).get("retry")
    if isinstance(rule, RetryRule):
        for row in found:
            says(row, rule)


@pytest.mark.parametrize("kind", LANDED, ids=lambda kind: kind.name)
def test_the_row_has_the_modules_limits(kind: registry.Registered) -> None:
    cut = " ".join(row[2] for row in rows(kind.name)).replace(",", "")
    module = __import__(kind.module, fromlist=["KIND"])
    for name, value in vars(module).items():
        if name.startswith("MAX_") and name not in ELSEWHERE:
            assert re.search(rf"\b({value}|{value // 1024} KiB)\b", cut), f"{name} = {value}"


@pytest.mark.parametrize(("version", "key"), [("V1", "service_key"), ("V2", "routing_key")])
def test_pagerduty_has_a_rule_for_each_version(version: str, key: str) -> None:
    [row] = [row for row in rows("pagerduty") if row[0].startswith(f"pagerduty, {version}")]
    sender = make_sender(
        section("pagerduty", f"{{{key}: k}}"),
        contexts=TLSContexts(),
        renderer=TemplateRenderer(TemplateFiles()),
        clock=Clock(),
    )
    rule = vars(sender)["_notifier"]._retry
    assert isinstance(rule, RetryRule)
    says(row, rule)


def test_no_row_is_of_nothing() -> None:
    assert {row[0].partition(",")[0] for row in ROWS} <= set(registry.NAMES)
