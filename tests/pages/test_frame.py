"""What holds for all pages: links, prefixes, passwords, no scripts, and that nothing foreign runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import bcrypt
import httpx

from tests.support.api import Api, matcher, prometheus_alert
from tests.support.browser import Complaints, hearing, looking
from tests.support.eventually import eventually
from tests.support.node import ON, Node
from tests.support.sink import WebhookSink
from tests.support.tocsin_node import TOCSIN
from tools import oncall

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ID = "3f3e2a5c-6f0d-4d5e-8a3b-0c9d8e7f6a5b"
PARSED = """async ([hash]) => {
    const root = document.querySelector('[src$="main.js"]').src.replace('main.js', '');
    const { parseHash } = await import(root + 'core/router.js');
    const { readView } = await import(root + 'core/view.js');
    const { formatMatchers } = await import(root + 'core/matchers.js');
    const route = parseHash(hash);
    const view = readView(route.query);
    return [route.page, route.id ?? '', formatMatchers(view.matchers), [...view.states].sort().join(' '),
            view.receiver, view.by ? view.by.join(' ') : '-', view.problem ? 'problem' : ''];
}"""

LINKS = [
    # address of Alertmanager's page, its templates or its users: page, id, filter, states, receiver, groups
    ("", "alerts", "", "", "active", "", "-"),
    ("#/", "alerts", "", "", "active", "", "-"),
    ("#/alerts", "alerts", "", "", "active", "", "-"),
    ("#/alerts?receiver=team-x", "alerts", "", "", "active", "team-x", "-"),
    ("#/alerts?receiver=a+b%2Fc", "alerts", "", "", "active", "a b/c", "-"),  # as urlquery writes it
    ("#/alerts?silenced=false&inhibited=false&muted=false&active=true&filter=%7Balertname%3D%22X%22%7D",
     "alerts", "", '{alertname="X"}', "active", "", "-"),
    ('#/alerts?silenced=true&filter={a="b",c!~"d|e"}',
     "alerts", "", '{a="b", c!~"d|e"}', "active silenced", "", "-"),
    ("#/alerts?filter=a%3Db&filter=c%3D~%22d.*%22", "alerts", "", '{a="b", c=~"d.*"}', "active", "", "-"),
    ("#/alerts?active=false&inhibited=true&muted=true", "alerts", "", "", "inhibited muted", "", "-"),
    ("#/alerts?group=alertname%2Ccluster&customGrouping=true",
     "alerts", "", "", "active", "", "alertname cluster"),
    ("#/alerts?group=&customGrouping=true", "alerts", "", "", "active", "", ""),
    ("#/alerts?customGrouping=false", "alerts", "", "", "active", "", "-"),
    ('#/alerts?filter={"utf-8.näme"="\\"x\\\\y"}',
     "alerts", "", '{"utf-8.näme"="\\"x\\\\y"}', "active", "", "-"),
    ("#/alerts?filter={broken", "alerts", "", "", "active", "", "-"),
    (f"#/silences/{ID}", "silence", ID, "", "active", "", "-"),
    (f"#/silences/{ID}/edit", "silence-form", ID, "", "active", "", "-"),
    ("#/silences/new", "silence-form", "", "", "active", "", "-"),
    ("#/silences/new?filter=%7Ba%3D%22b%22%7D&comment=x", "silence-form", "", '{a="b"}', "active", "", "-"),
    ("#/silences", "silences", "", "", "active", "", "-"),
    ("#/silences?filter=%7Ba%3D%22b%22%7D", "silences", "", '{a="b"}', "active", "", "-"),
    ("#/status", "status", "", "", "active", "", "-"),
    ("#/settings", "settings", "", "", "active", "", "-"),
    ("#/alerts/0123456789abcdef", "alert", "0123456789abcdef", "", "active", "", "-"),
    ("#/nothing", "unknown", "nothing", "", "active", "", "-"),
]  # fmt: skip


def test_every_form_of_link_leads_where_alertmanagers_does(page: Page, node: Node) -> None:
    page.goto(node.url)
    for link, *wanted in LINKS:
        *found, problem = page.evaluate(PARSED, [link])
        assert found == wanted, link
        assert bool(problem) == ("broken" in link)


def test_every_page_is_there_and_says_so_in_its_title(page: Page, node: Node) -> None:
    made = node.api.post_silence([matcher("alertname", "X")], comment="To be linked")
    page.goto(node.url)
    for link, title in (
        (f"#/silences/{made}", "Silence"),
        (f"#/silences/{made}/edit", "Silence"),
        ("#/silences", "Silences"),
        ("#/status", "Status"),
        ("#/settings", "Settings"),
        ("#/nothing", "Nothing here"),
        (f"#/alerts/{node.api.alerts()[0]['fingerprint']}", "Alert"),
    ):
        page.goto(f"{node.url}/{link}")
        page.wait_for_function("title => document.title === title", arg=f"{title} · Tocsin")
        assert "undefined" not in page.locator("main").inner_text()


def test_a_page_that_is_chosen_while_the_first_is_drawn_is_shown(page: Page, node: Node) -> None:
    page.add_init_script("""
        new MutationObserver((_, self) => {
          if (!document.querySelector("header.top")) return;
          self.disconnect();
          location.hash = "#/status";
        }).observe(document, { childList: true, subtree: true });
    """)
    page.goto(node.url)
    page.wait_for_function("() => document.title === 'Status · Tocsin'")


def test_without_scripts_the_plain_page_shows(browser: Browser, node: Node) -> None:
    context = browser.new_context(java_script_enabled=False)  # which the browser calls a policy's doing
    page = context.new_page()
    page.goto(node.url)
    assert page.get_by_role("heading", name="Tocsin").is_visible()
    assert "alerts firing" in page.locator("body").inner_text()
    assert page.locator(".numbers li").first.evaluate("e => getComputedStyle(e).borderTopWidth") == "1px"
    context.close()


def test_a_script_that_is_not_ours_does_not_run(browser: Browser, node: Node) -> None:
    """Also shows that what the policy refuses would fail a test."""
    context = browser.new_context()
    page = context.new_page()
    complaints = Complaints()
    complaints.watch(page)
    page.goto(node.url)
    page.locator("article.alert").first.wait_for()
    ran = page.evaluate("""() => {
        const script = document.createElement('script');
        try { script.text = 'window.foreign = 1'; } catch {}
        script.append('window.foreign = 1');
        document.body.append(script);
        try { document.body.innerHTML = '<img src=x onerror="window.foreign = 2">'; } catch {}
        const image = new Image();
        image.src = 'http://127.0.0.1:9/x.png';
        return window.foreign ?? null;
    }""")
    assert ran is None
    eventually(
        hearing(
            page,
            lambda: any("Content Security Policy" in each or "TrustedHTML" in each for each in complaints),
        ),
        "the browser complains",
    )
    context.close()


HOSTILE = "<img src=x onerror=alert(1)>\"'&{{}}`${1}`"


def test_text_of_others_stays_text(page: Page, node: Node) -> None:
    node.api.post_alerts(
        {
            "labels": {"alertname": HOSTILE, "weird": HOSTILE, "severity": HOSTILE},
            "annotations": {
                "summary": HOSTILE,
                "runbook_url": "javascript:alert(1)",
                "d": "data:text/html,",
            },
            "generatorURL": "javascript:alert(2)",
        }
    )
    node.api.post_silence([matcher("weird2", HOSTILE)], comment=HOSTILE, created_by=HOSTILE)
    page.goto(f"{node.url}/#/alerts?q=onerror")
    page.locator("article.alert [aria-label^=Details]").click()
    assert HOSTILE in page.locator(".details").inner_text()
    assert page.locator("a[href^=javascript], a[href^=data], img").count() == 0
    page.get_by_role("link", name="Why").click()
    page.locator("h1", has_text="onerror").wait_for()
    page.goto(f"{node.url}/#/silences?q=onerror")
    page.locator("article.silence").wait_for()
    assert page.locator("img").count() == 0


class Guarded(Node):
    """Below a prefix and behind a password."""

    def _choose_ports(self) -> None:
        super()._choose_ports()
        self.api.close()
        self.api = Api(f"{self.url}/am")
        self.api.http.auth = ("ana", "open sesame")


def test_below_a_prefix_and_behind_a_password_all_is_the_same(
    browser: Browser, tmp_path: Path, sink: WebhookSink
) -> None:
    web = tmp_path / "web.yml"
    hashed = bcrypt.hashpw(b"open sesame", bcrypt.gensalt(5)).decode()
    web.write_text(f"basic_auth_users:\n  ana: {hashed}\n")
    node = Guarded(
        TOCSIN,
        "guarded",
        tmp_path / "node",
        config=oncall.CONFIG.replace("WEBHOOK", sink.url),
        flags={"web.route-prefix": "/am", "web.config.file": str(web), "cluster.listen-address": ""},
    )
    with node_started(node):
        node.api.post_alerts(prometheus_alert("Behind"))
        known = {"username": "ana", "password": "open sesame"}
        with looking(browser, http_credentials=known) as page:
            page.goto(f"{node.url}/am")
            page.locator("article.alert").wait_for()
            filled = "filter=%7Balertname%3D%22Behind%22%7D&creator=ana&comment=x"
            page.goto(f"{node.url}/am/#/silences/new?{filled}")
            page.get_by_role("heading", name="Mutes 1 of 1").wait_for()
            page.get_by_role("button", name="Silence", exact=True).click()
            page.get_by_role("heading", name="Silence active").wait_for()
        assert [silence["comment"] for silence in node.api.silences()] == ["x"]
        stranger = httpx.get(f"{node.url}/am/", trust_env=False)
        assert (stranger.status_code, "app" in stranger.text) == (401, False)


@contextmanager
def node_started(node: Node) -> Iterator[Node]:
    node.start()
    try:
        yield node
    finally:
        node.close()


def test_a_node_that_knows_who_looks_signs_for_them(
    browser: Browser, tmp_path: Path, sink: WebhookSink
) -> None:
    node = Node(
        TOCSIN,
        "proxied",
        tmp_path / "node",
        config=oncall.CONFIG.replace("WEBHOOK", sink.url),
        flags={"web.creator-from": "header:X-Forwarded-User", "cluster.listen-address": ""},
    )
    with node_started(node):
        node.api.post_alerts(prometheus_alert("Known"))
        with looking(browser, extra_http_headers={"X-Forwarded-User": "zoe"}) as page:
            page.goto(f"{node.url}/#/silences/new?filter=%7Balertname%3D%22Known%22%7D&comment=x&creator=eve")
            page.get_by_role("heading", name="Mutes 1 of 1").wait_for()
            assert page.get_by_label("Creator").input_value() == "zoe"
            assert page.get_by_label("Creator").get_attribute("readonly") is not None
            page.get_by_role("button", name="Silence", exact=True).click()
            page.get_by_role("heading", name="Silence active").wait_for()
        assert [silence["createdBy"] for silence in node.api.silences()] == ["zoe"]


def test_a_read_only_node_offers_nothing_that_changes_something(
    browser: Browser, tmp_path: Path, sink: WebhookSink
) -> None:
    node = Node(
        TOCSIN,
        "read-only",
        tmp_path / "node",
        config=oncall.CONFIG.replace("WEBHOOK", sink.url),
        flags={"web.read-only": ON, "cluster.listen-address": ""},
    )
    with node_started(node):
        oncall.post(node.url, with_silences=False)
        with looking(browser) as page:
            page.goto(f"{node.url}/#/alerts")
            page.locator("article.alert input").first.check()
            page.keyboard.press("s")
            page.keyboard.press("a")
            page.keyboard.press("n")
            assert page.get_by_role("dialog").count() == 0
            for path, drawn in (
                ("alerts", "article.alert"),
                ("silences", ".silences-page"),
                ("receivers", ".receiver"),
                ("silences/new", "main > .empty"),
            ):
                page.goto(f"{node.url}/#/{path}")
                page.locator(drawn).first.wait_for()
                for name in ("Silence", "Ack", "New silence", "Send a test"):
                    assert page.locator("main").get_by_role("button", name=name, exact=True).count() == 0
                    assert page.locator("main").get_by_role("link", name=name, exact=True).count() == 0
            assert page.locator(".top .badge", has_text="read-only").count() == 1
