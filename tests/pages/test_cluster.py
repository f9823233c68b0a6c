"""The cluster's page, beside a real Alertmanager; what is done on a page is seen on all nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import alertmanager
from tests.support.api import prometheus_alert
from tests.support.browser import barriers
from tests.support.cluster import Cluster
from tests.support.eventually import eventually
from tests.support.tocsin_node import TOCSIN

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two Tocsin nodes, and between them a real Alertmanager; without one here, a third Tocsin node."""
    kind = TOCSIN if alertmanager.why_not() else alertmanager.alertmanager("0.33")
    with Cluster(tmp_path_factory.mktemp("mixed")) as cluster:
        cluster.add(TOCSIN, "first", peer_name="a-first")
        cluster.add(kind, "theirs", peer_name="m-theirs")
        cluster.add(TOCSIN, "last", peer_name="z-last")
        cluster.wait_whole()
        yield cluster


def test_the_page_says_who_belongs_and_how_each_is_protected(page: Page, mixed: Cluster) -> None:
    first, theirs, _ = mixed.nodes
    page.goto(f"{first.url}/#/cluster")
    members = page.get_by_role("region", name="Members")
    members.wait_for()
    page.get_by_role("heading", name="3 members").wait_for()
    kind = "Tocsin" if theirs.kind is TOCSIN else "Alertmanager"
    row = members.get_by_role("row", name="m-theirs")
    assert "alive" in row.inner_text()
    assert kind in row.inner_text()
    eventually(lambda: "TLSv1.3" in row.inner_text(), "its connection is shown")
    connections = page.get_by_role("region", name="Connections")
    connections.get_by_role("row", name="m-theirs").first.locator("summary").click()
    connections.locator("details[open]", has_text="Cluster CA").wait_for()
    assert page.get_by_text("Who dials it").count() == 1
    told = re.compile(r"the same at (all|the 2 of 3) members|not known of the others yet")  # by who has told
    page.get_by_text(told).wait_for()
    picture = page.locator("svg.picture")
    eventually(lambda: "z-last: TLSv1.3" in (picture.get_attribute("aria-label") or ""), "it is pictured")
    assert "clear text" not in page.locator("main").inner_text()


def test_every_member_is_within_the_picture(page: Page, mixed: Cluster) -> None:
    page.goto(mixed.nodes[0].url)
    outside = page.evaluate(
        """async (counts) => {
        const root = document.querySelector('[src$="main.js"]').src.replace('main.js', '');
        const { html, render } = await import(root + 'core/html.js');
        const { Picture } = await import(root + 'parts/picture.js');
        return counts.filter((count) => {
            const member = (_, i) => ({ name: `node-${i}`, itself: !i, roundTrip: 0.001 });
            const members = Array.from({ length: count + 1 }, member);
            const place = document.createElement('div');
            render(html`<${Picture} members=${members} connections=${[]} cluster=${{}} />`, place);
            const box = place.querySelector('svg').getAttribute('viewBox').split(' ');
            const [left, top, width, height] = box.map(Number);
            return [...place.querySelectorAll('circle')].some((one) => {
                const [x, y, r] = ['cx', 'cy', 'r'].map((name) => Number(one.getAttribute(name)));
                return x - r < left || x + r > left + width || y - r < top || y + r > top + height;
            });
        });
    }""",
        [1, 2, 3, 4, 7, 24],
    )
    assert outside == []


def test_a_cluster_of_one_waits_for_nobodys_configuration(page: Page, tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster:
        cluster.add(TOCSIN, "only")
        page.goto(f"{cluster.nodes[0].url}/#/cluster")
        page.get_by_text("this node's; there are no others").wait_for()
        page.goto("about:blank")  # before the node ends


def test_the_page_of_a_cluster_has_no_barriers(page: Page, mixed: Cluster, axe: str) -> None:
    page.goto(f"{mixed.nodes[0].url}/#/cluster")
    page.get_by_role("region", name="Connections").locator("summary").first.click()
    found = barriers(page, axe)
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert not [*found, *barriers(page, axe)]


def test_a_silence_made_here_is_seen_on_every_node_and_ended_here_too(page: Page, mixed: Cluster) -> None:
    first, theirs, last = mixed.nodes
    for node in mixed.nodes:
        node.api.post_alerts(prometheus_alert("Everywhere"))
    filled = "filter=%7Balertname%3D%22Everywhere%22%7D&creator=ana&comment=Seen+by+all"
    page.goto(f"{first.url}/#/silences/new?{filled}")
    page.get_by_role("heading", name="Mutes 1 of").wait_for()
    page.get_by_role("button", name="Silence", exact=True).click()
    page.get_by_role("heading", name="Silence active").wait_for()
    identifier = page.evaluate("location.hash").rpartition("/")[2]
    for node in (theirs, last):
        eventually(lambda node=node: node.api.silence(identifier), f"the silence is on {node!r}")  # type: ignore[misc]
        eventually(
            lambda node=node: any(a["status"]["silencedBy"] == [identifier] for a in node.api.alerts()),  # type: ignore[misc]
            f"the alert is silenced on {node!r}",
        )
    theirs.api.expire_silence(identifier)  # and back: the page is told of it
    page.get_by_role("heading", name="Silence expired").wait_for()
