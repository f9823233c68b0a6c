"""What a person does meanwhile: keys pressed at once, late answers, a list that changes under the pointer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.api import matcher, prometheus_alert
from tests.support.browser import hearing
from tests.support.eventually import eventually
from tests.support.node import Node

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

ALERT = "article.alert"
LIVE = "import(document.querySelector('[src$=\"main.js\"]').src.replace('main.js', 'core/live.js'))"
REFRESH = f"{LIVE}.then((live) => live.refresh())"
PRESS = """const press = (key, to = document.activeElement, more = {}) =>
    to.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more }));"""
DRAWN = "await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));"
BY_HAND = "localStorage.setItem('tocsin-settings', JSON.stringify({ refresh: 0, creator: 'ana' }))"


def test_a_row_that_gets_another_place_keeps_the_focus_and_the_selected_text(page: Page, node: Node) -> None:
    def of(name: str, count: int) -> list[dict[str, object]]:
        return [prometheus_alert(name, cluster="m", severity="warning", pod=f"p{n}") for n in range(count)]

    node.api.post_alerts(*of("MovesA", 1), *of("MovesB", 2))
    for name in ("MovesA", "MovesB"):  # whichever of both is moved
        page.goto(f"{node.url}/#/alerts?filter=%7Balertname%3D~%22Moves.%22%7D")
        page.locator(".group").nth(1).wait_for()
        box = page.locator(f"[data-row*={name}] {ALERT}").first.locator("input")
        box.focus()
        page.evaluate(
            """(name) => {
                const text = document.querySelector(`[data-row*=${name}] .title`).firstChild;
                getSelection().setBaseAndExtent(text, 0, text, 2);
            }""",
            name,
        )
        focused = box.get_attribute("aria-label")
        before = page.locator(".group .title").all_inner_texts()
        node.api.post_alerts(*of(before[1], 4 if name == "MovesA" else 6))
        page.evaluate(REFRESH)
        eventually(
            lambda before=before: page.locator(".group .title").all_inner_texts() == before[::-1],  # type: ignore[misc]
            "the groups have changed places",
        )
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == focused
        assert page.evaluate("getSelection().toString()") == "Mo"


def test_what_is_pointed_at_stays_under_the_pointer(page: Page, node: Node) -> None:
    page.goto(f"{node.url}/#/alerts")
    ack = page.get_by_role("button", name="Ack: DiskWillFillIn4Hours")
    ack.hover()
    before = ack.bounding_box()
    count = page.locator(".sum").inner_text()
    node.api.post_alerts(prometheus_alert("WorstOfAll", severity="page", cluster="z"))
    page.evaluate(REFRESH)
    eventually(lambda: page.locator(".sum").inner_text() != count, "there is a group more, above it")
    after = ack.bounding_box()
    assert before
    assert after
    assert abs(before["y"] - after["y"]) < 1


def test_keys_that_follow_one_another_at_once_do_what_each_means(page: Page, node: Node) -> None:
    page.goto(f"{node.url}/#/alerts?filter=%7Balertname%3D%22BackupLate%22%7D")
    page.locator(ALERT).first.wait_for()
    found = page.evaluate(
        f"async () => {{ {PRESS} press('j'); press('/'); {DRAWN} {DRAWN} return document.activeElement.id; }}"
    )
    assert found == "search"
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    found = page.evaluate(
        f"async () => {{ {PRESS} press('a'); await null; press('s'); await null; return location.hash; }}"
    )
    assert found.startswith("#/alerts")
    dialog = page.get_by_role("dialog")
    assert "BackupLate" in dialog.inner_text()  # which one is acknowledged
    who = dialog.get_by_label("Who")
    assert who.evaluate("(field) => field === document.activeElement")
    page.keyboard.type("ana")
    spot = who.bounding_box()
    assert spot
    page.mouse.move(spot["x"] + 20, spot["y"] + 10)
    page.mouse.down()
    page.mouse.move(5, 5)  # a selection that ends beside the dialog
    page.mouse.up()
    assert dialog.is_visible()
    page.mouse.click(5, 5)
    dialog.wait_for(state="detached")


def test_a_folded_group_can_be_selected(page: Page, node: Node) -> None:
    page.goto(f"{node.url}/#/alerts?filter=%7Balertname%3D%22CertificateExpiresSoon%22%7D")
    page.get_by_role("button", name="Alerts of CertificateExpiresSoon").click()
    page.locator(ALERT).first.wait_for(state="detached")
    page.get_by_label("Select all of CertificateExpiresSoon").check()
    page.get_by_role("toolbar").get_by_text("2 selected").wait_for()


def test_a_silence_takes_what_is_typed_and_is_judged_by_the_node_also_when_somebody_is_quick(
    page: Page, node: Node
) -> None:
    page.goto(f"{node.url}/#/silences/new?filter=%7Balertname%3D%22Quick%22%7D&creator=ana&comment=quick")
    page.get_by_label("Add matchers").fill('instance="q1"')
    page.keyboard.press("Control+Enter")
    page.get_by_role("heading", name="Silence active").wait_for()
    made = next(silence for silence in node.api.silences() if silence["comment"] == "quick")
    assert {each["name"] for each in made["matchers"]} == {"alertname", "instance"}
    # A pattern that this browser cannot read, and that takes all there is.
    link = "filter=%7Balertname%3D~%22%5B%5B%3Aalpha%3A%5D%5D.%2B%22%7D&creator=ana&comment=all+of+it"
    page.goto(f"{node.url}/#/silences/new?{link}")
    page.get_by_label("Comment").wait_for()
    page.evaluate(
        f"() => {{ {PRESS} press('Enter', document.querySelector('textarea'), {{ ctrlKey: true }}); }}"
    )
    page.get_by_text("Please confirm.").wait_for()
    page.get_by_text("I mean it").click()
    eventually(page.get_by_role("button", name="Silence", exact=True).is_enabled, "it can be made")
    page.get_by_label("Duration", exact=True).fill("52w")  # another doubt is asked for itself
    page.get_by_text("364 days").wait_for()
    assert page.get_by_role("button", name="Silence", exact=True).is_disabled()
    assert not any(silence["comment"] == "all of it" for silence in node.api.silences())


def test_a_silence_is_extended_from_what_it_is_now(page: Page, node: Node) -> None:
    made = node.api.post_silence([matcher("alertname", "Later")], comment="as it is shown")
    page.add_init_script(BY_HAND)
    page.goto(f"{node.url}/#/silences/{made}")
    extend = page.get_by_role("button", name="Extend 1h")
    extend.wait_for()
    raw = node.api.silence(made)
    assert raw
    changed = {key: raw[key] for key in ("id", "matchers", "startsAt", "createdBy")}
    node.api.http.post(
        "/api/v2/silences",
        json={**changed, "comment": "changed by another", "endsAt": "2099-01-01T00:00:00Z"},
    ).raise_for_status()
    extend.click()
    page.get_by_text("Extended by 1h.").wait_for()
    now = node.api.silence(made)
    assert now
    assert now["endsAt"].startswith("2099-01-01T01:00:00")
    assert now["comment"] == "changed by another"


def test_an_answer_that_comes_late_is_to_what_is_asked_now(page: Page, node: Node) -> None:
    held: list[Route] = []
    page.route("**/history/notifications?outcome=sent*", lambda route: held.append(route))
    page.goto(f"{node.url}/#/history")
    page.locator(".timeline li").first.wait_for()
    page.get_by_role("button", name="sent", exact=True).click()
    eventually(hearing(page, lambda: held), "it is asked for what was sent")
    page.get_by_role("button", name="given up").click()
    page.get_by_text("Nothing of that kind is remembered.").wait_for()
    held[0].continue_()
    page.get_by_role("button", name="muted").click()  # one more question after the late answer
    page.wait_for_function("() => !document.querySelector('.timeline .badge.good')")
    page.get_by_role("combobox", name="Filter by matchers").fill("alertname=Disk")
    page.get_by_role("option", name='alertname="DiskWillFillIn4Hours"').wait_for()


def test_an_explanation_that_takes_longer_than_a_look_is_shown(page: Page, node: Node) -> None:
    held: list[Route] = []
    page.route("**/explain?*", lambda route: held.append(route))
    page.goto(f"{node.url}/#/alerts/{node.api.alerts()[0]['fingerprint']}")
    eventually(hearing(page, lambda: held), "it is asked why")
    for _ in range(3):
        page.evaluate(REFRESH)
    held[0].continue_()
    page.locator(".verdict").first.wait_for()


def test_a_node_that_does_not_answer_is_said_to_be_silent_and_asked_again(page: Page, node: Node) -> None:
    silent: list[Route] = []
    page.clock.install()
    page.goto(f"{node.url}/#/alerts")
    page.locator(ALERT).first.wait_for()
    page.route("**/api/v2/status", lambda route: silent.append(route))
    page.evaluate(f"{LIVE}.then((live) => {{ live.refresh(); }})")
    eventually(hearing(page, lambda: silent), "it is asked")
    page.clock.fast_forward(31_000)
    page.get_by_role("button", name="No answer").wait_for()
    page.unroute("**/api/v2/status")
    page.get_by_role("button", name="No answer").click()
    page.get_by_role("button", name="Look again now").wait_for()
