"""Routes, receivers and acknowledgements."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.pages.test_quick import REFRESH
from tests.support.api import prometheus_alert
from tests.support.browser import hearing
from tests.support.eventually import eventually
from tests.support.node import Node
from tests.support.sink import WebhookSink

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route


def test_the_tree_shows_what_is_inherited_and_what_is_in_each_route(page: Page, node: Node) -> None:
    page.goto(f"{node.url}/#/routes")
    routes = page.locator(".route")
    routes.nth(5).wait_for()
    database = page.locator(".route", has_text="database-page")
    assert "continue" in database.inner_text()
    assert database.locator(".own").all_inner_texts()[1:] == ["by alertname, cluster, instance", "wait 10s"]
    assert "repeat 4h" in database.locator(".facts .quiet").all_inner_texts()
    database.get_by_text("2 alerts in 2 groups").wait_for()
    page.locator(".week").nth(1).wait_for()  # another answer than the routes'
    assert page.locator(".week").count() == 2
    weekend = page.locator(".week", has_text="weekends")
    assert weekend.get_by_role("img", name="Sat: 00:00 to 24:00").count() == 1
    assert weekend.get_by_role("img", name="Fri: not at all").count() == 1


def test_the_way_of_an_alert_is_lit(page: Page, node: Node) -> None:
    page.goto(f"{node.url}/#/routes")
    page.get_by_label("Labels of an alert").fill('alertname="Try", team="batch"')
    page.get_by_label("At which time").fill("2026-03-02 03:00")
    page.get_by_role("button", name="Where does it go?").click()
    page.locator(".outcome").wait_for()
    outcome = page.locator(".outcome").inner_text()
    assert "batch-mail" in outcome
    assert "is not told: time interval" in outcome
    page.locator(".route.taken").wait_for()
    assert page.locator(".route.taken").count() == 1
    looked = page.locator(".route", has_text="payments-page").inner_text()
    assert "there is no label severity" in looked
    page.get_by_label("Labels of an alert").fill('severity=~"x"')
    page.get_by_role("button", name="Where does it go?").click()
    page.get_by_text("An alert has labels, not matchers").wait_for()


def test_a_receiver_is_tested_and_says_how_it_went(page: Page, node: Node, sink: WebhookSink) -> None:
    page.goto(f"{node.url}/#/receivers")
    page.get_by_role("button", name="Send a test to batch-mail").click()
    page.get_by_role("dialog").get_by_role("button", name="Send", exact=True).click()
    page.locator(".banner.good").wait_for()
    assert "batch-mail/webhook[0] took it" in page.locator(".banner.good").inner_text()
    sink.wait_for("TocsinTest")


def test_an_acknowledged_group_is_quiet_until_it_has_ended(page: Page, node: Node) -> None:
    node.api.post_alerts(prometheus_alert("OnIt", cluster="c"))
    page.goto(f"{node.url}/#/alerts?filter=%7Balertname%3D%22OnIt%22%7D")
    page.get_by_role("button", name="Ack: OnIt").click()
    page.get_by_role("dialog").get_by_label("Who").fill("ana")
    page.get_by_role("dialog").get_by_label("Comment").fill("looking")
    page.get_by_role("dialog").get_by_role("button", name="Acknowledge").click()
    made = eventually(
        lambda: next((s for s in node.api.silences() if s["comment"] == "looking"), None),
        "there is a silence",
    )
    assert made is not None
    assert made["annotations"] == {"tocsin/expire-when-resolved": "true"}
    page.locator("article.alert").wait_for(state="detached")
    page.goto(f"{node.url}/#/silences?q=looking")
    page.locator("article.silence .badge", has_text="ack").wait_for()


def test_what_changes_on_the_node_shows_without_being_asked_for(page: Page, node: Node) -> None:
    page.goto(f"{node.url}/#/settings")
    page.get_by_label("1 m", exact=True).check()  # so that it is not the clock that looks
    page.goto(f"{node.url}/#/alerts?filter=%7Balertname%3D%22JustNow%22%7D")
    page.get_by_text("No alert is like that.").wait_for()
    node.api.post_alerts(prometheus_alert("JustNow"))
    page.locator("article.alert").wait_for()


def test_the_history_says_what_was_told_and_what_was_not(page: Page, node: Node) -> None:
    page.goto(f"{node.url}/#/history?filter=%7Balertname%3D%22PaymentProviderTimeouts%22%7D")
    page.locator(".timeline li").first.wait_for()
    told = page.locator(".timeline li").first.inner_text()
    assert "payments-page" in told
    page.goto(f"{node.url}/#/history")
    page.get_by_role("button", name="sent", exact=True).click()
    page.locator(".timeline .badge.good").first.wait_for()
    assert set(page.locator(".timeline .badge.good").all_inner_texts()) == {"sent"}
    page.get_by_role("button", name="given up").click()
    page.get_by_text("Nothing of that kind is remembered.").wait_for()


def flushed(minute: int, outcome: str = "sent") -> dict[str, object]:
    """A notification as the history tells it."""
    told = {"integration": "webhook[0]", "why": "", "notifiedBy": "", "attempts": [], "error": ""}
    return {
        "record": 0 if outcome == "under way" else minute,
        "at": f"2026-11-30T0{minute // 60}:{minute % 60:02}:00.000Z",
        "receiver": "night",
        "groupKey": "{}:{}",
        "groupLabels": {"alertname": f"Flush{minute}"},
        "alerts": 1,
        "node": "",
        "error": "",
        "muted": [],
        "deliveries": [{"outcome": outcome, **told}],
    }


def test_the_history_goes_on_by_itself_and_leaves_what_is_read_where_it_is(page: Page, node: Node) -> None:
    newest = [flushed(minute) for minute in range(59, 9, -1)]
    further = [flushed(minute) for minute in range(9, -1, -1)]

    def answer(route: Route) -> None:
        items, after = (further, "") if "after=" in route.request.url else (newest, "further")
        body = json.dumps({"items": items, "next": after, "total": -1})
        route.fulfill(status=200, content_type="application/json", body=body)

    page.route("**/history/notifications?*", answer)
    page.goto(f"{node.url}/#/history")
    page.get_by_role("button", name="Further back").click()
    rows = page.locator(".timeline li")
    rows.nth(59).wait_for()
    row = page.locator(".timeline li", has_text="Flush40")
    row.locator("a").focus()
    row.evaluate("(row) => getSelection().selectAllChildren(row.querySelector('b'))")
    before = row.bounding_box()
    newest[:] = [flushed(62, "under way"), flushed(61), flushed(60), *newest[:-3]]
    page.evaluate(REFRESH)
    page.locator(".timeline li", has_text="Flush62").locator(".badge.warn").wait_for()
    assert rows.count() == 63
    after = row.bounding_box()
    assert before
    assert after
    assert abs(before["y"] - after["y"]) < 2
    assert page.evaluate("getSelection().toString()") == "night"
    assert row.locator("a").evaluate("(link) => link === document.activeElement")
    newest[0] = flushed(62)
    page.evaluate(REFRESH)
    page.locator(".timeline li", has_text="Flush62").locator(".badge.good").wait_for()
    assert rows.count() == 63


def test_the_history_of_what_is_rare_goes_on_where_nothing_is_missing(page: Page, node: Node) -> None:
    pages: dict[str, tuple[list[dict[str, object]], str]] = {"": ([flushed(9)], "5")}  # by where they begin
    asked: list[str] = []

    def answer(route: Route) -> None:
        after = route.request.url.partition("&after=")[2]
        asked.append(after)
        items, further = pages[after]
        body = json.dumps({"items": items, "next": further, "total": -1})
        route.fulfill(status=200, content_type="application/json", body=body)

    def look(*answers: tuple[str, list[dict[str, object]], str]) -> None:
        pages.update({after: (items, further) for after, items, further in answers})
        asked.clear()
        page.evaluate(REFRESH)
        eventually(hearing(page, lambda: {after for after, _, _ in answers} <= {*asked}), "it is looked at")

    page.add_init_script("localStorage.setItem('tocsin-settings', JSON.stringify({ refresh: 0 }))")
    page.route("**/history/notifications?*", answer)
    page.goto(f"{node.url}/#/history?outcome=sent")
    page.locator(".timeline li", has_text="Flush9").wait_for()
    rows = [f'{{alertname="Flush{minute}"}}' for minute in (30, 20, 9)]
    much = page.get_by_text("much is new")
    look(("", [flushed(20)], "10"))  # as far back as what is shown
    page.locator(".timeline li", has_text="Flush20").wait_for()
    look(("", [flushed(30)], "24"), ("24", [flushed(20), flushed(9)], "4"))
    page.locator(".timeline li", has_text="Flush30").wait_for()
    assert page.locator(".timeline code").all_inner_texts() == rows
    assert much.count() == 0
    look(("", [flushed(50)], "45"), ("45", [], "40"))  # There may be others between this one and those.
    much.wait_for()
    assert page.locator(".timeline code").all_inner_texts() == rows
