"""No page has a barrier that axe-core finds, in light and dark, on a desk and on a phone.

axe-core is fetched from the npm registry by `tools/pages/fetch-axe`, once; where that cannot be, this is
skipped. The cluster's page is judged where there is a cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.browser import barriers, looking
from tests.support.node import Node

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGES = (  # and what is there once the page itself is drawn, and not the one before it
    ("alerts?silenced=true&inhibited=true&muted=true", "article.alert"),
    ("silences", "article.silence"),
    ("silences/new?filter=%7Bseverity%3D~%22.%2B%22%7D&duration=52w", ".banner.warn"),
    ("routes?labels=alertname%3D%22X%22", ".outcome"),
    ("receivers", ".receiver"),
    ("history", ".timeline li"),
    ("alerts/FINGERPRINT", ".verdict"),
    ("cluster", "[aria-label=Members]"),
    ("status", "pre.config"),
    ("settings", "input[type=radio]"),
)


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
    with looking(
        browser, viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    ) as page:
        for path, drawn in PAGES:
            page.goto(f"{node.url}/#/{path.replace('FINGERPRINT', fingerprint)}")
            page.locator(f"main {drawn}").first.wait_for()
            if path.startswith("alerts?"):
                page.locator("article.alert [aria-label^=Details]").first.click()
                page.locator("article.alert input").first.check()
            found += [f"{path}: {barrier}" for barrier in barriers(page, axe)]
    assert not found, "\n".join(found)
