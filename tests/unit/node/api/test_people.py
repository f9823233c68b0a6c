"""Who makes silences, who may change something, and that no page of another site does it for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.support.api_backend import LoneNode
from tests.support.api_requests import alert, matcher, silence
from tests.support.openapi import PREFIX
from tests.support.openapi import play as _play
from tocsin.alerting.timestamp import SECOND, format_milliseconds
from tocsin.node.api import Limits
from tocsin.node.api.people import PeopleRules, subject_of
from tocsin.node.config.commandline import creator_rule

PROXY = PeopleRules("header:x-forwarded-user", external="am.example.org")
CERTIFICATE = PeopleRules("certificate")
SILENCES = "/api/v2/silences"


def scope(*headers: tuple[str, str], certificate: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {"type": "http", "headers": [(n.encode(), v.encode()) for n, v in headers]}
    if certificate:
        made["extensions"] = {"tls": {"client_cert_name": certificate}}
    return made


def body(**more: str) -> Mapping[str, Any]:
    now = LoneNode().now()
    times = {
        "startsAt": format_milliseconds(now),
        "endsAt": format_milliseconds(now + 3600 * SECOND),
        **more,
    }
    return {**silence(matcher("alertname", "A")), **times, "createdBy": "mallory"}


def test_a_name_comes_from_where_the_flag_says_and_from_nowhere_else() -> None:
    both = scope(("x-forwarded-user", "ana"), certificate="bob")
    assert PROXY.creator(both) == "ana"
    assert CERTIFICATE.creator(both) == "bob"
    assert PeopleRules().creator(both) == ""
    assert PROXY.creator(scope(certificate="bob")) == ""
    assert CERTIFICATE.creator(scope(("x-forwarded-user", "ana"))) == ""
    twice = scope(("x-forwarded-user", "ana"), ("x-forwarded-user", "root"))
    assert PROXY.creator(twice) == ""  # a proxy that adds instead of replacing
    for odd in ("", "  ", "a\tb", "a\x00b", "x" * 257):
        assert PROXY.creator(scope(("x-forwarded-user", odd))) == ""
    assert PROXY.creator(scope(("x-forwarded-user", "Zoë"))) == "Zoë"


def test_a_certificate_that_was_not_verified_names_nobody() -> None:
    known = {"subject": ((("organizationName", "Ops"),), (("commonName", "ana"),))}
    assert subject_of(known) == "ana"
    assert subject_of({"subject": ((("organizationName", "Ops"),),)}) == "organizationName=Ops"
    assert subject_of({}) == ""
    assert subject_of(None) == ""


@pytest.mark.parametrize("text", ["", "certificate", "header:X-Forwarded-User"])
def test_good_values_of_the_flag(text: str) -> None:
    assert creator_rule(text) == text.lower()


@pytest.mark.parametrize("text", ["header:", "header: x", "header:a b", "header:ä", "x", "certificate:x"])
def test_others_are_refused_with_a_hint(text: str) -> None:
    with pytest.raises(ValueError, match="X-Forwarded-User"):
        creator_rule(text)


def play(story: Any, rules: PeopleRules) -> None:
    _play(story, limits=Limits(people=rules))


def test_the_node_signs_silences_with_the_name_that_it_knows() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        known = {"X-Forwarded-User": "ana"}
        made = await http.post(SILENCES, json=body(), headers=known)
        assert made.status_code == 200
        (kept,) = (await http.get(SILENCES)).json()
        assert kept["createdBy"] == "ana"
        await http.post("/api/v2/alerts", json=[alert({"alertname": "A"})])
        asked = {"createdBy": "mallory", "matchers": ['alertname="A"']}
        made = await http.post(f"{PREFIX}/acknowledge", json=asked, headers=known)
        assert made.status_code == 200
        assert {each["createdBy"] for each in (await http.get(SILENCES)).json()} == {"ana"}
        assert 'data-creator="ana"' in (await http.get("/", headers=known)).text

    play(story, PROXY)


def test_who_is_not_known_changes_nothing_but_alerts_come_in() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        made = (await http.post(SILENCES, json=body(), headers={"X-Forwarded-User": "ana"})).json()
        for method, path in (
            ("POST", SILENCES),
            ("DELETE", f"/api/v2/silence/{made['silenceID']}"),
            ("POST", f"{PREFIX}/acknowledge"),
            ("POST", f"{PREFIX}/silences/import"),
            ("POST", f"{PREFIX}/receivers/team-x/test"),
            ("POST", "/-/reload"),
        ):
            answer = await http.request(method, path, json=body() if method == "POST" else None)
            assert (answer.status_code, "who you are" in answer.text) == (403, True), path
        assert (await http.post("/api/v2/alerts", json=[alert()])).status_code == 200
        assert len((await http.get(SILENCES)).json()) == 1

    play(story, PROXY)


def test_read_only_takes_alerts_and_nothing_else() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        for method, path in (
            ("POST", SILENCES),
            ("POST", "//api/v2/./silences"),
            ("DELETE", "/api/v2/silence/00000000-0000-0000-0000-000000000000"),
            ("POST", f"{PREFIX}/acknowledge"),
            ("POST", f"{PREFIX}/silences/import"),
            ("POST", f"{PREFIX}/receivers/team-x/test"),
            ("POST", "/-/reload"),
            ("POST", "/-/RELOAD/"),
        ):
            answer = await http.request(method, path, json=body() if method == "POST" else None)
            assert (answer.status_code, "read-only" in answer.text) == (403, True), path
        for path in ("/api/v2/alerts", "/api/v2/alerts/"):
            assert (await http.post(path, json=[alert()])).status_code == 200
        assert "data-read-only" in (await http.get("/")).text
        assert (await http.get(SILENCES)).json() == []

    play(story, PeopleRules(read_only=True))


OWN = ("host", "am.example.org")
FOREIGN = ("origin", "https://evil.example")
LOGIN = ("authorization", "Basic eDp5")


@pytest.mark.parametrize(
    ("rules", "path", "headers", "certificate", "refused"),
    [
        # As with Alertmanager: an API that asks for no credentials takes it from all (--web.cross-origin).
        (PeopleRules(), SILENCES, [OWN, FOREIGN], "", False),
        # But not with somebody's credentials, whatever they are,
        (PeopleRules(), SILENCES, [OWN, FOREIGN, LOGIN], "", True),
        (PeopleRules(), SILENCES, [OWN, FOREIGN], "ana", True),
        (PeopleRules(), SILENCES, [OWN, ("origin", "null"), LOGIN], "", True),
        (PeopleRules(), SILENCES, [OWN, LOGIN, ("sec-fetch-site", "cross-site")], "", True),
        (PeopleRules(), SILENCES, [OWN, LOGIN, ("sec-fetch-site", "same-site")], "", True),
        (PROXY, SILENCES, [OWN, FOREIGN, ("x-forwarded-user", "ana")], "", True),
        # and nothing that Alertmanager's own page never did.
        (PeopleRules(), "/-/reload", [OWN, FOREIGN], "", True),
        (PeopleRules(), f"{PREFIX}/acknowledge", [OWN, FOREIGN], "", True),
        (PeopleRules(), f"{PREFIX}/receivers/x/test", [OWN, FOREIGN], "", True),
        # Our own page, also behind a proxy that changes the host, and what is no browser.
        (PeopleRules(), SILENCES, [OWN, ("origin", "https://am.example.org"), LOGIN], "", False),
        (PROXY, SILENCES, [("host", "10.0.0.1:9093"), ("origin", "https://am.example.org"),
                           ("x-forwarded-user", "ana")], "", False),
        (PeopleRules(), SILENCES, [("host", "x"), ("origin", "https://y"), ("sec-fetch-site", "same-origin"),
                                   LOGIN], "", False),
        (PeopleRules(), SILENCES, [OWN, LOGIN], "", False),
        (PeopleRules(), "/-/reload", [OWN, LOGIN], "ana", False),
        (PeopleRules(), "/-/reload", [OWN], "", False),
    ],
)  # fmt: skip
def test_no_page_of_another_site_acts_in_somebodys_name(
    rules: PeopleRules, path: str, headers: list[tuple[str, str]], certificate: str, refused: bool
) -> None:
    assert bool(rules.problem("POST", path, scope(*headers, certificate=certificate))) is refused
    assert not rules.problem("GET", path, scope(*headers, certificate=certificate))


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_what_a_form_can_send_makes_no_silence(kind: str) -> None:
    """These need no preflight, so a browser would send them with whatever it knows of the node."""

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        import json

        for path in (SILENCES, f"{PREFIX}/acknowledge"):
            answer = await http.post(path, content=json.dumps(body()), headers={"Content-Type": kind})
            assert answer.status_code in (400, 415), path
        assert (await http.get(SILENCES)).json() == []

    play(story, PeopleRules())


def test_no_answer_sets_a_cookie_or_lets_credentials_through_from_elsewhere() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        foreign = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        for path in ("/", SILENCES, f"{PREFIX}/status", f"{PREFIX}/acknowledge", "/metrics"):
            for method in ("GET", "OPTIONS"):
                answer = await http.request(method, path, headers=foreign)
                assert "set-cookie" not in answer.headers
                assert "access-control-allow-credentials" not in answer.headers

    play(story, PeopleRules())
