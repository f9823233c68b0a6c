"""Silences: made, changed, ended, and kept from being made by mistake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.api import matcher, rfc3339
from tests.support.browser import hearing
from tests.support.eventually import eventually
from tests.support.node import Node

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

ROW = "article.silence"


def test_the_inventory_tells_who_why_how_many_and_how_long(page: Page, node: Node) -> None:
    page.goto(f"{node.url}/#/silences")
    row = page.locator(ROW, has_text="DiskWillFillIn4Hours")
    row.wait_for()
    text = row.inner_text()
    assert all(word in text for word in ("mira", "OPS-4411", "ends in"))
    assert row.locator(".side .count").inner_text() == "3"
    page.get_by_role("button", name="matching nothing").click()
    page.locator(ROW).nth(1).wait_for(state="detached")
    assert "CanaryDiverges" in page.locator(ROW).inner_text()
    page.goto(f"{node.url}/#/silences?state=pending")
    page.locator(ROW, has_text="control plane").wait_for()
    assert page.get_by_role("link", name="https://tickets.example.org/OPS-4302", exact=True).count() == 0
    page.locator("button.toggle", has_text="active").click()
    page.get_by_role("link", name="https://tickets.example.org/OPS-4302", exact=True).wait_for()


def test_a_link_fills_the_form_and_each_matcher_is_counted(page: Page, node: Node) -> None:
    filled = "filter=%7Bcluster%3D%22eu-west%22%2Cinstance%3D~%22log-.*%22%7D&comment=Moved&duration=45m"
    page.goto(f"{node.url}/#/silences/new?{filled}")
    page.get_by_role("heading", name="Mutes 8 of").wait_for()
    counts = page.locator(".matcher .count").all_inner_texts()
    alerts = [alert["labels"] for alert in node.api.alerts()]
    assert counts == [str(sum(labels.get("cluster") == "eu-west" for labels in alerts)), "8"]
    assert page.get_by_label("Comment").input_value() == "Moved"
    page.get_by_label("Creator").fill("tomasz")
    page.get_by_label("Value of matcher 2").fill("log-[45].*")
    page.get_by_role("heading", name="Mutes 2 of").wait_for()
    page.get_by_role("button", name="Silence", exact=True).click()
    page.get_by_role("heading", name="Silence active").wait_for()
    made = next(s for s in node.api.silences() if s["comment"] == "Moved")
    length = datetime.fromisoformat(made["endsAt"]) - datetime.fromisoformat(made["startsAt"])
    assert 44 * 60 < length.total_seconds() <= 46 * 60
    assert made["createdBy"] == "tomasz"
    page.goto(f"{node.url}/#/silences/new")
    assert page.get_by_label("Creator").input_value() == "tomasz"  # remembered
    page.goto(f"{node.url}/#/silences/new?or=%7Balertname%3D%22Only%22%7D")
    page.get_by_label("Value of matcher 1").wait_for()
    assert (
        page.locator("fieldset.matchers").count() == 1
    )  # No empty one before it, which could not be removed.


def test_further_sets_are_counted_together_and_become_silences_of_their_own(page: Page, node: Node) -> None:
    link = "filter=%7Bcluster%3D%22eu-west%22%2Cinstance%3D~%22log-.*%22%7D&comment=either&creator=ana"
    page.goto(f"{node.url}/#/silences/new?{link}&or=%7Balertname%3D%22CertificateExpiresSoon%22%7D")
    page.get_by_role("heading", name="Mutes 11 of").wait_for()
    page.get_by_role("button", name="Or: another set").click()
    add = page.get_by_label("Add matchers to set 3")
    page.get_by_text("Set 3: A silence needs a matcher.").wait_for()
    eventually(lambda: add.evaluate("(it) => it === document.activeElement"), "it can be written at once")
    add.fill('instance="log-1.eu-west.example.org:9100"')  # one that the first set takes already
    add.press("Enter")
    page.get_by_text("takes 1", exact=False).wait_for()
    page.get_by_role("heading", name="Mutes 11 of").wait_for()
    assert page.locator(".matcher .count").all_inner_texts()[1:] == ["8", "3", "1"]
    page.get_by_label("Remove set 3").click()
    page.get_by_label("Add matchers to set 2").fill('host="api.example.org"')
    page.get_by_label("Comment").press("Control+Enter")
    page.get_by_text("2 silences are made.").wait_for()
    page.locator(ROW).nth(1).wait_for()
    made = [silence for silence in node.api.silences() if silence["comment"] == "either"]
    assert {len(silence["matchers"]) for silence in made} == {2}
    assert len({(silence["endsAt"], silence["createdBy"]) for silence in made}) == 1
    assert any(each["value"] == "api.example.org" for silence in made for each in silence["matchers"])


def test_trying_again_makes_only_what_is_not_made_and_changes_what_is(page: Page, node: Node) -> None:
    asked: list[list[str]] = []  # values of each silence that is asked for
    fails = "b"

    def answer(route: Route) -> None:
        wanted = [each["value"] for each in (route.request.post_data_json or {}).get("matchers", [])]
        if route.request.method == "POST":
            asked.append(wanted)
        if wanted == [fails]:
            route.fulfill(status=200, body="a proxy's page")
        else:
            route.continue_()

    def made(*states: str) -> list[tuple[str, str]]:
        return sorted(
            (silence["matchers"][0]["value"], silence["comment"])
            for silence in node.api.silences()
            if silence["matchers"][0]["name"] == "again" and silence["status"]["state"] in states
        )

    page.route("**/api/v2/silences", answer)
    sets = [f"%7Bagain%3D%22{value}%22%7D" for value in "abc"]
    page.goto(
        f"{node.url}/#/silences/new?filter={sets[0]}&or={sets[1]}&or={sets[2]}&comment=first&creator=ana"
    )
    submit = page.get_by_role("button", name="Silence", exact=True)
    submit.click()
    page.get_by_text("1 of 3 silences are made").wait_for()
    page.get_by_label("Duration", exact=True).press("Control+Enter")
    eventually(hearing(page, lambda: len(asked) == 3), "it is tried again")
    page.get_by_text("1 of 3 silences are made").wait_for()
    assert asked == [["a"], ["b"], ["b"]]
    assert made("active", "expired") == [("a", "first")]
    fails = "c"
    page.get_by_label("Comment").fill("second")
    submit.click()
    page.get_by_text("2 of 3 silences are made").wait_for()
    assert made("active", "expired") == [("a", "second"), ("b", "second")]  # changed, under its id
    page.get_by_label("Remove set 2").click()
    fails = ""
    submit.click()
    page.get_by_text("2 silences are made.").wait_for()
    assert made("active") == [("a", "second"), ("c", "second")]
    assert made("expired") == [("b", "second")]
    assert asked[3:] == [["a"], ["b"], ["c"], ["c"]]
    ends = {s["endsAt"] for s in node.api.silences() if s["comment"] == "second"}
    assert len(ends) == 2  # of those that go on, and of the one that was ended


LOSING = """{
    const ask = window.fetch;
    window.fetch = async (...asked) => {
        const answer = await ask(...asked);
        const status = Number(answer.headers.get("lost") ?? 200);
        return status === 200 ? answer : new Response(await answer.text(), { status });
    };
}"""
"""Gives answers the status that they say they have; the browser itself would complain of it."""


@pytest.mark.parametrize("status", [200, 504])
def test_one_that_was_made_though_the_answer_was_lost_is_not_made_twice(
    page: Page, node: Node, status: int
) -> None:
    name = f"lost{status}"
    lost: list[Route] = []

    def lose(route: Route) -> None:
        if route.request.method == "POST":
            lost.append(route)
        else:
            route.continue_()

    def made() -> list[dict[str, object]]:
        return [each for each in node.api.silences() if each["matchers"][0]["name"] == name]

    page.add_init_script(LOSING)
    page.route("**/api/v2/silences", lose)
    sets = f"filter=%7B{name}%3D%22a%22%2Cz%3D~%22c.*%22%7D&or=%7B{name}%3D%22b%22%7D"
    page.goto(f"{node.url}/#/silences/new?{sets}&comment=lost&creator=ana")
    submit = page.get_by_role("button", name="Silence", exact=True)
    submit.click()
    eventually(hearing(page, lambda: lost), "the first is asked for")
    taken = lost.pop()
    taken.fetch()
    taken.fulfill(status=200, headers={"lost": f"{status}"}, body="a proxy's page")
    page.get_by_text("What answers is not the node" if status == 200 else "a proxy's page").first.wait_for()
    page.unroute("**/api/v2/silences")
    submit.click()
    page.get_by_text("2 silences are made.").wait_for()
    assert len(made()) == 2
    assert len({each["endsAt"] for each in made()}) == 1


def test_a_change_that_adds_sets_can_be_tried_again(page: Page, node: Node) -> None:
    of = {"matchers": [matcher("twice", "old")], "createdBy": "ana", "comment": "with a note"}
    now = datetime.now(UTC)
    times = {"startsAt": rfc3339(now), "endsAt": rfc3339(now + timedelta(hours=9))}
    answer = node.api.http.post("/api/v2/silences", json={**of, **times, "annotations": {"ticket": "OPS-1"}})
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route) if route.request.method == "POST" else route.continue_()

    page.route("**/api/v2/silences", hold)
    page.goto(f"{node.url}/#/silences/{answer.raise_for_status().json()['silenceID']}/edit")
    page.get_by_label("Value of matcher 1").fill("new")
    page.get_by_role("button", name="Or: another set").click()
    page.get_by_label("Add matchers to set 2").fill('twice="other"')
    page.get_by_role("button", name="Save").click()
    eventually(hearing(page, lambda: held), "the first is asked for")
    held.pop().continue_()
    eventually(hearing(page, lambda: held), "the second is asked for")
    held.pop().fulfill(status=200, body="a proxy's page")
    page.get_by_text("1 of 2 silences are made").wait_for()
    page.unroute("**/api/v2/silences")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("The silence is changed.").wait_for()
    made = [silence for silence in node.api.silences() if silence["matchers"][0]["name"] == "twice"]
    assert sorted(
        (one["matchers"][0]["value"], one["status"]["state"], one.get("annotations", {})) for one in made
    ) == [
        ("new", "active", {"ticket": "OPS-1"}),
        ("old", "expired", {"ticket": "OPS-1"}),
        ("other", "active", {}),
    ]


def test_too_broad_and_endless_ones_ask_first_and_impossible_ones_cannot_be_made(
    page: Page, node: Node
) -> None:
    filled = "filter=%7Bseverity%3D~%22.%2B%22%7D&comment=all&duration=52w&creator=ana"
    page.goto(f"{node.url}/#/silences/new?{filled}")
    page.locator(".banner.warn", has_text="It mutes").wait_for()  # once it is known what there is
    assert "364 days" in page.locator(".banner.warn").first.inner_text()
    assert page.get_by_role("button", name="Silence", exact=True).is_disabled()
    page.get_by_text("I mean it").click()
    eventually(page.get_by_role("button", name="Silence", exact=True).is_enabled, "it can be made")
    page.get_by_label("Value of matcher 1").fill(".*")  # takes what lacks the label too
    page.get_by_text("One matcher must name something").wait_for()
    page.get_by_label("Comment").press("Control+Enter")  # a way past the button
    assert page.evaluate("location.hash").startswith("#/silences/new")
    assert not any(silence["comment"] == "all" for silence in node.api.silences())


def test_a_change_keeps_what_was_not_changed(page: Page, node: Node) -> None:
    made = node.api.post_silence([matcher("alertname", "Kept")], comment="before", created_by="mira")
    before = node.api.silence(made)
    page.goto(f"{node.url}/#/silences/{made}/edit")
    page.get_by_label("Comment").fill("after")
    page.get_by_role("button", name="Save").click()
    after = eventually(
        lambda: (s := node.api.silence(made)) is not None and s["comment"] == "after" and s, "it is changed"
    )
    assert before is not None
    assert after
    assert {k: after[k] for k in ("endsAt", "startsAt", "createdBy", "matchers")} == {
        k: before[k] for k in ("endsAt", "startsAt", "createdBy", "matchers")
    }


def test_many_are_extended_and_expired_in_one_go(page: Page, node: Node) -> None:
    ids = [node.api.post_silence([matcher("batch", f"of-{n}")], comment="One of many") for n in range(6)]
    ends = {id_: (node.api.silence(id_) or {})["endsAt"] for id_ in ids}
    page.goto(f"{node.url}/#/silences?q=one+of+many")
    page.locator(ROW).nth(5).wait_for()
    page.locator(ROW).nth(0).locator("input").check()
    page.get_by_role("button", name="Select all 6").click()
    page.get_by_role("button", name="Extend 1d").click()
    page.get_by_text("Extended by 1d.").wait_for()  # first: it is said for a few seconds
    assert all((node.api.silence(id_) or {})["endsAt"] > ends[id_] for id_ in ids)
    page.locator(ROW).nth(0).locator("input").check()
    page.get_by_role("button", name="Select all 6").click()
    page.get_by_role("toolbar").get_by_role("button", name="Expire").click()
    page.get_by_role("dialog").get_by_role("button", name="Expire").click()
    eventually(
        lambda: all((node.api.silence(id_) or {})["status"]["state"] == "expired" for id_ in ids), "all ended"
    )
