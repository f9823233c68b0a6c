"""The secrets of a capture, and where a daemon shows one.

Which keys are secret is said here anew, so that a key that Tocsin forgot is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import yaml

from tests.receivers.captures import Capture
from tests.receivers.play import Play

_KEYS: Final = re.compile(
    r"(\w*_)?(password|secret|token|token_id|credentials|bearer_token|api_key|service_key|user_key"
    r"|webhook_url|secret_key)"
)
_OF_KINDS: Final = {
    "slack": {"api_url", "slack_api_url"},
    "webhook": {"url"},
    "pagerduty": {"routing_key"},
}
PUBLIC: Final = ("/api/chat.postMessage",)
"""Slack's method stands in every configuration."""
PAGES: Final = (
    "/",
    "/metrics",
    "/api/v2/status",
    "/api/v2/receivers",
    "/api/v2/alerts",
    "/api/v2/alerts/groups",
    "/api/v2/silences",
)


def secrets_of(capture: Capture) -> set[str]:
    """All of them but those that stand elsewhere in the file, or in answers, too: there they are none."""
    texts = _texts(capture)
    found = [secret for text in texts for secret in _Secrets(capture).of(_load(text))]
    answers = [str(answer.get("body", "")) for step in capture.steps for answer in step.answers]
    public = "\n".join([*texts, *answers])

    def is_public(piece: str) -> bool:
        own = sum(secret.count(piece) for secret in found if secret in public)
        return public.count(piece) > own or piece in PUBLIC

    pieces = {piece for secret in found for piece in _pieces(secret)}
    return {piece for piece in pieces if len(piece) > 1 and not is_public(piece)}


def rude(capture: Capture) -> Capture:
    """The first step of a capture with secrets that stand nowhere else, and a server that refuses it and
    gives back what it was told."""
    secrets = _Secrets(capture, rename=True)
    texts = [_dump(secrets.rewritten(_load(text))) if text else "" for text in _texts(capture)]
    told = " ".join(secrets.made)
    mail = {"replies": {"AUTH": f"535 {told}", "MAIL": f"550 {told}"}, "ext": ["AUTH PLAIN LOGIN"]}
    answer = mail if capture.kind == "email" else {"status": 400, "echo": True}
    changed = {
        "global": texts[0],
        "config": texts[1],
        "files": secrets.files,
        "alerts": capture.data["alerts"][:1],
        "responses": [[answer]],
        "requests": [[]],
        "metrics": [{}],
        "until": ["failed"],
    }
    return Capture({**capture.data, **changed})


async def shown(play: Play) -> list[str]:
    """Where the daemon of ``play`` shows a secret; not which."""
    places = {page: (await play.get(page))[1].decode("utf-8", "replace") for page in PAGES}
    places["its log"] = play.log()
    found = []
    for number, secret in enumerate(sorted(secrets_of(play.capture))):
        before = "" if secret.startswith("/") else "(?<![A-Za-z0-9])"
        form = re.compile(rf"{before}{re.escape(secret)}(?![A-Za-z0-9])")
        found += [
            f"{place} shows secret {number} ({len(secret)} characters)"
            for place, text in places.items()
            if form.search(text)
        ]
    return found


def _texts(capture: Capture) -> list[str]:
    """``global`` and the receiver, with names of hosts that YAML takes in place of @HTTP@ and the like."""
    data = capture.data
    return [re.sub(r"@([A-Z]+)@", r"\1.invalid", str(data.get(key) or "")) for key in ("global", "config")]


def _load(text: str) -> Any:
    return yaml.safe_load(text)


def _dump(value: Any) -> str:
    text = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=10_000)
    return re.sub(r"\b(HTTPS?|SMTPS?|DEAD|DIR)\.invalid", r"@\1@", text)


class _Secrets:
    """Finds the secrets of one capture's sections, and gives them other names if asked to."""

    def __init__(self, capture: Capture, *, rename: bool = False) -> None:
        self._kind = capture.kind
        self._rename = rename
        self._found: list[str] = []
        self.files: dict[str, str] = dict(capture.data.get("files", {}))
        self.made: list[str] = []

    def of(self, value: Any) -> list[str]:
        """All secrets."""
        self._found = []
        self.rewritten(value)
        return self._found

    def rewritten(self, value: Any, key: str = "") -> Any:
        """``value`` with other secrets."""
        if isinstance(value, dict):
            return {name: self.rewritten(each, str(name)) for name, each in value.items()}
        if isinstance(value, list):
            return [self.rewritten(each, key) for each in value]
        if not isinstance(value, str):
            return value
        if key.endswith("_file") or key == "files":
            named = key.removesuffix("_file")
            file = value.rpartition("/")[2]
            if file in self.files and (key == "files" or named == "url" or _is_secret(named, self._kind)):
                self.files[file] = self._one(self.files[file])
        elif key == "secrets" or _is_secret(key, self._kind):
            return self._one(value)
        elif key == "proxy_url" and "@" in value:
            head, at, host = value.rpartition("@")
            scheme, colon, password = head.rpartition(":")
            return scheme + colon + self._one(password) + at + host
        return value

    def _one(self, secret: str) -> str:
        self._found.append(secret.strip())
        if not self._rename or "{{" in secret or not secret:
            return secret
        name = f"hush{len(self._found)}hush"
        self.made.append(name)
        if "://" not in secret:
            return name
        scheme, _, rest = secret.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}/{name}"


def _is_secret(key: str, kind: str) -> bool:
    return bool(_KEYS.fullmatch(key)) or key in _OF_KINDS.get(kind, ())


def _pieces(secret: str) -> Iterable[str]:
    """A secret; of a URL what comes after the host. What a template makes of one is not known here."""
    if "{{" in secret:
        return []
    if "://" in secret:
        _, slash, path = secret.partition("://")[2].partition("/")
        return [slash + path] if path else []
    return [secret] if secret else []
