"""Jira: how an issue is found, made, updated and moved, what is tried again, what is never said."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.support.integrations import CLOCK, notification_of, section, send, shown
from tests.support.routing import alert
from tocsin.alerting.timestamp import SECOND
from tocsin.errors import ConfigError
from tocsin.notify.integrations.base import Outcome
from tocsin.notify.integrations.jira import MAX_DESCRIPTION, MAX_SUMMARY
from tocsin.notify.integrations.sender import make_sender
from tocsin.notify.integrations.tlscontext import TLSContexts
from tocsin.notify.rendering import TemplateFiles, TemplateRenderer

AUTH = "http_config: {basic_auth: {username: u, password: hush-word}}"
OWN = f"project: OPS, issue_type: Bug, {AUTH}"
KEYS = f"api_url: 'http://@HTTP@/rest/api/2', {OWN}"
MOVES = (
    'resolve_transition: Done, reopen_transition: Reopen, reopen_duration: 90m, wont_fix_resolution: No "x"'
)
RESOLVED = notification_of(alert(alertname="A", ends_at=SECOND))
NONE = (200, b'{"issues":[]}')
MADE = (201, b'{"key":"OPS-1"}')
OFFERED = (
    200,
    b'{"transitions":[{"id":"11","name":"Start"},{"id":"21","name":"Done"},{"id":"31","name":"Reopen"}]}',
)


def found(key: str = "OPS-1", category: str = "indeterminate") -> tuple[int, bytes]:
    fields = {"status": {"name": "S", "statusCategory": {"key": category}}}
    return 200, json.dumps({"issues": [{"key": key, "fields": fields}]}).encode()


def fields(request: Any) -> dict[str, Any]:
    return dict(request.json["fields"])


def test_an_issue_is_looked_for_and_made() -> None:
    keys = f"{{{KEYS}, summary: s, description: <d>, priority: P, labels: [b, a, Z]}}"
    outcomes, [search, made] = send("jira", keys, answers=[NONE, MADE])
    assert outcomes == [Outcome(success=True)]
    assert search.line == "POST /rest/api/2/search HTTP/1.1"
    assert search.headers["accept-language"] == "en"
    assert search.headers["content-type"] == "application/json"
    label = json.loads(made.body)["fields"]["labels"][0]
    assert label.startswith("ALERT{")
    assert search.body == (
        b'{"fields":["status"],"jql":"statusCategory != Done and project=\\"OPS\\" and labels=\\"'
        + label.encode()
        + b'\\" order by status ASC,resolutiondate DESC","maxResults":2}\n'
    )
    assert made.line == "POST /rest/api/2/issue HTTP/1.1"
    assert made.body == (
        b'{"fields":{"description":"\\u003cd\\u003e","issuetype":{"name":"Bug"},"labels":["'
        + label.encode()
        + b'","Z","a","b"],"priority":{"name":"P"},"project":{"key":"OPS"},"summary":"s"}}\n'
    )


def test_nothing_is_made_for_a_group_that_is_resolved() -> None:
    outcomes, requests = send("jira", f"{{{KEYS}}}", answers=[NONE], notification=RESOLVED)
    assert (outcomes, len(requests)) == ([Outcome(success=True)], 1)


def test_an_open_issue_is_updated_and_closed() -> None:
    answers = [found(), (204, b""), OFFERED, (204, b"")]
    _, requests = send("jira", f"{{{KEYS}, {MOVES}}}", answers=answers, notification=RESOLVED)
    assert [request.line.removesuffix(" HTTP/1.1") for request in requests] == [
        "POST /rest/api/2/search", "PUT /rest/api/2/issue/OPS-1", "GET /rest/api/2/issue/OPS-1/transitions",
        "POST /rest/api/2/issue/OPS-1/transitions",
    ]  # fmt: skip
    assert requests[3].body == b'{"transition":{"id":"21"}}\n'
    assert (
        requests[0]
        .json["jql"]
        .startswith(
            '(resolution is EMPTY or resolution != "No \\"x\\"") and statusCategory != Done and project='
        )
    )


def test_a_closed_issue_is_reopened() -> None:
    answers = [found(category="done"), (204, b""), OFFERED, (204, b"")]
    _, requests = send("jira", f"{{{KEYS}, {MOVES}}}", answers=answers)
    assert requests[3].body == b'{"transition":{"id":"31"}}\n'
    assert "(resolutiondate is EMPTY OR resolutiondate >= -90m) and project=" in requests[0].json["jql"]


def test_a_transition_that_is_not_offered_is_a_failure() -> None:
    answers = [found(), (204, b""), (200, b'{"transitions":[{"id":"1","name":"Other"},7]}')]
    [outcome], _ = send("jira", f"{{{KEYS}, {MOVES}}}", answers=answers, notification=RESOLVED)
    assert (outcome.success, outcome.retry, outcome.reason) == (False, False, "other")
    assert outcome.error == "failed to move the issue OPS-1 by 'Done': it has no such transition now"


@pytest.mark.parametrize("body", [b'{"issues":[{"key":"A-1"}]}', b'{"issues":[{"key":"A-1","fields":{}}]}'])
def test_an_issue_without_a_status_is_not_moved(body: bytes) -> None:
    outcomes, requests = send(
        "jira", f"{{{KEYS}, {MOVES}}}", answers=[(200, body), (204, b"")], notification=RESOLVED
    )
    assert (outcomes, len(requests)) == ([Outcome(success=True)], 2)


def test_a_key_leads_nowhere_else() -> None:
    _, requests = send("jira", f"{{{KEYS}}}", answers=[found("../../admin?x"), (204, b"")])
    assert requests[1].line == "PUT /rest/api/2/issue/..%2F..%2Fadmin%3Fx HTTP/1.1"


def test_texts_that_are_not_to_be_updated() -> None:
    keys = (
        f"{{{KEYS}, summary: {{template: s, enable_update: false}}, description: {{enable_update: false}}}}"
    )
    _, [_, made] = send("jira", keys, answers=[NONE, MADE])
    assert fields(made)["summary"] == "s"
    assert "Alerts Firing" in fields(made)["description"]
    _, [_, updated] = send("jira", keys, answers=[found(), (204, b"")])
    assert fields(updated).keys() == {"issuetype", "labels", "project"}


def test_fields_are_rendered_and_stand_over_the_others() -> None:
    given = (
        "{a: '{{ len .Alerts }}', b: {'{{ .Status }}': [x, 1.5, true]}, project: {key: MINE}, '{{ k }}': 1.0}"
    )
    _, [_, made] = send("jira", f"{{{KEYS}, summary: s, fields: {given}}}", answers=[NONE, MADE])
    assert fields(made)["a"] == 1
    assert fields(made)["b"] == {"firing": ["x", 1.5, True]}
    assert fields(made)["project"] == {"key": "MINE"}
    assert b'{"fields":{"a":1,"b":' in made.body
    assert b'"{{ k }}":1' in made.body


def test_long_texts_are_cut_in_characters() -> None:
    keys = f"{{{KEYS}, summary: {'ä' * 300}, description: {'ö' * 40_000}}}"
    _, [_, made] = send("jira", keys, answers=[NONE, MADE])
    assert fields(made)["summary"] == "ä" * (MAX_SUMMARY - 1) + "…"
    assert fields(made)["description"] == "ö" * (MAX_DESCRIPTION - 1) + "…"


@pytest.mark.parametrize("url", ["http://@HTTP@/rest/api/3", "http://@HTTP@/rest/api/3/"])
def test_the_third_api_takes_a_document(url: str) -> None:
    document = ' {"type" : "doc", "n": 1.0, "text":"a  \\u00e4 \\" <b>", "type": "doc"}\n'
    keys = f"{{api_url: '{url}', {OWN}, summary: s, priority: '', description: {json.dumps(document)}}}"
    _, [search, made] = send("jira", keys, answers=[NONE, MADE])
    assert search.line == "POST /rest/api/3/search HTTP/1.1"
    assert made.body.startswith(
        b'{"fields":{"description":{"type":"doc","n":1.0,"text":"a  \\u00e4 \\" \\u003cb\\u003e",'
    )


@pytest.mark.parametrize("text", ["no JSON", '{"a": NaN}', '{"a":', "[" * 30_000])
def test_a_document_that_is_none_is_not_sent(text: str) -> None:
    keys = f"{{api_url: 'http://@HTTP@/rest/api/3', {OWN}, description: {json.dumps(text)}}}"
    [outcome], requests = send("jira", keys, answers=[NONE])
    assert (outcome.success, outcome.retry, outcome.reason, len(requests)) == (False, False, "other", 1)
    assert outcome.error.startswith("description: Jira's API 3 takes a document in JSON")


def test_the_cloud_is_searched_elsewhere() -> None:
    _, [search, made] = send("jira", f"{{{KEYS}, api_type: cloud}}", answers=[NONE, MADE])
    assert search.line == "POST /rest/api/3/search/jql HTTP/1.1"
    assert made.line == "POST /rest/api/2/issue HTTP/1.1"


@pytest.mark.parametrize(
    ("answer", "retry", "reason"),
    [
        ((302, b""), False, "other"), ((400, b"hush-word"), False, "clientError"),
        ((404, b""), False, "clientError"), ((429, b""), True, "rateLimited"),
        ((500, b""), True, "serverError"), ((0, b""), False, "other"),
    ],
)  # fmt: skip
def test_what_is_tried_again(answer: tuple[int, bytes], retry: bool, reason: str) -> None:
    for answers in ([answer], [NONE, answer], [found(), answer]):
        [outcome], _ = send("jira", f"{{{KEYS}}}", answers=answers)
        assert (outcome.success, outcome.retry, outcome.reason) == (False, retry, reason)
        assert outcome.error.startswith("failed to ")
        assert "hush" not in outcome.error


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"[]", b'{"issues":{"a":1}}', b'{"issues":[1]}', b'{"issues":[{"key":5}]}', b"[" * 70_000],
)
def test_a_search_that_cannot_be_read(body: bytes) -> None:
    [outcome], requests = send("jira", f"{{{KEYS}}}", answers=[(200, body)])
    assert (outcome.success, outcome.retry, outcome.reason, len(requests)) == (False, False, "other", 1)
    assert outcome.error.startswith("failed to look up existing issues: Jira's answer ")


def test_silence_until_the_deadline_is_not_tried_again() -> None:
    async def story() -> None:
        held: list[asyncio.StreamWriter] = []
        server = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        sender = make_sender(
            section("jira", f"{{api_url: '{url}', {OWN}}}"),
            contexts=TLSContexts(),
            renderer=TemplateRenderer(TemplateFiles()),
            clock=CLOCK,
        )
        outcome = await sender.send(notification_of(), CLOCK.now() + SECOND // 10)
        assert (outcome.success, outcome.retry, outcome.reason) == (False, False, "other")
        await sender.close()
        for writer in held:
            writer.close()
            await writer.wait_closed()
        server.close()
        await server.wait_closed()

    asyncio.run(story())


def test_a_template_that_fails_is_not_tried_again() -> None:
    broken = "'{{ template \"none\" . }}'"
    for name, asked in (("project", 0), ("summary", 1), ("priority", 1)):
        given = {"project": "OPS", "summary": "s", "priority": "P"} | {name: broken}
        keys = ", ".join(f"{key}: {value}" for key, value in given.items())
        [outcome], requests = send(
            "jira", f"{{api_url: 'http://@HTTP@/', issue_type: Bug, {keys}}}", answers=[NONE]
        )
        assert (outcome.success, outcome.retry, len(requests)) == (False, False, asked)


def test_it_is_shown_as_alertmanager_shows_it() -> None:
    keys = (
        "{project: OPS, issue_type: Bug, summary: {template: s, enable_update: false}, description: '',"
        " reopen_duration: 30d, fields: {b: 1, a: {c: x}}, labels: [x]}"
    )
    assert shown("jira", keys, global_="{jira_api_url: 'http://u:hush@x/y'}") == (
        "send_resolved: true\n"
        "api_url: http://u:xxxxx@x/y\n"
        "api_type: auto\n"
        "project: OPS\n"
        "summary:\n"
        "  template: s\n"
        "  enable_update: false\n"
        "labels:\n"
        "- x\n"
        "priority: '{{ template \"jira.default.priority\" . }}'\n"
        "issue_type: Bug\n"
        "reopen_duration: 30d\n"
        "fields:\n"
        "  a:\n"
        "    c: x\n"
        "  b: 1"
    )
    assert "hush" not in repr(section("jira", "{api_url: 'http://u:hush@x/y', project: O, issue_type: B}"))


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ("{api_url: 'http://x', issue_type: B}", "missing project in jira_config"),
        ("{api_url: 'http://x', project: O}", "missing issue_type in jira_config"),
        ("{project: O, issue_type: B}", "no api_url, and no jira_api_url in global"),
        ("{api_url: 'http://x', project: O, issue_type: B, api_type: own}", "unknown api_type 'own'"),
        ("{api_url: 'http://x', project: O, issue_type: B, summary: [s]}", "expected a map, found a list"),
        ("{api_url: 'http://x', project: O, issue_type: B, summary: {text: s}}", "unknown key 'text'"),
        ("{api_url: 'http://x', project: O, issue_type: B, reopen_duration: 5}", "not a valid duration"),
    ],
)
def test_what_is_refused(keys: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        section("jira", keys)
    assert error in str(caught.value)
    assert "/etc/am.yml:6:" in str(caught.value)
