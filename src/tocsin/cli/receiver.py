"""``tocsinctl receiver``: try a receiver of a configuration file, without a node."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode

from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import FILE, SECONDS, SWITCH, Argument, Command, Flag
from tocsin.errors import ConfigError
from tocsin.text import plain

if TYPE_CHECKING:
    from tocsin.alerting.notification import Notification
    from tocsin.notify.integrations.base import Answer, IntegrationConfig
    from tocsin.notify.integrations.sender import NotifierSender

LONGEST_SHOWN: Final = 16 * 1024
"""Characters of a body."""
_HIDDEN: Final = frozenset(("authorization", "proxy-authorization", "cookie", "set-cookie", "x-auth-token"))
_ROLE: Final = (
    b"<AssumeRoleResult><AccessKeyId>DRYRUN</AccessKeyId><SecretAccessKey>dry-run</SecretAccessKey>"
    b"<SessionToken>dry-run</SessionToken></AssumeRoleResult>"
)
"""AWS's answer where a role's keys are asked for."""
_DRY: Final = b'{"ok":true,"success":true,"access_token":"dry-run","result":{"message_id":1},"issues":[]}'
"""What stands for an answer of every kind of server, so that all that would be sent is made."""


def run_test(invocation: Invocation) -> int:
    """``tocsinctl receiver test``."""
    from tocsin.node.config import load_config

    file, (wanted,) = invocation.text("config.file"), invocation.arguments
    config = load_config(file)
    known = {receiver.name: receiver for receiver in config.receivers}
    if wanted not in known:
        near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(sorted(known))}"
        raise ConfigError(file, f"there is no receiver {wanted!r}", hint)
    sections = known[wanted].integrations
    if not sections:
        raise ConfigError(file, f"the receiver {wanted!r} has no integrations")
    return asyncio.run(_test(invocation, sections, config.files))


async def _test(invocation: Invocation, sections: Sequence[IntegrationConfig], files: object) -> int:
    from tocsin.node.clock import Clock
    from tocsin.notify.integrations.base import WATCHER
    from tocsin.notify.integrations.sender import make_sender
    from tocsin.notify.integrations.tlscontext import TLSContexts
    from tocsin.notify.receivertest import hint
    from tocsin.notify.rendering import TemplateFiles, TemplateRenderer

    assert isinstance(files, TemplateFiles)  # noqa: S101
    clock, failed, dry = Clock(), 0, invocation.on("dry-run")
    timeout = int(invocation.value("timeout", float) * 1e9)
    renderer, contexts = TemplateRenderer(files, invocation.text("web.external-url")), TLSContexts()
    notification = _notification(invocation, clock.now())
    for number, section in enumerate(sections):
        print(f"== {section.kind}[{number}]")
        sender = make_sender(section, contexts=contexts, renderer=renderer, clock=clock)
        watcher = _Printer(sender, dry=dry)
        WATCHER.set(watcher)
        try:
            outcome = await sender.send(notification, clock.now() + timeout)
        finally:
            await sender.close()
        if outcome.success:
            print("nothing was sent" if dry else "taken")
        else:
            failed += 1
            print(f"FAILED ({outcome.reason}): {plain(outcome.error, 4096)}")
            print(f"hint: {hint(outcome, watcher.last)}")
    return 1 if failed else 0


class _Printer:
    """Prints each request and answer, masked. Implements ``Watcher``."""

    def __init__(self, sender: NotifierSender, *, dry: bool) -> None:
        self._sender, self.dry = sender, dry
        self.last: Answer | None = None

    def sending(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes
    ) -> Answer | None:
        """Print a request."""
        from tocsin.notify.integrations.base import Answer

        self._say(f"> {method} ", _unescaped(url))
        for name, value in headers:
            self._say(f"> {name}: ", "<secret>" if name.lower() in _HIDDEN else value)
        self._say("> ", body.decode("utf-8", "replace"))
        if not self.dry:
            return None
        told = _ROLE if b"Action=AssumeRole" in body else _DRY
        return Answer(200, {"content-type": "application/json"}, told)

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
        self._say("> ", data.removesuffix(b"\r\n.\r\n").decode("utf-8", "replace"))

    def replied(self, step: str, code: int, message: str) -> None:
        """Print what a mail server says."""
        self._say(f"< {step}: ", f"{code} {message}")

    def _say(self, begin: str, text: str) -> None:
        masked = self._sender.mask(text).strip()
        for line in masked[:LONGEST_SHOWN].splitlines():
            # A backslash stays as it is, since JSON has its own; what a terminal might obey does not.
            print(begin + "".join(each if each.isprintable() else plain(each) for each in line))
        if len(masked) > LONGEST_SHOWN:
            print(f"{begin}… and {len(masked) - LONGEST_SHOWN} characters more")


def _unescaped(url: str) -> str:
    """Parameters as they are, so that a secret among them is known for one."""
    address, mark, query = url.partition("?")
    return address + mark + urlencode(parse_qsl(query, keep_blank_values=True), safe="", quote_via=_as_it_is)


def _as_it_is(text: str | bytes, *_: object) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def _notification(invocation: Invocation, now: int) -> Notification:
    from tocsin.notify.receivertest import notification_of_test

    return notification_of_test(
        invocation.arguments[0],
        now,
        alerts=[_pairs(each.split(","), "--alert") for each in invocation.texts("alert")],
        annotations=_pairs(invocation.texts("annotation"), "--annotation"),
        resolved=invocation.on("resolved"),
        external_url=invocation.text("web.external-url"),
    )


def _pairs(written: Iterable[str], flag: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in written:
        name, equals, value = each.partition("=")
        if not equals or not name.strip():
            raise ConfigError(flag, f"{each!r} is not a NAME=VALUE", "write alertname=Full,severity=critical")
        found[name.strip()] = value
    return found


TEST: Final = Command(
    run_test,
    flags=(
        Flag("config.file", "The configuration file", FILE, default="alertmanager.yml"),
        Flag(
            "alert",
            "Labels of an alert; may be given several times (default: alertname=TocsinTest)",
            many=True,
            value="NAME=VALUE,...",
        ),
        Flag("annotation", "Of every alert; may be given several times", many=True, value="NAME=VALUE"),
        Flag("resolved", "The alerts have ended", SWITCH),
        Flag("dry-run", "Send nothing; print what would be sent", SWITCH),
        Flag("timeout", "Seconds of an attempt", SECONDS, default="30"),
        Flag("web.external-url", "For links", default="http://localhost:9093", value="URL"),
    ),
    arguments=(Argument("name", "The receiver", least=1, most=1),),
    description="Sends one notification by each integration of the receiver, once, and prints what is sent"
    " (secrets masked), what the server says, and a hint. Exit status 1 if one failed.",
)
