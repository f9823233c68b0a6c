"""Prints or records the requests and answers of a receiver test, with secrets masked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final
from urllib.parse import parse_qsl, urlencode

from tocsin.models.receivertried import Header, HttpAnswer, HttpRequest, Mail, MailReply
from tocsin.notify.integrations.base import Answer
from tocsin.text import plain

LONGEST_SHOWN: Final = 16 * 1024
"""Characters of a body that are printed."""
_HIDDEN: Final = frozenset(("authorization", "proxy-authorization", "cookie", "set-cookie", "x-auth-token"))
_ROLE: Final = (
    b"<AssumeRoleResult><AccessKeyId>DRYRUN</AccessKeyId><SecretAccessKey>dry-run</SecretAccessKey>"
    b"<SessionToken>dry-run</SessionToken></AssumeRoleResult>"
)
"""AWS's answer to AssumeRole in a dry run."""
_DRY: Final = b'{"ok":true,"success":true,"access_token":"dry-run","result":{"message_id":1},"issues":[]}'
"""The answer of every kind of server in a dry run, so that all requests are made."""


class Printer:
    """Prints each request and answer. Implements ``Watcher``. ``mask`` replaces secrets in a text."""

    def __init__(self, mask: Callable[[str], str], *, dry: bool) -> None:
        self._mask, self.dry = mask, dry
        self.last: Answer | None = None

    def sending(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes
    ) -> Answer | None:
        """Print a request."""
        self._say(f"> {method} ", _unescaped(url))
        for name, value in headers:
            self._say(f"> {name}: ", "<secret>" if name.lower() in _HIDDEN else value)
        self._say("> ", body.decode("utf-8", "replace"))
        return _instead(body) if self.dry else None

    def answered(self, answer: Answer) -> None:
        """Print an answer."""
        self.last = answer
        print(f"< {answer.status}")
        for name, value in answer.headers.items():
            self._say(f"< {name}: ", "<secret>" if name.lower() in _HIDDEN else value)
        self._say("< ", answer.body.decode("utf-8", "replace"))

    def mailing(self, sender: str, recipients: Sequence[str], data: bytes) -> None:
        """Print a mail."""
        self._say("> MAIL FROM:", f"<{sender}>")
        for recipient in recipients:
            self._say("> RCPT TO:", f"<{recipient}>")
        self._say("> ", _text_of_mail(data))

    def replied(self, step: str, code: int, message: str) -> None:
        """Print a mail server's reply."""
        self._say(f"< {step}: ", f"{code} {message}")

    def _say(self, begin: str, text: str) -> None:
        masked = self._mask(text).strip()
        for line in masked[:LONGEST_SHOWN].splitlines():
            # A backslash stays as it is, since JSON has its own; control characters are removed.
            print(begin + "".join(each if each.isprintable() else plain(each) for each in line))
        if len(masked) > LONGEST_SHOWN:
            print(f"{begin}… and {len(masked) - LONGEST_SHOWN} characters more")


class Recorder:
    """Records requests and answers, uncut. Implements ``Watcher``."""

    def __init__(self, mask: Callable[[str], str], *, dry: bool) -> None:
        self._mask, self.dry = mask, dry
        self.last: Answer | None = None
        self._requests: list[tuple[str, str, tuple[Header, ...], str]] = []
        self._answers: dict[int, HttpAnswer] = {}
        self.mails: list[Mail] = []
        self.replies: list[MailReply] = []

    @property
    def requests(self) -> tuple[HttpRequest, ...]:
        """The requests in order, each with its answer."""
        return tuple(
            HttpRequest(method=method, url=url, headers=headers, body=body, answer=self._answers.get(number))
            for number, (method, url, headers, body) in enumerate(self._requests, 1)
        )

    def sending(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes
    ) -> Answer | None:
        """Record a request."""
        text = self._mask(body.decode("utf-8", "replace"))
        self._requests.append((method, self._mask(_unescaped(url)), self._headers(headers), text))
        return _instead(body) if self.dry else None

    def answered(self, answer: Answer) -> None:
        """Record the answer to the last request."""
        self.last = answer
        self._answers[len(self._requests)] = HttpAnswer(
            status=answer.status,
            headers=self._headers(answer.headers.items()),
            body=self._mask(answer.body.decode("utf-8", "replace")),
        )

    def mailing(self, sender: str, recipients: Sequence[str], data: bytes) -> None:
        """Record a mail."""
        self.mails.append(
            Mail(
                sender=self._mask(sender),
                recipients=tuple(map(self._mask, recipients)),
                data=self._mask(_text_of_mail(data)),
            )
        )

    def replied(self, step: str, code: int, message: str) -> None:
        """Record a mail server's reply."""
        self.replies.append(MailReply(step=step, code=code, message=self._mask(message)))

    def _headers(self, headers: Iterable[tuple[str, str]]) -> tuple[Header, ...]:
        return tuple(
            Header(name=name, value="<secret>" if name.lower() in _HIDDEN else self._mask(value))
            for name, value in headers
        )


def _instead(body: bytes) -> Answer:
    told = _ROLE if b"Action=AssumeRole" in body else _DRY
    return Answer(200, {"content-type": "application/json"}, told)


def _text_of_mail(data: bytes) -> str:
    return data.removesuffix(b"\r\n.\r\n").decode("utf-8", "replace")


def _unescaped(url: str) -> str:
    """The URL with its parameters unescaped, so that secrets among them are recognized."""
    address, mark, query = url.partition("?")
    return address + mark + urlencode(parse_qsl(query, keep_blank_values=True), safe="", quote_via=_as_it_is)


def _as_it_is(text: str | bytes, *_: object) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text
