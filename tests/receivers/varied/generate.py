"""Cases made by chance: a captured section with some of its keys changed, alerts, and answers.

What a key may hold is found out from the section's class. Case ``number`` of a seed is always the same.
"""

from __future__ import annotations

import copy
import inspect
import re
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any, Final

import yaml

from tests.receivers.captures import Capture, load
from tests.receivers.scripted import Answer
from tests.receivers.varied.texts import FAILING, alerts, resolved, text
from tocsin.config.schema import Option, Section
from tocsin.notify.integrations.registry import registered

STATUSES: Final = (
    *(201, 202, 204, 299, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 408, 409, 410),
    *(413, 418, 422, 429, 499, 500, 501, 502, 503, 504, 507, 599),
)
BODIES: Final = (
    "",
    "ok",
    "no",
    "not ok ä",
    "{}",
    "null",
    "[]",
    "{",
    '{"ok":false,"error":"odd"}',
    '{"ok":true}',
    '{"success":false,"error":"odd"}',
    '{"errcode":40013,"errmsg":"odd"}',
    '{"errors":["one","two"],"status":0}',
    '{"message":"m","error":"e"}',
    "x" * 5000,
)
ADDRESS: Final = re.compile(r"https?://(?:@HTTPS?@|PLACE-HTTPS?-)")
PRIVATE_KEYS: Final = frozenset(("http_config", "smarthost", "tls_config", "sigv4", "timeout", "threading"))
"""Keys that have ways of their own to be changed, or none."""


@dataclass(frozen=True)
class Case:
    """One receiver with one integration, and its story."""

    number: int
    kind: str
    section: dict[str, Any]
    group_by: list[str]
    steps: list[tuple[list[dict[str, Any]], list[Answer]]]
    files: dict[str, str] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    """What was changed, for people."""

    @property
    def name(self) -> str:
        """Of its receiver."""
        return f"case-{self.number}"


@cache
def bases(kind: str) -> list[tuple[Capture, dict[str, Any]]]:
    """Captures of the kind that a case may begin with, and their sections."""
    found = []
    for capture in load():
        if capture.kind != kind or capture.quirk or not capture.is_fast or capture.data.get("env"):
            continue
        config = re.sub(r"@(HTTPS?|SMTPS?|DEAD|DIR)@", r"PLACE-\1-", capture.data["config"])
        sections = yaml.safe_load(config)[f"{kind}_configs"]
        if len(sections) == 1 and not capture.data.get("global") and "@x" not in config:
            found.append((capture, sections[0]))
    return found


class Generator:
    """Makes one case."""

    def __init__(self, seed: str, number: int, kind: str) -> None:
        self.random = Random(f"{seed}/{number}/{kind}")
        self.number, self.kind = number, kind
        self.files: dict[str, str] = {}
        self.changed: list[str] = []

    def case(self) -> Case:
        random = self.random
        capture, base = random.choice(bases(self.kind))
        section = copy.deepcopy(base)
        self.files |= {
            name: re.sub(r"@(HTTPS?|SMTPS?|DEAD|DIR)@", r"PLACE-\1-", content)
            for name, content in capture.data.get("files", {}).items()
            if name != "custom.tmpl"
        }
        options = registered(self.kind).load().config.options
        names = [name for name in options if name not in PRIVATE_KEYS]
        for name in random.sample(names, min(len(names), random.choice((1, 1, 2, 3, 5, 8)))):
            self._change(section, name, options[name])
        if "http_config" in options and random.random() < 0.3:
            self._http(section)
        if self.kind == "email":
            self._mail(section)
        firing = alerts(random, str(self.number))
        group_by = ["..."] if len(firing) == 1 and random.random() < 0.2 else self._group_by()
        answers = [step.answers for step in capture.steps]
        steps = [(firing, answers[0])]
        if random.random() < 0.25:
            steps = [(firing, self._trouble(answers[0]))]
        elif random.random() < 0.6:
            steps.append((resolved(firing), answers[-1]))
        return Case(self.number, self.kind, section, group_by, steps, dict(self.files), tuple(self.changed))

    def _group_by(self) -> list[str]:
        return self.random.choice((["alertname"], ["alertname"], [], ["alertname", "job", "odd"]))

    # ---- keys

    def _change(self, section: dict[str, Any], name: str, option: Option) -> None:
        random = self.random
        plain = name.removesuffix("_file")
        if name.endswith("_file") and isinstance(section.get(plain), str) and section[plain]:
            content = section.pop(plain) + random.choice(("", "\n", "  \n", "\r\n"))
            if random.random() < 0.5:
                content = " " + content
            file = f"{self.kind}-{self.number}-{name}"
            self.files[file] = content
            section[name] = f"PLACE-DIR-/{file}"
            self.changed.append(name)
            return
        if name.endswith("_file"):
            return
        if name in section and random.random() < 0.1:
            del section[name]
            self.changed.append(f"no {name}")
            return
        if isinstance(section.get(name), str) and ADDRESS.search(section[name]):
            section[name] = self._address(section[name])
        else:
            made = self._value(option.reader, option.default)
            if (self.kind, name) == ("webex", "room_id") and made in FAILING:
                made = "room"  # Alertmanager leaves the room out then
            if made is NOTHING:
                return
            section[name] = made
        self.changed.append(name)

    def _address(self, url: str) -> str:
        found = ADDRESS.match(url)
        if found is None:
            return url
        begin, rest = found[0], url[found.end() :]
        return self.random.choice(
            (
                begin + rest.rstrip("/"),
                begin + rest.rstrip("/") + "/",
                begin + rest + "?a=b&c=%2Fd",
                begin + rest + "#fragment",
                begin + rest + "/a%20b/%C3%A4" if "?" in rest else begin + rest + "/ä b/%C3%A4",
                begin.replace("://", "://user:p%40ss@") + rest,
                begin + rest + "//double",
                begin + rest + "&q=%C3%A4" if "?" in rest else begin + rest + "/{{ .Status }}",
            )
        )

    def _value(self, reader: Any, default: Any) -> Any:
        random = self.random
        inner = inspect.getclosurevars(reader).nonlocals if inspect.isfunction(reader) else {}
        owner = getattr(reader, "__self__", None)
        name = getattr(reader, "__qualname__", "")
        if isinstance(owner, type) and issubclass(owner, Section):
            return self._section(owner)
        if name.startswith("list_of"):
            return [self._value(inner["item"], "") for _ in range(random.choice((0, 1, 2, 3)))]
        if name.startswith("map_of"):
            keys = random.sample(
                ("zebra", "alpha", "Mid", "ä <k>", "{{ .Status }}", "x-id"), random.choice((0, 1, 2, 4))
            )
            return {key: self._value(inner["value"], "") for key in keys}
        if name == "boolean":
            return random.choice((True, False))
        if name in ("template", "html_template", "secret_template"):
            return text(random)
        if name in ("text", "secret", "plain"):
            made = text(random, template=random.random() < 0.3)
            return re.sub(r"[\x00-\x1f\x7f]", "", made) if name == "secret" else made
        if "templates" in name:  # any_templates and the like: free data with templates
            return self._free(3)
        if name in ("unsigned", "integer"):
            return random.choice((0, 1, 2, 42))
        if name == "go_duration" or name == "_span":
            return random.choice(("1s", "90s", "1h30m", "0s", "2m5s"))
        return NOTHING

    def _section(self, owner: type[Section]) -> dict[str, Any]:
        found = {}
        for name, option in owner.options.items():
            if (self.kind, name) == ("opsgenie", "type"):
                # Alertmanager compiles it at load without the functions that it has when it is rendered.
                found[name] = self.random.choice(
                    ("team", "Teams", "user", "{{ .CommonLabels.job }}", "odd", "")
                )
            elif self.random.random() < 0.75:
                made = self._value(option.reader, option.default)
                if made is not NOTHING:
                    found[name] = made
        return found

    def _free(self, depth: int) -> Any:
        random = self.random
        roll = random.random()
        if depth and roll < 0.35:
            keys = random.sample(("b", "a", "{{ .Status }}", "ä<", "n"), random.choice((0, 1, 2, 3)))
            return {key: self._free(depth - 1) for key in keys}
        if depth and roll < 0.5:
            return [self._free(depth - 1) for _ in range(random.choice((0, 1, 3)))]
        return random.choice(
            (text(random), text(random), 1, -2.5, 1e21, True, None, "12", "{{ len .Alerts }}")
        )

    # ---- how it is sent

    def _http(self, section: dict[str, Any]) -> None:
        random = self.random
        given = dict(section.get("http_config") or {})
        busy = {"authorization", "basic_auth", "oauth2", "bearer_token"} & set(given)
        choices = ["headers", "redirects", "http1", "https", "proxy", "no_proxy", "insecure"]
        if not busy and self.kind not in ("slack", "webex", "sns", "incidentio"):
            choices += ["basic", "basic_file", "authorization", "bearer", "oauth2", "oauth2_file"]
        for way in random.sample(choices, random.choice((1, 1, 2))):
            self.changed.append(f"http_config {way}")
            if way == "headers":
                given["http_headers"] = {
                    "X-One": {"values": ["a", "b"]},
                    "x-two": {"secrets": ["hush"], "values": ["ä"]},
                }
            elif way == "redirects":
                given["follow_redirects"] = random.choice((True, False))
            elif way == "http1":
                given["enable_http2"] = False
            elif way in ("https", "insecure") and "proxy_url" not in given:
                self._https(section)
                given["tls_config"] = (
                    {"ca_file": "ca.pem"} if way == "https" else {"insecure_skip_verify": True}
                )
            elif way == "proxy" and "proxy_url" not in given:
                given["proxy_url"] = "http://pro:xy@PLACE-HTTP-"
            elif way == "no_proxy" and "proxy_url" not in given:
                given["proxy_url"] = "http://PLACE-DEAD-"
                given["no_proxy"] = random.choice(("127.0.0.0/8", "127.0.0.1", "*", "example.org,127.0.0.1"))
            elif way.startswith("oauth2") and not {"basic_auth", "authorization", "bearer_token"} & set(
                given
            ):
                given["oauth2"] = self._oauth2(way)
            elif way == "basic" and not {"oauth2", "authorization", "bearer_token"} & set(given):
                given["basic_auth"] = {"username": "bell ä:", "password": random.choice(("p:ä ", "made-up"))}
            elif way == "basic_file" and not {"oauth2", "authorization", "bearer_token"} & set(given):
                self.files[f"password-{self.number}"] = " hush \n"
                given["basic_auth"] = {"username": "bell", "password_file": f"password-{self.number}"}
            elif way == "authorization" and not {"oauth2", "basic_auth", "bearer_token"} & set(given):
                given["authorization"] = random.choice(
                    ({"type": "Token", "credentials": "hush"}, {"credentials": "hush hush"}, {"type": " X "})
                )
            elif way == "bearer" and not {"oauth2", "basic_auth", "authorization"} & set(given):
                given["bearer_token"] = "hush"
        section["http_config"] = given

    def _oauth2(self, way: str) -> dict[str, Any]:
        found: dict[str, Any] = {
            "client_id": "id ä&",
            "token_url": "http://PLACE-HTTP-/token",
            "scopes": self.random.choice(([], ["a"], ["a b", "ä"])),
            "endpoint_params": self.random.choice(({}, {"audience": "x y", "b": "ä"})),
        }
        if way == "oauth2":
            return found | {"client_secret": "made:up/&"}
        self.files[f"client-{self.number}"] = "from a file\n"
        return found | {"client_secret_file": f"client-{self.number}"}

    @staticmethod
    def _https(section: dict[str, Any]) -> None:
        for name, value in section.items():
            if isinstance(value, str) and "http://PLACE-HTTP-" in value:
                section[name] = value.replace("http://PLACE-HTTP-", "https://PLACE-HTTPS-")

    def _mail(self, section: dict[str, Any]) -> None:
        """Names of headers that clash, and addresses that are none, are of no interest here."""
        for name in ("to", "from"):
            if name in self.changed:
                section[name] = self.random.choice(
                    (
                        "a@example.org",
                        "a@example.org, b@example.org" if name == "to" else "A B <a@example.org>",
                        '"Ö, x" <o@example.org>',
                        "{{ .Status }}@example.org",
                        "=?utf-8?q?=C3=A4?= <q@example.org>",
                        "no address",
                        "",
                    )
                )

    # ---- answers

    def _trouble(self, good: list[Answer]) -> list[Answer]:
        random = self.random
        if self.kind == "email":
            verb = random.choice(("MAIL", "RCPT", "DATA", "END", "EHLO"))
            said = random.choice(
                ("550 no", "451 later", "552-two\r\n552 lines", "421 bye", "250 ok", "354 go on")
            )
            replies = {verb: said} if not (verb in ("DATA", "EHLO") and said[0] in "23") else {}
            self.changed.append(f"{verb} {said[:3]}")
            return [{**good[0], "replies": {**good[0].get("replies", {}), **replies}}]
        status = random.choice(STATUSES)
        # On this one Alertmanager crashes if it comes from Telegram.
        bodies = [body for body in BODIES if self.kind != "telegram" or body != '{"ok":true}']
        answer: Answer = {"status": status, "body": random.choice(bodies)}
        headers = {}
        if status in (301, 302, 303, 307, 308) and random.random() < 0.8:
            headers["Location"] = random.choice(
                ("/elsewhere", "else/where?a=b", "http://PLACE-HTTP-/else", "//[")
            )
        if random.random() < 0.3:
            headers["Retry-After"] = random.choice(("1", "3600", "soon", "Fri, 31 Dec 1999 23:59:59 GMT"))
        if random.random() < 0.4:
            headers["Content-Type"] = random.choice(
                ("application/json", "text/html", "text/plain; charset=utf-8")
            )
        if status in (204, 304):
            answer["body"] = ""
        answer["headers"] = headers
        self.changed.append(f"answers {status}")
        if random.random() < 0.2:
            answer = {"action": "close"}
            self.changed[-1] = "hangs up"
        before = good[: random.randrange(len(good))] if len(good) > 1 else []
        return [*before, answer, *(good[len(before) :] if random.random() < 0.4 else [answer])]


NOTHING: Final = object()
"""A value that is not to be given."""
