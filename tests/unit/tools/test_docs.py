"""The documentation: its programs run, its links lead somewhere, and what it maps exists."""

from __future__ import annotations

import asyncio
import re
from dataclasses import fields
from pathlib import Path

import pytest

from tests.unit.test_architecture import tracked_files
from tocsin import gossip
from tocsin.gossip import GossipConfig
from tocsin.gossip.core.endpoint import Endpoint

ROOT = Path(__file__).parents[3]
LIBRARY = ROOT / "docs/library"
PROGRAM = re.compile(
    r"```python\n((?:import asyncio|from tocsin\.gossip\.testing).*?)```(?:\n\n```text\n(.*?)```)?", re.S
)
LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\((?!https?:|mailto:)([^)\s]*)\)")


def programs() -> list[tuple[str, str]]:
    return PROGRAM.findall((LIBRARY / "tutorial.md").read_text())


@pytest.mark.parametrize("number", range(4))
def test_the_programs_of_the_tutorial_print_what_it_says(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    found = programs()
    assert len(found) == 4
    program, output = found[number]
    exec(compile(program, f"tutorial {number}", "exec"), {"asyncio": asyncio})
    printed = capsys.readouterr().out
    if output:
        assert printed == output
    else:
        assert printed.splitlines()[0] == "joined: bob"
        assert printed.splitlines()[-1] == "left: bob"
        assert {"heard: message 1", "heard: message 2"} <= set(printed.splitlines())


def test_links_lead_to_files_and_headings() -> None:
    wrong = []
    for page in tracked_files():
        if page.suffix != ".md":
            continue
        for target in LINK.findall(re.sub(r"```.*?```", "", page.read_text(), flags=re.S)):
            path, _, heading = target.partition("#")
            to = (page.parent / path).resolve() if path else page
            if not to.exists() or (heading and to.suffix == ".md" and heading not in headings(to)):
                wrong.append(f"{page.relative_to(ROOT)}: {target}")
    assert not wrong, "\n".join(wrong)


def test_every_page_of_the_documentation_is_in_its_index() -> None:
    index = (ROOT / "docs/index.md").read_text().splitlines()
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"}
    assert not {page for page in pages if page not in index}, "add them to a toctree in docs/index.md"


def headings(page: Path) -> set[str]:
    """As GitHub makes anchors of them."""
    found = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-") for text in found}


def test_every_setting_that_comes_from_memberlist_is_one() -> None:
    text = (LIBRARY / "coming-from-memberlist.md").read_text()
    ours = [row.split("|")[2] for row in text.splitlines() if row.startswith("| `")]
    known = {field.name for field in fields(GossipConfig)}
    for cell in ours:
        if cell.strip().startswith("`GossipConfig."):
            assert set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", cell)) <= known, cell
    for name in ("members", "local", "join", "leave", "close", "update_meta", "send_best_effort"):
        assert hasattr(gossip.Gossip, name)
    assert hasattr(Endpoint, "health_score")
    assert hasattr(Endpoint, "queued_user_broadcasts")


def test_the_reference_has_every_public_class() -> None:
    text = (LIBRARY / "reference.md").read_text()
    documented = set(re.findall(r"auto(?:class|function):: (\w+)$", text, re.M))
    aliases = {"Action", "Answer", "Event", "Message", "Pieces", "Request", "Steps", "Wanted"}
    small = {"ClientAuthType", "DriverStatistics", "ExchangeKind", "MemberState"}
    counts = {"StateRequest", "Statistics", "TransportStatistics"}
    assert set(gossip.__all__) - documented == aliases | small | counts
