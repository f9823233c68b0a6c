"""``tocsinctl receiver``: tests a receiver of a configuration file, without a node."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from tocsin.cli.asking import say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import FILE, SECONDS, SWITCH, Argument, Command, Flag
from tocsin.errors import ConfigError
from tocsin.text import plain

if TYPE_CHECKING:
    from tocsin.alerting.notification import Notification
    from tocsin.notify.integrations.base import IntegrationConfig


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
    from time import perf_counter

    from tocsin.cli.receiverwatch import Printer, Recorder
    from tocsin.client.formats import to_json
    from tocsin.client.tocsin import as_json
    from tocsin.models.receivertried import IntegrationTried, ReceiverTried
    from tocsin.node.clock import Clock
    from tocsin.notify.integrations.base import WATCHER
    from tocsin.notify.integrations.sender import make_sender
    from tocsin.notify.integrations.tlscontext import TLSContexts
    from tocsin.notify.receivertest import hint
    from tocsin.notify.rendering import TemplateFiles, TemplateRenderer

    assert isinstance(files, TemplateFiles)  # noqa: S101
    clock, failed, dry = Clock(), 0, invocation.on("dry-run")
    receiver, json = invocation.arguments[0], invocation.output == "json"
    timeout = int(invocation.value("timeout", float) * 1e9)
    renderer, contexts = TemplateRenderer(files, invocation.text("web.external-url")), TLSContexts()
    notification = _notification(invocation, clock.now())
    tried: list[IntegrationTried] = []
    for number, section in enumerate(sections):
        name = f"{section.kind}[{number}]"
        if not json:
            print(f"== {name}")
        sender = make_sender(section, contexts=contexts, renderer=renderer, clock=clock)
        recorder = Recorder(sender.mask, dry=dry)
        watcher = recorder if json else Printer(sender.mask, dry=dry)
        WATCHER.set(watcher)
        began = perf_counter()
        try:
            outcome = await sender.send(notification, clock.now() + timeout)
        finally:
            await sender.close()
        said = "" if outcome.success else hint(outcome, watcher.last)
        failed += not outcome.success
        if json:
            tried.append(
                IntegrationTried(
                    name=f"{receiver}/{name}",
                    outcome="failed" if not outcome.success else "nothing sent" if dry else "taken",
                    reason=outcome.reason,
                    error=outcome.error,
                    hint=said,
                    took=round(perf_counter() - began, 6),
                    requests=recorder.requests,
                    mails=tuple(recorder.mails),
                    replies=tuple(recorder.replies),
                )
            )
        elif outcome.success:
            print("nothing was sent" if dry else "taken")
        else:
            print(f"FAILED ({outcome.reason}): {plain(outcome.error, 4096)}")
            print(f"hint: {said}")
    if json:
        whole = ReceiverTried(receiver=receiver, dry_run=dry, failed=failed, integrations=tuple(tried))
        say(to_json(as_json(whole)))
    return 1 if failed else 0


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
    " (secrets masked), what the server says, and a hint; with -o json as one object. Exit status 1 if one"
    " failed.",
)
