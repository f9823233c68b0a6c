"""How the pages do with thousands of alerts, in a real browser; and what that costs the node."""

from __future__ import annotations

import threading
import time
from typing import Any

from benchmarks.bench import Bench, BenchNode
from benchmarks.row import Figure, Row, Samples, Target, largest, p99
from tests.support.browser import started_browser, why_not
from tests.support.node import NodeKind
from tools import oncall

ALERTS = 10_000
PRESSES = 40
PAUSE = 0.01
"""Seconds between two questions to the node."""

PAINTED = """() => new Promise((done) => {
    const look = () => document.querySelector('article.alert')
        ? requestAnimationFrame(() => setTimeout(() => done(performance.now()))) : setTimeout(look, 5);
    look();
})"""
"""Milliseconds from the navigation until alerts are on the screen."""

TIMED = """(act) => new Promise((done) => {
    const begun = performance.now();
    (0, {
        key: () => document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'j', bubbles: true })),
        facet: () => document.querySelector('.facets button.value').click(),
        refresh: () => document.querySelector('button.live').click(),
    }[act])();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun)));
})"""
"""Milliseconds from something that a person does until the next picture is there."""


def _looked_at(bench: Bench, kind: NodeKind) -> Samples:
    if kind.version is not None:
        return {}  # Alertmanager's page is another program, and draws all alerts at once.
    if reason := why_not():
        raise RuntimeError(reason)
    samples: Samples = {"paint": [], "key": [], "facet": [], "held": []}
    with bench.alone(kind) as node, started_browser() as browser:
        oncall.post(node.url, alerts=ALERTS)
        for _ in range(bench.size(5, 2)):
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            page = context.new_page()
            with _Asking(node) as asking:
                page.goto(f"{node.url}/#/alerts", wait_until="commit")
                samples["paint"].append(page.evaluate(PAINTED))
                page.wait_for_timeout(500)
            samples["held"].append(1e3 * asking.slowest)
            _press(page, samples)
            context.close()
    return samples


def _press(page: Any, samples: Samples) -> None:
    for _ in range(PRESSES):
        samples["key"].append(page.evaluate(TIMED, "key"))
    for _ in range(4):  # Narrow to one value of the first label, and back.
        samples["facet"].append(page.evaluate(TIMED, "facet"))


class _Asking:
    """Asks the node for its health all the time: what anybody else notices of the page."""

    def __init__(self, node: BenchNode) -> None:
        self._node = node
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.slowest = 0.0

    def __enter__(self) -> _Asking:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _ask(self) -> None:
        with self._node.connect() as connection:
            while not self._stop.wait(PAUSE):
                began = time.perf_counter()
                connection.get("/-/healthy")
                self.slowest = max(self.slowest, time.perf_counter() - began)


ROWS = (
    Row(
        "pages",
        f"A browser opens the alerts page of a node with {ALERTS:,} alerts and more, in a new profile;"
        " the keyboard goes down the list, and a label's value is picked and dropped. While the page loads"
        " another client asks the node for its health every 10 ms. All share the machine.",
        (
            Figure("paint", "page of 10,000 alerts: first alerts on the screen", "ms", Target(limit=1500)),
            Figure("key", "the same: a key until the next picture, p99", "ms", Target(limit=100), p99),
            Figure(
                "facet", "the same: a label's value picked until the next picture", "ms", Target(limit=200)
            ),
            Figure("held", "the same: longest wait of another client", "ms", Target(limit=100), largest),
        ),
        _looked_at,
    ),
)
