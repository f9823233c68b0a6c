"""Very many alerts: the worst are on the screen while the others are still on their way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.pages.conftest import lone_node
from tests.support.browser import hearing
from tests.support.eventually import eventually
from tests.support.node import Node
from tests.support.sink import WebhookSink
from tocsin.node.pages.shell import MANY
from tools import oncall

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

ALERT = "article.alert"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, sink: WebhookSink) -> Iterator[Node]:
    node = lone_node(tmp_path_factory.mktemp("many"), sink)
    try:
        oncall.post(node.url, alerts=MANY)
        yield node
    finally:
        node.close()


def test_the_worst_alerts_are_there_before_all_are_and_stay_where_they_are(page: Page, node: Node) -> None:
    late: list[Route] = []
    page.route("**/api/v2/alerts/groups", lambda route: late.append(route))
    page.goto(f"{node.url}/#/alerts")
    page.locator(ALERT).first.wait_for()
    eventually(lambda: page.locator(".sum").inner_text() != "", "there is a sum")
    sum_, tops = page.locator(".sum").inner_text(), page.locator(".group .title").all_inner_texts()
    counts = page.locator(".group .count").all_inner_texts()
    first = page.locator(ALERT).first.inner_text().splitlines()[0]
    assert page.locator(".group input").first.is_disabled()  # Not all of the group are there to be selected.
    page.locator(".facets").get_by_text("Counted once all alerts are there.").wait_for()
    page.locator(ALERT).nth(2).locator("input").check()
    assert late
    for route in late:
        route.continue_()
    page.locator(".facets button.value").first.wait_for()
    assert page.locator(".sum").inner_text() == sum_
    assert page.locator(".group .title").all_inner_texts()[: len(tops)] == tops
    assert page.locator(".group .count").all_inner_texts()[: len(counts)] == counts
    assert page.locator(ALERT).first.inner_text().splitlines()[0] == first
    assert page.locator(".group input").first.is_enabled()
    page.get_by_role("toolbar").get_by_text("1 selected").wait_for()
    assert page.locator(ALERT).nth(2).locator("input").is_checked()


def test_the_box_of_a_group_is_not_checked_while_some_of_its_alerts_are_not_there(
    page: Page, node: Node
) -> None:
    page.goto(node.url)
    found = page.evaluate(
        """async () => {
        const root = document.querySelector('[src$="main.js"]').src.replace('main.js', '');
        const { html, render } = await import(root + 'core/html.js');
        const { GroupHeader } = await import(root + 'parts/groupheader.js');
        return [5, undefined].map((total) => {
            const group = { labels: {}, receiver: '', alerts: [{ key: 'a', labels: {} }], total };
            const place = document.createElement('div');
            render(html`<${GroupHeader} group=${group} shared=${{}} selected=${new Set(['a'])} />`, place);
            const { checked, indeterminate } = place.querySelector('input');
            return { checked, indeterminate };
        });
    }"""
    )
    assert found == [{"checked": False, "indeterminate": True}, {"checked": True, "indeterminate": False}]


def test_who_asks_for_something_else_meanwhile_goes_on_typing_while_the_list_waits(
    page: Page, node: Node
) -> None:
    late: list[Route] = []
    page.route("**/api/v2/alerts/groups", lambda route: late.append(route))
    page.goto(f"{node.url}/#/alerts")
    page.locator(ALERT).first.wait_for()
    page.keyboard.press("/")
    page.keyboard.type("watchdog")
    assert page.evaluate("document.activeElement.id") == "search"
    assert page.evaluate("location.hash") == "#/alerts?q=watchdog"
    page.locator(".list").get_by_text("Asking the node…").wait_for()
    assert page.get_by_text("All quiet").count() == page.locator(".sum").count() == 0
    silenced = page.locator(".states button.silenced")
    silenced.click()
    page.locator(".states button.silenced[aria-pressed=true]").wait_for()
    assert silenced.evaluate("(button) => button === document.activeElement")
    page.get_by_label("Receiver").select_option(index=1)
    page.get_by_label("Receiver").select_option("")
    page.locator(".list").get_by_text("Asking the node…").wait_for()
    assert late
    for route in late:
        route.continue_()
    page.locator(".sum").get_by_text("2 alerts").wait_for()
    assert page.get_by_label("Filter by words").input_value() == "watchdog"


def test_a_node_that_is_long_about_the_worst_is_asked_for_all_meanwhile(page: Page, node: Node) -> None:
    held: list[Route] = []
    page.route("**/alerts/worst*", lambda route: held.append(route))
    page.clock.install(time=0)
    page.clock.pause_at(1_000)  # so that nothing is given up as late, however slow this machine is
    page.goto(f"{node.url}/#/alerts")
    eventually(hearing(page, lambda: held), "it is asked for the worst")
    with page.expect_request("**/api/v2/alerts/groups", timeout=20_000):
        page.clock.fast_forward(3_000)
    page.clock.resume()
    page.locator(".facets button.value").first.wait_for()
    held[0].continue_()


def test_who_asks_for_anything_else_waits_for_all(page: Page, node: Node) -> None:
    page.goto(f"{node.url}/#/alerts?filter=%7Balertname%3D%22Watchdog%22%7D")
    page.locator(".sum").get_by_text("2 alerts").wait_for()


def test_a_node_that_does_not_answer_for_the_worst_shows_all(page: Page, node: Node) -> None:
    page.route("**/alerts/worst*", lambda route: route.fulfill(status=200, body="{}"))
    page.goto(f"{node.url}/#/alerts")
    page.locator(".facets button.value").first.wait_for()
    assert page.locator(ALERT).count()
