"""The attacks, and what each of them may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.faults.hostile_receivers import wire
from tests.faults.hostile_receivers.wire import Behaviour

HEAD: Final = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SHORT: Final = 10.0
LONG: Final = 60.0
"""Seconds that an attempt has: those that only time ends, and those that end by themselves."""


@dataclass(frozen=True)
class Attack:
    """A server, the section that sends to it, and how the attempt must end.

    ``error``: a part of the error; none: it counts as success. ``bound``: what is counted.
    """

    name: str
    kind: str
    section: str
    behaviour: Behaviour
    error: str = ""
    retry: bool = True
    bound: str = ""
    tls: bool = False
    seconds: float = LONG
    requests: int = 1
    """How often it is connected to, at most."""


def _http(name: str, behaviour: Behaviour, error: str = "", **more: object) -> Attack:
    scheme = "https" if more.pop("secure", False) else "http"
    section = str(more.pop("section", f"url: '{scheme}://@AT@/'"))
    return Attack(name, "webhook", section, behaviour, error, **more)  # type: ignore[arg-type]


MAIL: Final = (
    "to: a@example.org, from: b@example.org, smarthost: '@AT@', auth_username: u, auth_password: hush, "
    "send_resolved: true, require_tls: "
)


def _mail(name: str, behaviour: Behaviour, error: str, *, tls: str = "false", **more: object) -> Attack:
    return Attack(name, "email", MAIL + tls, behaviour, error, **more)  # type: ignore[arg-type]


_HANGS: Final = (
    ("greeting", "greeting"),
    ("EHLO", "EHLO"),
    ("AUTH", "AUTH PLAIN"),
    ("MAIL", "MAIL"),
    ("RCPT", "RCPT"),
    ("DATA", "DATA"),
    ("END", "delivery"),
)
_READ_AS_JSON: Final = {
    "slack": "api_url: 'http://@AT@/', channel: c",
    "rocketchat": "api_url: 'http://@AT@/', token: t, token_id: i",
    "wechat": "api_url: 'http://@AT@/', api_secret: s, corp_id: c",
    "jira": "api_url: 'http://@AT@/', project: P, issue_type: Bug",
    "telegram": "api_url: 'http://@AT@', bot_token: '1:hush', chat_id: 1",
}
_ONE_FIELD: Final = {
    "discord": "webhook_url: 'http://@AT@/', title: '{{ index .Alerts 99 }}'",
    "email": MAIL + "false, headers: {Subject: '{{ index .Alerts 99 }}'}",
    "jira": "api_url: 'http://@AT@/', project: P, issue_type: Bug, description: '{{ index .Alerts 99 }}'",
    "mattermost": "webhook_url: 'http://@AT@/', text: '{{ index .Alerts 99 }}'",
    "opsgenie": "api_url: 'http://@AT@/', api_key: k, note: '{{ index .Alerts 99 }}'",
    "pagerduty": "url: 'http://@AT@/', routing_key: k, details: {a: '{{ index .Alerts 99 }}'}",
    "rocketchat": _READ_AS_JSON["rocketchat"] + ", text: '{{ index .Alerts 99 }}'",
    "slack": _READ_AS_JSON["slack"] + ", footer: '{{ index .Alerts 99 }}'",
    "telegram": _READ_AS_JSON["telegram"] + ", message: '{{ index .Alerts 99 }}'",
    "webex": "api_url: 'http://@AT@/', room_id: r, message: '{{ index .Alerts 99 }}', "
    "http_config: {authorization: {credentials: t}}",
    "webhook": "url: 'http://@AT@/{{ index .Alerts 99 }}'",
    "wechat": _READ_AS_JSON["wechat"] + ", message: '{{ index .Alerts 99 }}'",
}
_OAUTH: Final = "url: 'http://@AT@/', http_config: {oauth2: {client_id: i, client_secret: hush, token_url: 'http://@AT@/token'}}"

ATTACKS: Final = (
    _http("takes the request and never answers", wire.silent, "deadline exceeded", seconds=SHORT),
    _http("never answers the TLS handshake", wire.silent, "deadline exceeded", secure=True, seconds=SHORT),
    _http("answers the TLS handshake with noise", wire.garbage, "tls", secure=True),
    _http(
        "has a certificate of nobody's",
        wire.answers(200),
        "failed to verify certificate",
        secure=True,
        tls=True,
    ),
    _http("answers with what is not HTTP", wire.garbage, "Post"),
    _http(
        "a head without end",
        wire.after_request(b"HTTP/1.1 200 OK\r\n", repeat=b"X-More: and more\r\n" * 500),
        "a head, or interim",
        bound="answer_head",
    ),
    _http(
        "a head in drips",
        wire.after_request(b"HTTP/1.1 200 OK\r\nX: ", repeat=b"x", pause=0.02),
        "deadline exceeded",
        seconds=SHORT,
    ),
    _http(
        "interim answers without end",
        wire.after_request(repeat=b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        "interim",
        bound="answer_head",
    ),
    _http("hangs up in its head", wire.after_request(b"HTTP/1.1 200 OK\r\nX-", close=True), "Post"),
    _http(
        "hangs up in its body",
        wire.after_request(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", close=True),
    ),
    _http(
        "a body without end",
        wire.after_request(HEAD, repeat=b"10000\r\n" + bytes(65536) + b"\r\n"),
        bound="answer_bytes",
    ),
    _http(
        "a body without end, byte by byte",
        wire.after_request(HEAD, repeat=b"1\r\nx\r\n" * 1000),
        bound="answer_pieces",
    ),
    _http("a body in drips", wire.after_request(HEAD, repeat=b"1\r\nx\r\n", pause=0.02), bound="answer_time"),
    _http(
        "a chunk of 2^63 bytes",
        wire.after_request(HEAD + b"7fffffffffffffff\r\n", repeat=bytes(65536)),
        bound="answer_bytes",
    ),
    _http("64 MiB packed into 64 KiB", wire.answers(200, wire.BOMB, "Content-Encoding: gzip")),
    _http(
        "redirects in a circle",
        wire.answers(307, b"", "Location: /again"),
        "stopped after 10 redirects",
        bound="redirects",
    ),
    _http(
        "redirects to a file", wire.answers(302, b"", "Location: file:///etc/passwd"), "the URL is not valid"
    ),
    _http(
        "a token's answer without end",
        wire.after_request(HEAD, repeat=b"10000\r\n" + bytes(65536) + b"\r\n"),
        "token",
        section=_OAUTH,
        bound="answer_bytes",
    ),
    _http("a token's answer never comes", wire.silent, "deadline exceeded", section=_OAUTH, seconds=SHORT),
    _http("a token's answer is 30,000 brackets", wire.answers(200, wire.DEEP), "token", section=_OAUTH),
    *(
        Attack(
            f"{kind}: an answer of 30,000 brackets",
            kind,
            section,
            wire.answers(200, wire.DEEP),
            kind_error,
            retry,
        )
        for (kind, section), (kind_error, retry) in zip(
            _READ_AS_JSON.items(),
            (
                ("could not unmarshal", True),
                ("could not unmarshal", True),
                ("not JSON", False),
                ("not JSON", False),
                ("is not JSON", True),
            ),
            strict=True,
        )
    ),
    Attack(
        "telegram: ok without a message",
        "telegram",
        _READ_AS_JSON["telegram"],
        wire.answers(200, b'{"ok":true}'),
    ),
    Attack(
        "webex: 7,400 characters of four bytes",
        "webex",
        "api_url: 'http://@AT@/', room_id: r, http_config: {authorization: {credentials: t}}, "
        f"message: '{'🔥' * 7400}'",
        wire.answers(200, b"{}"),
        bound="truncated",
    ),
    Attack(
        "wechat: the token is invalid (40014)",
        "wechat",
        _READ_AS_JSON["wechat"],
        wire.answers(200, b'{"access_token":"hush-token","errcode":40014,"errmsg":"invalid access_token"}'),
        "40014",
        retry=False,
    ),
    *(
        Attack(
            f"{kind}: a template of one field fails",
            kind,
            section,
            wire.mail() if kind == "email" else wire.answers(200, b'{"access_token":"t","issues":[]}'),
            "failed to render a template",
            retry=False,
        )
        for kind, section in _ONE_FIELD.items()
    ),
    *(
        _mail(
            f"mail: {step} is never answered",
            wire.mail(step),
            f"{told}: context deadline exceeded",
            seconds=SHORT,
        )
        for step, told in _HANGS
    ),
    _mail(
        "mail: hangs in the TLS handshake",
        wire.mail(tls="silent"),
        "STARTTLS: context deadline exceeded",
        tls="true",
        seconds=SHORT,
    ),
    _mail("mail: noise in the TLS handshake", wire.mail(tls="garbage"), "STARTTLS: ", tls="true"),
    _mail("mail: a greeting in drips", wire.mail(drip="greeting"), "greeting: ", seconds=SHORT),
    _mail("mail: a reply in drips", wire.mail(drip="RCPT"), "RCPT: ", seconds=SHORT),
    _mail("mail: a greeting without end", wire.mail(flood="greeting"), "greeting: ", bound="mail_reply"),
    _mail("mail: a reply without end", wire.mail(flood="MAIL"), "MAIL: ", bound="mail_reply"),
    _mail("mail: noise for a greeting", wire.garbage, "greeting: "),
    _mail("mail: hangs up at the greeting", wire.mail(close_at="greeting"), "greeting: "),
    _mail("mail: hangs up when it has the mail", wire.mail(close_at="END"), "delivery: "),
    _mail("mail: QUIT is never answered", wire.mail("QUIT"), ""),
)
