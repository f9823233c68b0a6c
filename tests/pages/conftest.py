"""The pages in a real browser, on real nodes: one browser for all, one node for each module.

Skipped, with the reason, where there is no Chromium or no playwright.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import browser as browsers
from tests.support.node import Node
from tests.support.processes import Process
from tests.support.sink import WebhookSink
from tests.support.tocsin_node import TOCSIN
from tools import oncall

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's own Chromium."""
    reason = browsers.why_not()
    if reason:
        pytest.skip(reason)
    with browsers.started_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def sink() -> Iterator[WebhookSink]:
    with WebhookSink() as sink:
        yield sink


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, sink: WebhookSink) -> Iterator[Node]:
    """A lone node with a night on call."""
    node = lone_node(tmp_path_factory.mktemp("node"), sink)
    try:
        oncall.post(node.url)
        yield node
    finally:
        node.close()


def lone_node(folder: Path, sink: WebhookSink, **flags: str) -> Node:
    """A started node without a cluster."""
    config = oncall.CONFIG.replace("WEBHOOK", sink.url)
    told = {name.replace("_", "."): value for name, value in flags.items()}
    return Node(TOCSIN, "oncall", folder, config=config, flags=told).start()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page; whatever the browser complains of fails the test."""
    with browsers.looking(browser, viewport={"width": 1440, "height": 900}) as page:
        yield page


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    folder = os.environ.get("TOCSIN_AXE", ".peers/axe")
    found = Path(folder) / "axe.min.js"
    if not found.is_file():
        pytest.skip(f"no {found}: tools/pages/fetch-axe {folder} fetches it with npm")
    return found.read_text()


def pytest_runtest_setup() -> None:
    Process.prune()


def pytest_sessionfinish() -> None:
    for process in list(Process.known):
        process.kill()
