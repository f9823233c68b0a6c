"""No page has a barrier that axe-core finds, in light and dark, on a desk and on a phone.

axe-core is fetched from the npm registry by `tools/pages/fetch-axe`, once; where that cannot be, this is
skipped.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import looking
from tests.support.node import Node

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGES = (
    "alerts?silenced=true&inhibited=true&muted=true",
    "silences",
    "silences/new?filter=%7Bseverity%3D~%22.%2B%22%7D&duration=52w",
    "routes?labels=alertname%3D%22X%22",
    "receivers",
    "history",
    "alerts/FINGERPRINT",
    "cluster",
    "status",
    "settings",
)


@pytest.fixture(scope="module")
def axe() -> str:
    """Its source."""
    folder = os.environ.get("TOCSIN_AXE", ".peers/axe")
    found = Path(folder) / "axe.min.js"
    if not found.is_file():
        pytest.skip(f"no {found}: tools/pages/fetch-axe {folder} fetches it with npm")
    return found.read_text()


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1440, "light"),
        (390, "dark"),
        pytest.param(1440, "dark", marks=pytest.mark.slow),
        pytest.param(390, "light", marks=pytest.mark.slow),
    ],
)
def test_there_are_no_barriers(browser: Browser, node: Node, axe: str, width: int, scheme: str) -> None:
    found: list[str] = []
    fingerprint = node.api.alerts()[0]["fingerprint"]
    # axe is put in by the debugger's protocol, which the page's policy does not concern.
    with looking(
        browser, viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    ) as page:
        for path in PAGES:
            path = path.replace("FINGERPRINT", fingerprint)
            page.goto(f"{node.url}/#/{path}")
            page.locator("main .page h1, main .windowed [role=listitem]").first.wait_for()
            if path.startswith("alerts?"):
                page.locator("article.alert [aria-label^=Details]").first.click()
                page.locator("article.alert input").first.check()
            page.evaluate(axe)
            result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            found += [
                f"{path}: {violation['id']}: {one['html'][:160]} {one['failureSummary'][:200]}"
                for violation in result["violations"]
                for one in violation["nodes"][:3]
            ]
    assert not found, "\n".join(found)
