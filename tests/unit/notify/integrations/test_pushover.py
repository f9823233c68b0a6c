"""Pushover: parameters in the URL, cut texts, and keys that are in no error."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.support.receiverserver import FIRING, RESOLVED, Answer, Received, retried, section, tell
from tocsin.errors import ConfigError
from tocsin.notify.integrations.pushover import MAX_MESSAGE, MAX_TITLE, MAX_URL

KEYS = "user_key: user-secret, token: token-secret"
BY_PROXY = "http_config: {proxy_url: 'http://@HTTP@', tls_config: {ca_file: ca.pem}}"
ITEM = f"{KEYS}, {BY_PROXY}"


def parameters(request: Received) -> dict[str, str]:
    assert request.url.startswith("https://api.pushover.net/1/messages.json?")
    return dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))


def test_everything_is_in_the_url_and_the_body_is_empty(tmp_path: Path) -> None:
    [good], [request] = tell(tmp_path, "pushover", f"{ITEM}, message: 'a b&c ü', title: t, url: ''")
    assert good.success
    assert (request.method, request.body) == ("POST", b"")
    assert request.headers["content-type"] == "text/plain"
    assert request.headers["content-length"] == "0"
    assert request.url == (
        "https://api.pushover.net/1/messages.json?device=&expire=3600&message=a+b%26c+%C3%BC&priority=2&retry=60"
        "&sound=&title=t&token=token-secret&url=&url_title=&user=user-secret"
    )


def test_each_key_has_its_place(tmp_path: Path) -> None:
    item = (
        f"{ITEM}, title: 'T {{{{ .Status }}}}', message: '{{{{ .CommonAnnotations.summary }}}}',"
        " url: 'http://u/{{ .Status }}', url_title: 'L {{ .Status }}', device: 'd{{ len .Alerts }}',"
        " sound: 's {{ .Status }}', priority: '{{ len .Alerts }}', retry: 1500ms, expire: 1h1s,"
        " ttl: 2m5s, html: true"
    )
    _, [firing, resolved] = tell(tmp_path, "pushover", item, FIRING, RESOLVED)
    assert parameters(firing) == {
        "title": "T firing",
        "message": "&lt;no space&gt;",
        "url": "http://u/firing",
        "url_title": "L firing",
        "device": "d1",
        "sound": "s firing",
        "priority": "1",
        "retry": "1",
        "expire": "3601",
        "ttl": "125",
        "html": "1",
        "token": "token-secret",
        "user": "user-secret",
    }
    assert parameters(resolved)["title"] == "T resolved"
    _, [spaced] = tell(tmp_path, "pushover", f"{ITEM}, monospace: true, message: ' ', ttl: 900ms")
    told = parameters(spaced)
    assert (told["monospace"], told["message"], "ttl" in told, "html" in told) == (
        "1",
        "(no details)",
        False,
        False,
    )


def test_texts_are_cut_by_their_characters(tmp_path: Path) -> None:
    long = "ü" * 2000
    _, [request] = tell(tmp_path, "pushover", f"{ITEM}, title: {long}, message: {long}, url: {long}")
    told = parameters(request)
    for name, limit in (("title", MAX_TITLE), ("message", MAX_MESSAGE), ("url", MAX_URL)):
        assert told[name] == "ü" * (limit - 1) + "…"


def test_keys_are_templates_and_files_are_sent_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "user").write_text("u-{{ .Status }}\n")
    item = f"user_key_file: '@DIR@/user', token: '{{{{ .Status }}}}', {BY_PROXY}"
    _, [request] = tell(tmp_path, "pushover", item)
    assert (parameters(request)["user"], parameters(request)["token"]) == ("u-firing\n", "firing")
    [missing], received = tell(tmp_path, "pushover", f"user_key_file: '@DIR@/none', token: t, {BY_PROXY}")
    assert received == []
    assert (missing.retry, missing.error) == (
        False,
        f"read user_key_file: {tmp_path / 'none'}: No such file or directory",
    )


def test_only_server_errors_and_network_trouble_are_tried_again(tmp_path: Path) -> None:
    client, server, other = (False, "clientError"), (True, "serverError"), (False, "other")
    found = retried(tmp_path, "pushover", ITEM)
    assert found == {
        **dict.fromkeys((300, 304), other),
        **dict.fromkeys((400, 404, 408, 413, 418), client),
        **dict.fromkeys((401, 403), (False, "authError")),
        429: (False, "rateLimited"),
        **dict.fromkeys((500, 503, 599), server),
    }
    [lost], _ = tell(tmp_path, "pushover", ITEM, answers=[Answer(0)])
    assert (lost.retry, lost.reason) == (True, "other")


def test_no_error_holds_a_key(tmp_path: Path) -> None:
    told = b"user-secret and token-secret are wrong"
    answers = [Answer(400, told), Answer(0), Answer(307, b"", {"Location": "ftp://user-secret"})]
    outcomes, _ = tell(tmp_path, "pushover", ITEM, *[FIRING] * 3, answers=answers)
    for outcome in outcomes:
        assert not outcome.success
        assert "user-secret" not in outcome.error
        assert "token-secret" not in outcome.error
    assert outcomes[0].error == "unexpected status code 400: <secret> and <secret> are wrong"
    assert "secret" not in repr(section("pushover", KEYS)).replace("<secret>", "")


def test_a_template_that_fails_is_not_tried_again(tmp_path: Path) -> None:
    [failed], received = tell(tmp_path, "pushover", f"{ITEM}, sound: '{{{{ template \"none\" . }}}}'")
    assert (failed.success, failed.retry, failed.reason, received) == (False, False, "other", [])


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ("token: t", "one of user_key or user_key_file must be configured"),
        ("user_key: u", "one of token or token_file must be configured"),
        (f"{KEYS}, user_key_file: f", "at most one of user_key & user_key_file must be configured"),
        (f"{KEYS}, token_file: f", "at most one of token & token_file must be configured"),
        (f"{KEYS}, html: true, monospace: true", "at most one of monospace & html must be configured"),
        (f"{KEYS}, retry: 60", "missing unit in duration"),
        (f"{KEYS}, html: true, message: '<a {{{{ .Status'", "unclosed action"),
        (f"{KEYS}, urls: x", "unknown key 'urls'"),
    ],
)
def test_what_is_refused(item: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        section("pushover", item)


def test_what_is_shown() -> None:
    shown = section("pushover", f"{KEYS}, ttl: 90s, expire: 0s, html: true").shown()
    del shown["http_config"]
    assert shown == {
        "send_resolved": True,
        "user_key": "<secret>",
        "token": "<secret>",
        "title": '{{ template "pushover.default.title" . }}',
        "message": '{{ template "pushover.default.message" . }}',
        "url": '{{ template "pushover.default.url" . }}',
        "priority": '{{ if eq .Status "firing" }}2{{ else }}0{{ end }}',
        "retry": "1m0s",
        "ttl": "1m30s",
        "html": True,
    }
