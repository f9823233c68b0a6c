"""Where redirects lead and what goes there, by the rules of Go's client and Prometheus' around it."""

from __future__ import annotations

import base64

import pytest

from tests.support.httpreceiver import client, redirect, run, served
from tocsin.config.httpclient import HTTPClientConfig, HTTPHeader
from tocsin.notify.integrations.redirects import Step, is_redirect, next_step
from tocsin.notify.integrations.url import parse

FIRST = parse("https://me:pass@hooks.example/a?x=1")
STEP = Step(method="PUT", target=FIRST, headers=(("Content-Type", "text/plain"), ("X", "1")), body=b"b")


@pytest.mark.parametrize("status", [301, 302, 303])
def test_three_become_a_get_without_a_body_and_what_describes_it(status: int) -> None:
    step = next_step(STEP, status, "/b", first=FIRST)
    assert (step.method, step.body, step.headers) == ("GET", b"", (("X", "1"),))
    assert (
        next_step(Step(method="HEAD", target=FIRST, headers=(), body=b""), 302, "/", first=FIRST).method
        == "HEAD"
    )


@pytest.mark.parametrize("status", [307, 308])
def test_two_repeat_the_request(status: int) -> None:
    step = next_step(STEP, status, "/b", first=FIRST)
    assert (step.method, step.body, step.headers) == ("PUT", b"b", STEP.headers)


def test_others_are_answers() -> None:
    assert not is_redirect(300, "/a")
    assert not is_redirect(304, "/a")
    assert not is_redirect(302, "")
    assert is_redirect(302, "/a")


@pytest.mark.parametrize(
    ("location", "foreign"),
    [
        ("/b", False),
        ("https://hooks.example:8443/b", False),
        ("http://hooks.example/b", False),
        ("//eu.hooks.example/b", False),
        ("https://example/b", True),
        ("https://nothooks.example/b", True),
    ],
)
def test_whom_credentials_may_follow(location: str, foreign: bool) -> None:
    step = next_step(STEP, 307, location, first=FIRST)
    assert step.foreign is foreign
    assert next_step(step, 307, FIRST.url, first=FIRST).foreign is foreign, "not back either"


def test_user_and_password_of_a_url_stay_with_a_relative_redirect() -> None:
    assert next_step(STEP, 307, "/b", first=FIRST).target.password == "pass"
    assert next_step(STEP, 307, "https://hooks.example/b", first=FIRST).target.password == ""
    assert next_step(STEP, 307, "https://you:yours@other.example/b", first=FIRST).target.password == "yours"


def test_the_referer_is_the_last_place_and_says_nothing_in_clear_text() -> None:
    step = next_step(STEP, 307, "https://other.example/b", first=FIRST)
    assert step.referer == "https://hooks.example/a?x=1"
    assert next_step(step, 307, "http://other.example/c", first=FIRST).referer == ""
    assert next_step(step, 307, "/c", first=FIRST).referer == "https://other.example/b"


def test_a_place_that_is_none() -> None:
    for location in ("ftp://a.example/", "http://[::1", "https://a.example:port/"):
        with pytest.raises(ValueError):
            next_step(STEP, 307, location, first=FIRST)


def test_what_is_sent_to_a_foreign_host() -> None:
    async def story() -> None:
        headers = {
            "X-Plain": HTTPHeader(values=("p",)),
            "X-Secret": HTTPHeader(secrets=("s",)),
            "Cookie": HTTPHeader(values=("c",)),
        }
        async with served() as server, client(HTTPClientConfig(http_headers=headers)) as http:
            there = server.url.replace("//", "//you:yours@").replace("127.0.0.1", "localhost")
            server.answers["/a"] = redirect(307, f"{there}/b")
            mine = server.url.replace("//", "//me:mine@")
            await http.post(f"{mine}/a", b"{}", headers=[("Proxy-Authorization", "x"), ("X-Own", "o")])
            first, second = server.requests
            assert (first.headers["x-secret"], first.headers["cookie"]) == ("s", "c")
            assert first.headers["authorization"] == f"Basic {base64.b64encode(b'me:mine').decode()}"
            assert (second.headers["x-plain"], second.headers["x-own"]) == ("p", "o")
            assert not {"x-secret", "cookie", "proxy-authorization"} & second.headers.keys()
            assert second.headers["authorization"] == f"Basic {base64.b64encode(b'you:yours').decode()}"
            assert second.headers["referer"] == f"{server.url}/a"
            assert "referer" not in first.headers

    run(story)
