"""The alerts page, as somebody on call uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.api import prometheus_alert
from tests.support.eventually import eventually
from tests.support.node import Node

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

GROUP = ".group"
ALERT = "article.alert"
REFRESH = """import(document.querySelector('[src$="main.js"]').src.replace('main.js', 'core/live.js'))
    .then((live) => live.refresh())"""
CURSOR = "((e) => [e.id, e.selectionStart, e.selectionEnd])(document.activeElement)"


def titles(page: Page) -> list[str]:
    return page.locator(f"{GROUP} .title").all_inner_texts()


def test_what_fires_is_shown_in_the_groups_in_which_it_is_notified(page: Page, node: Node) -> None:
    page.goto(node.url)
    page.locator(ALERT).first.wait_for()
    assert titles(page)[:2] == ["CheckoutErrorBudgetBurn", "PostgresReplicationLag"]
    groups = [group for group in node.api.http.get("/api/v2/alerts/groups").json() if group["alerts"]]
    shown = [g for g in groups if any(a["status"]["state"] == "active" for a in g["alerts"])]
    assert f"in {len(shown)} groups" in page.locator(".sum").inner_text()
    for state, name in (("silenced", "ClockSkew"), ("inhibited", "HostHighLoad")):
        assert page.get_by_role("button", name=state).get_attribute("aria-pressed") == "false"
        page.get_by_role("button", name=state).click()
        page.get_by_role("button", name="active").click()
        page.locator(GROUP, has_text=name).first.wait_for()
        page.locator(GROUP, has_text="CheckoutErrorBudgetBurn").wait_for(state="detached")
        page.get_by_role("button", name="active").click()
        page.get_by_role("button", name=state).click()


def test_facets_words_and_matchers_narrow_what_is_shown_and_stand_in_the_address(
    page: Page, node: Node
) -> None:
    page.goto(f"{node.url}/#/alerts")
    page.locator(".facets button.value", has_text="payments").click()
    assert "filter=%7Bteam%3D%22payments%22%7D" in page.evaluate("location.hash")
    eventually(
        lambda: set(titles(page)) == {"CheckoutErrorBudgetBurn", "PaymentProviderTimeouts"},
        "only those of payments are shown",
    )
    page.locator("#search").fill("northbank")
    page.locator(GROUP).nth(1).wait_for(state="detached")
    assert titles(page) == ["PaymentProviderTimeouts"]
    page.reload()  # all of it is in the address
    page.locator(ALERT).first.wait_for()
    assert titles(page) == ["PaymentProviderTimeouts"]
    assert page.locator("#search").input_value() == "northbank"
    page.locator("#search").fill("")
    page.get_by_role("button", name='Remove team="payments"').click()
    page.locator("#search").fill("alertname=High")
    page.get_by_role("option", name='alertname="HighRequestLatency"').wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator(GROUP).nth(2).wait_for(state="detached")
    assert set(titles(page)) == {"HighRequestLatency"}
    page.locator("#search").fill('severity=~"("')
    page.keyboard.press("Enter")
    assert "parentheses" in page.locator(".search .problem").inner_text()


def test_completions_stay_open_when_the_field_is_left_and_typed_into_again(page: Page, node: Node) -> None:
    page.goto(f"{node.url}/#/alerts")
    page.locator(ALERT).first.wait_for()
    page.locator("#search").fill("alertname=High")
    offer = page.get_by_role("option", name='alertname="HighRequestLatency"')
    offer.wait_for()
    page.evaluate("document.activeElement.blur()")
    offer.wait_for(state="detached")
    page.evaluate("""() => {
        const field = document.getElementById("search");
        field.focus();
        field.blur();
        field.focus();
        field.dispatchEvent(new Event("input", { bubbles: true }));
        return new Promise((later) => setTimeout(later, 300)); // after any timer that leaving has set
    }""")
    assert offer.is_visible()
    offer.click()
    page.locator(GROUP).nth(2).wait_for(state="detached")
    assert set(titles(page)) == {"HighRequestLatency"}


def test_alerts_are_grouped_by_any_labels(page: Page, node: Node) -> None:
    page.goto(f"{node.url}/#/alerts?group=severity&customGrouping=true")
    page.locator(ALERT).first.wait_for()
    assert len(page.locator(f"{GROUP} .chip.critical").all()) == 2  # critical and page
    page.get_by_role("button", name="Do not group by severity").click()
    page.get_by_label("Group by a label").fill("team")
    page.keyboard.press("Enter")
    page.locator(f"{GROUP} .chip", has_text="team=payments").wait_for()


def test_a_refresh_disturbs_neither_selection_nor_focus_nor_what_is_typed(page: Page, node: Node) -> None:
    page.goto(f"{node.url}/#/alerts?filter=%7Balertname%3D%22HighRequestLatency%22%7D")
    boxes = page.locator(f"{ALERT} input[type=checkbox]")
    boxes.nth(1).check()
    page.locator(f"{ALERT} [aria-label^=Details]").nth(2).click()
    page.locator("#search").fill("half a wor")
    page.locator("#search").fill("p99")
    page.evaluate("document.querySelector('#search').setSelectionRange(1, 2)")
    chosen = boxes.nth(1).get_attribute("aria-label")
    opened = page.locator(".details").inner_text()
    node.api.post_alerts(
        prometheus_alert("HighRequestLatency", cluster="aa", service="p99", severity="critical")
    )
    page.evaluate(REFRESH)
    page.locator(GROUP, has_text="cluster=aa").wait_for()
    assert page.evaluate(CURSOR) == ["search", 1, 2]
    checked = page.locator(f"{ALERT} input:checked")
    assert [box.get_attribute("aria-label") for box in checked.all()] == [chosen]
    assert page.locator(".details").inner_text() == opened


def test_what_is_selected_is_silenced_in_one_go(page: Page, node: Node) -> None:
    page.goto(f"{node.url}/#/alerts?filter=%7Balertname%3D%22KubePodCrashLooping%22%7D")
    search = page.locator(ALERT, has_text="namespace=search").locator("input[type=checkbox]")
    search.nth(0).check()
    search.nth(1).check()
    page.get_by_role("toolbar").get_by_role("button", name="Silence").click()
    page.get_by_role("heading", name="Mutes 2 of").wait_for()
    page.get_by_label("Creator").fill("ana")
    page.get_by_label("Comment").fill("The indexer is rolled back")
    page.get_by_role("button", name="Silence", exact=True).click()
    page.get_by_role("heading", name="Silence active").wait_for()
    made = next(s for s in node.api.silences() if s["createdBy"] == "ana" and "indexer" in s["comment"])
    assert {"name": "namespace", "value": "search", "isRegex": False, "isEqual": True} in made["matchers"]
    pods = next(m for m in made["matchers"] if m["name"] == "pod")
    assert pods["isRegex"]
    assert sorted(pods["value"].split("|")) == ["indexer-6c9f7d-p9dqw", "indexer-6c9f7d-x2v8k"]
    eventually(
        lambda: sum(made["id"] in a["status"]["silencedBy"] for a in node.api.alerts()) == 2,
        "both are muted",
    )


def test_the_keyboard_is_enough(page: Page, node: Node) -> None:
    page.goto(f"{node.url}/#/alerts?filter=%7Balertname%3D%22BackupLate%22%7D")
    page.locator(ALERT).first.wait_for()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("e")
    assert page.locator(f"{ALERT}.selected.current").count() == 1
    assert page.locator(".details").count() == 1
    page.keyboard.press("?")
    assert "Silence what is selected" in page.get_by_role("dialog").inner_text()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    page.get_by_role("heading", name="New silence").wait_for()


def test_an_alert_that_ends_while_it_is_selected_stays_in_sight(page: Page, node: Node) -> None:
    ending = prometheus_alert("EndsSoon")
    node.api.post_alerts(ending)
    page.goto(f"{node.url}/#/alerts?filter=%7Balertname%3D%22EndsSoon%22%7D")
    page.locator(f"{ALERT} input[type=checkbox]").check()
    node.api.post_alerts({**ending, "endsAt": ending["startsAt"]})
    eventually(lambda: not any(a["labels"]["alertname"] == "EndsSoon" for a in node.api.alerts()), "it ended")
    page.get_by_role("button", name="Look again now").click()
    page.locator(f"{ALERT}.resolved").wait_for()
    assert page.locator(f"{ALERT} input:checked").count() == 1


def test_the_page_of_an_alert_says_why_it_was_told_and_why_not(page: Page, node: Node) -> None:
    def fingerprint(name: str) -> str:
        alerts = [a for a in node.api.alerts() if a["labels"]["alertname"] == name]
        return str(alerts[0]["fingerprint"])

    page.goto(f"{node.url}/#/alerts/{fingerprint('PaymentProviderTimeouts')}")
    page.locator(".timeline .badge.good", has_text="sent").first.wait_for()
    assert "payments-page" in page.locator(".timeline").inner_text()
    routes = page.locator(".routes-taken").inner_text()
    assert "not taken" in routes
    page.goto(f"{node.url}/#/alerts/{fingerprint('NightlyReportFailed')}")
    page.locator(".verdict").wait_for()
    page.get_by_role("heading", name="NightlyReportFailed").wait_for()
    assert "batch-mail" in page.locator(".panel").first.inner_text()


def test_an_alert_that_is_not_known_is_said_to_be_so(browser: Browser, node: Node) -> None:
    context = browser.new_context()  # the node answers 404, which the browser complains of
    page = context.new_page()
    page.goto(f"{node.url}/#/alerts/0000000000000001")
    page.get_by_text("No such alert fires now.").wait_for()
    context.close()
