"""Mail: what is said to the server, whom it is said to, and what a bad server costs."""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import CertificateAuthority
from tests.support.routing import alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.notification import Notification
from tocsin.alerting.timestamp import SECOND
from tocsin.config.httpclient import WorkingFolderTLS
from tocsin.errors import ConfigError
from tocsin.node.clock import Clock
from tocsin.node.config.alertmanager import parse_config
from tocsin.notify.integrations.base import NotifyError, Outcome
from tocsin.notify.integrations.email import (
    MAX_ADDRESSES_CHARACTERS,
    MAX_SESSIONS,
    EmailConfig,
    ThreadingConfig,
    addresses,
    usual_name,
)
from tocsin.notify.integrations.sender import make_sender
from tocsin.notify.integrations.statistics import ClientStatistics
from tocsin.notify.integrations.tlscontext import TLSContexts
from tocsin.notify.rendering import TemplateFiles, TemplateRenderer

CLOCK = Clock()
PASSWORD = "made up, and secret"
NOTIFICATION = Notification(
    receiver="mail",
    group_key='{}:{alertname="A"}',
    group_labels=Labels({"alertname": "A"}),
    alerts=(alert(alertname="A"),),
    now=CLOCK.now(),
    reason="first notification",
)
HANG = "(never answers)"


@dataclass
class MailServer:
    """Says what it is told to say, and remembers what it was told."""

    ext: list[str] = field(default_factory=lambda: ["8BITMIME"])
    ext_tls: list[str] | None = None
    replies: dict[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    implicit: bool = False
    host: str = "127.0.0.1"
    said: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    port: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    hung: bool = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        tls = self.tls if self.implicit else None
        server = await asyncio.start_server(self._serve, self.host, 0, ssl=tls, limit=1 << 22)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks)
            self.tasks.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
            await self._talk(reader, writer)
        writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        secure = self.implicit
        verb, line = "GREETING", ""
        while True:
            answer = self.replies.get(verb, "")
            if verb == "GREETING":
                answer = answer or "220 hello"
            elif verb == "EHLO" and not answer:
                names = ["here", *(self.ext_tls if secure and self.ext_tls is not None else self.ext)]
                answer = "\r\n".join([*(f"250-{name}" for name in names[:-1]), f"250 {names[-1]}"])
            elif verb == "AUTH" and not answer:
                answer = "235 welcome"
            elif verb == "DATA":
                answer = answer or "354 go on"
            elif verb == "STARTTLS":
                answer = answer or "220 go ahead"
            if answer == HANG:
                self.hung = True
                await reader.read()
                return
            writer.write((answer or ("221 bye" if verb == "QUIT" else "250 ok")).encode() + b"\r\n")
            await writer.drain()
            if verb == "QUIT":
                return
            if verb == "STARTTLS" and answer.startswith("220"):
                assert self.tls is not None
                await writer.start_tls(self.tls)
                secure = True
            if verb == "DATA" and answer.startswith("354"):
                self.mails.append((await reader.readuntil(b"\r\n.\r\n"))[:-3])
                verb = "END"
                continue
            line = (await reader.readuntil(b"\r\n")).decode().rstrip("\r\n")
            self.said.append(line)
            verb = line.split(" ")[0].upper()
            if verb not in ("EHLO", "HELO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"):
                verb = "ANSWER"


def config_for(server: MailServer, **values: Any) -> EmailConfig:
    given: dict[str, Any] = {
        "to": "ops@example.org",
        "from_": "am@example.org",
        "smarthost": f"{server.host}:{server.port}",
        "html": "",
        "text": "{{ .Status }}",
        "require_tls": server.tls is not None,
        "headers": {"Subject": "s"},
    }
    made = EmailConfig(**given | values)
    made.check()
    return made


async def deliver(
    server: MailServer,
    notification: Notification = NOTIFICATION,
    *,
    seconds: float = 30.0,
    counts: ClientStatistics | None = None,
    **values: Any,
) -> Outcome:
    renderer = TemplateRenderer(TemplateFiles(), "http://node")
    async with server.open():
        sender = make_sender(
            config_for(server, **values),
            contexts=TLSContexts(),
            renderer=renderer,
            clock=CLOCK,
            statistics=counts,
        )
        try:
            return await sender.send(notification, CLOCK.now() + int(seconds * SECOND))
        finally:
            await sender.close()


def send(server: MailServer, **values: Any) -> Outcome:
    return asyncio.run(deliver(server, **values))


@pytest.fixture
def secured(tmp_path: Path) -> Callable[..., tuple[MailServer, WorkingFolderTLS]]:
    """A server with TLS, and the ``tls_config`` that trusts it."""
    authority = CertificateAuthority()
    (tmp_path / "ca.pem").write_bytes(authority.certificate)
    cert, key = authority.issue("127.0.0.1").write(tmp_path, "server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)

    def make(**values: Any) -> tuple[MailServer, WorkingFolderTLS]:
        server = MailServer(tls=context, ext=["STARTTLS", "AUTH PLAIN"], **values)
        return server, WorkingFolderTLS(ca_file=str(tmp_path / "ca.pem"))

    return make


def test_a_mail_is_what_a_mail_program_reads() -> None:
    server = MailServer()
    outcome = send(
        server,
        to="Ops <ops@example.org>, Größe <g@example.org>",
        from_="Bell Größe <am@example.org>",
        headers={"Subject": "{{ .Status }} ä", "x-own": "1"},
        text="{{ .CommonLabels.alertname }} ü",
        html="<p>{{ .CommonLabels.alertname }}</p>",
    )
    assert outcome == Outcome(success=True)
    assert server.said[:5] == [
        "EHLO localhost",
        "MAIL FROM:<am@example.org> BODY=8BITMIME",
        "RCPT TO:<ops@example.org>",
        "RCPT TO:<g@example.org>",
        "DATA",
    ]
    mail = email.message_from_bytes(server.mails[0], policy=email.policy.default)
    assert mail["Subject"] == "firing ä"
    assert mail["X-Own"] == "1"
    text, html = mail.iter_parts()
    assert (text.get_content_type(), text.get_content()) == ("text/plain", "A ü")
    assert (html.get_content_type(), html.get_content()) == ("text/html", "<p>A</p>")
    assert mail["Date"].datetime.tzinfo is not None
    assert re.fullmatch(r"<\d+\.\d+@\S+>", mail["Message-Id"])


def test_a_large_mail_is_put_together_beside_the_loop_and_is_the_same() -> None:
    server = MailServer()
    assert send(server, text=("." + "x" * 99 + "\n") * 1000).success
    assert server.mails[0].count(b"\r\n..xxx") == 1000


@pytest.mark.parametrize(("by", "day"), [("none", ""), ("daily", r"\d{4}-\d\d-\d\d")])
def test_mails_of_a_group_have_one_root(by: str, day: str) -> None:
    server = MailServer()
    assert send(server, threading=ThreadingConfig(enabled=True, thread_by_date=by)).success
    mail = email.message_from_bytes(server.mails[0])
    assert mail["References"] == mail["In-Reply-To"]
    key = sha256(NOTIFICATION.group_key.encode()).hexdigest()[:16]
    assert re.fullmatch(rf"<alert-{key}-{day}@alertmanager>", mail["References"])


def test_starttls_is_asked_for_and_the_name_checked(secured: Any) -> None:
    server, tls = secured()
    assert send(server, tls_config=tls) == Outcome(success=True)
    assert server.said[:3] == ["EHLO localhost", "STARTTLS", "EHLO localhost"]
    other, _ = secured()
    outcome = send(other, tls_config=tls.replaced(server_name="elsewhere.example.org"))
    assert outcome.retry
    assert outcome.error.startswith("STARTTLS: tls: failed to verify certificate: Hostname mismatch")
    assert other.said == ["EHLO localhost", "STARTTLS"]


def test_tls_from_the_start(secured: Any) -> None:
    server, tls = secured(implicit=True)
    assert send(server, tls_config=tls, force_implicit_tls=True) == Outcome(success=True)
    assert "STARTTLS" not in server.said
    assert EmailConfig(smarthost="h:465").implicit_tls
    assert not EmailConfig(smarthost="h:465", force_implicit_tls=False).implicit_tls


def test_without_starttls_nothing_is_said_in_clear_text() -> None:
    server = MailServer()
    outcome = send(server, require_tls=True, auth_username="u", auth_password=PASSWORD)
    assert outcome.retry
    assert "does not offer STARTTLS" in outcome.error
    assert server.said[0] == "EHLO localhost"
    assert not any(line.startswith(("AUTH", "MAIL")) for line in server.said)


def test_what_is_slipped_in_before_tls_is_not_believed(secured: Any) -> None:
    server, tls = secured(ext_tls=["8BITMIME"], replies={"STARTTLS": "220 go\r\n250-evil\r\n250 AUTH LOGIN"})
    outcome = send(server, tls_config=tls, auth_username="u", auth_password=PASSWORD)
    assert not any(line.startswith("AUTH") for line in server.said)
    assert outcome.success or outcome.retry


def test_missing_certificates_are_told_and_cost_the_attempt_only(secured: Any) -> None:
    server, _ = secured()
    outcome = send(server, tls_config=WorkingFolderTLS(ca_file="/nowhere/ca.pem"))
    assert (outcome.success, outcome.retry) == (False, False)
    assert "/nowhere/ca.pem" in outcome.error


PLAIN = base64.b64encode(f"id\0us:er\0{PASSWORD}".encode()).decode()


@pytest.mark.parametrize(
    ("offered", "values", "said"),
    [
        ("AUTH PLAIN", {}, [f"AUTH PLAIN {PLAIN}"]),
        ("AUTH XOAUTH2 PLAIN", {}, [f"AUTH PLAIN {PLAIN}"]),
        ("AUTH CRAM-MD5 PLAIN", {}, [f"AUTH PLAIN {PLAIN}"]),
        ("8BITMIME", {}, []),
        ("AUTH PLAIN", {"auth_username": ""}, []),
    ],
)
def test_the_first_mechanism_that_can_be_used(offered: str, values: dict[str, str], said: list[str]) -> None:
    server = MailServer(ext=[offered])
    given = {"auth_username": "us:er", "auth_identity": "id", "auth_password": PASSWORD} | values
    assert send(server, **given) == Outcome(success=True)
    assert [line for line in server.said if line.startswith("AUTH")] == said


def test_cram_md5_uses_the_secret_to_the_last_byte_of_its_file(tmp_path: Path) -> None:
    """RFC 2195's example, whose secret would be another with a line end."""
    (tmp_path / "secret").write_text("tanstaaftanstaaf")
    challenge = base64.b64encode(b"<1896.697170952@postoffice.reston.mci.net>").decode()
    server = MailServer(ext=["AUTH CRAM-MD5"], replies={"AUTH": f"334 {challenge}", "ANSWER": "235 welcome"})
    assert send(server, auth_username="tim", auth_secret_file=str(tmp_path / "secret")).success
    assert base64.b64decode(server.said[2]) == b"tim b913a602c7eda7a495b4e6e7334d3890"
    (tmp_path / "secret").write_text("tanstaaftanstaaf\n")
    server.said.clear()
    assert send(server, auth_username="tim", auth_secret_file=str(tmp_path / "secret")).success
    assert base64.b64decode(server.said[2]) != b"tim b913a602c7eda7a495b4e6e7334d3890"


def test_login_answers_the_two_known_questions_only() -> None:
    server = MailServer(
        ext=["AUTH LOGIN"], replies={"AUTH": "334 VXNlcm5hbWU6", "ANSWER": "334 UGFzc3dvcmQ6"}
    )
    outcome = send(server, auth_username="u", auth_password=PASSWORD)
    assert outcome.error == "AUTH LOGIN: the server asks for something unexpected"
    assert base64.b64decode(server.said[2]) == b"u"
    assert base64.b64decode(server.said[3]).decode() == PASSWORD
    odd = MailServer(ext=["AUTH LOGIN"], replies={"AUTH": "334 " + base64.b64encode(b"PIN?").decode()})
    outcome = send(odd, auth_username="u", auth_password=PASSWORD)
    assert outcome.error == "AUTH LOGIN: the server asks for something unexpected"
    assert odd.said[2] == "*"


def test_a_password_is_not_told_in_clear_text_to_another_machine() -> None:
    server = MailServer(ext=["AUTH PLAIN"], host="127.0.0.2")
    outcome = send(server, auth_username="u", auth_password=PASSWORD)
    assert (outcome.retry, outcome.error) == (True, "AUTH PLAIN: the connection is not encrypted")
    assert not any(line.startswith("AUTH") for line in server.said)


def test_no_way_to_authenticate_says_why() -> None:
    outcome = send(MailServer(ext=["AUTH XOAUTH2 CRAM-MD5 PLAIN"]), auth_username="u")
    assert outcome.retry
    assert outcome.error == (
        "no way to authenticate: XOAUTH2 is unknown, CRAM-MD5 needs auth_secret, PLAIN needs auth_password"
    )
    outcome = send(MailServer(ext=["AUTH PLAIN"]), auth_username="u", auth_password_file="/nowhere/pw")
    assert "PLAIN needs auth_password_file: /nowhere/pw: No such file" in outcome.error


@pytest.mark.parametrize("step", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "END", "AUTH"])
@pytest.mark.parametrize("reply", ["451 later", "550 never", "no reply at all", "250-half\r\n999999 x"])
def test_whatever_the_server_refuses_is_tried_again(step: str, reply: str) -> None:
    replies = {step: reply} | ({"HELO": reply} if step == "EHLO" else {})
    server = MailServer(ext=["AUTH PLAIN"], replies=replies)
    outcome = send(server, auth_username="u", auth_password=PASSWORD)
    assert (outcome.success, outcome.retry, outcome.reason) == (False, True, "other")
    if reply[0] in "45":
        assert reply in outcome.error


def test_a_server_without_ehlo_is_spoken_to_plainly() -> None:
    server = MailServer(replies={"EHLO": "502 what"})
    assert send(server).success
    assert server.said[:3] == ["EHLO localhost", "HELO localhost", "MAIL FROM:<am@example.org>"]


@pytest.mark.parametrize(
    ("step", "doing"),
    [
        ("GREETING", "greeting"),
        ("EHLO", "EHLO"),
        ("AUTH", "AUTH PLAIN"),
        ("MAIL", "MAIL"),
        ("RCPT", "RCPT"),
        ("DATA", "DATA"),
        ("END", "delivery"),
    ],
)
def test_a_hanging_server_costs_the_attempt_and_its_step_is_told(step: str, doing: str) -> None:
    server = MailServer(ext=["AUTH PLAIN"], replies={step: HANG})
    for seconds in (1.0, 5.0, 25.0):  # A busy machine takes longer to come to the step.
        outcome = send(server, seconds=seconds, auth_username="u", auth_password=PASSWORD)
        if server.hung:
            break
    assert outcome == Outcome(
        success=False, retry=True, reason="other", error=f"{doing}: context deadline exceeded"
    )


def test_a_reply_without_end_is_not_kept() -> None:
    endless = "\r\n".join(["250-" + "x" * 500] * 200)
    counts = ClientStatistics()
    outcome = send(MailServer(replies={"MAIL": endless}), counts=counts)
    assert (outcome.retry, outcome.error) == (True, "MAIL: the server's reply has no end")
    assert counts.bounds_reached["mail_reply"] == 1


def test_so_many_mails_of_an_integration_at_a_time() -> None:
    """More wait, and are counted."""
    more = 3
    server, counts = MailServer(replies={"EHLO": HANG}), ClientStatistics()

    async def story() -> list[Outcome]:
        async with server.open():
            sender = make_sender(
                config_for(server),
                contexts=TLSContexts(),
                renderer=TemplateRenderer(TemplateFiles(), "http://node"),
                clock=CLOCK,
                statistics=counts,
            )
            deadline = CLOCK.now() + 2 * SECOND
            return await asyncio.gather(
                *(sender.send(NOTIFICATION, deadline) for _ in range(MAX_SESSIONS + more))
            )

    outcomes = asyncio.run(story())
    assert not any(outcome.success for outcome in outcomes)
    assert counts.bounds_reached["mail_sessions"] == more


def test_a_mail_that_was_taken_is_through_even_if_nobody_says_goodbye() -> None:
    assert send(MailServer(replies={"QUIT": HANG})) == Outcome(success=True)


def test_nobody_there() -> None:
    async def story() -> Outcome:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        gone = MailServer(port=server.sockets[0].getsockname()[1])
        server.close()
        await server.wait_closed()
        renderer = TemplateRenderer(TemplateFiles(), "")
        sender = make_sender(config_for(gone), contexts=TLSContexts(), renderer=renderer, clock=CLOCK)
        return await sender.send(NOTIFICATION, CLOCK.now() + 30 * SECOND)

    outcome = asyncio.run(story())
    assert outcome.retry
    assert outcome.error.endswith(": connect: connection refused")


@pytest.mark.parametrize("key", ["text", "html", "to", "from_", "headers"])
def test_a_failing_template_sends_nothing_and_is_not_tried_again(key: str) -> None:
    broken = '{{ template "no.such" . }}'
    server = MailServer()
    outcome = send(server, **{key: {"Subject": broken} if key == "headers" else broken})
    assert (outcome.success, outcome.retry) == (False, False)
    assert "no.such" in outcome.error
    assert not any(line.startswith("MAIL") for line in server.said)


def test_no_error_tells_a_secret() -> None:
    credentials = base64.b64encode(f"\0u\0{PASSWORD}".encode()).decode()
    for said in (PASSWORD, credentials, base64.b64encode(PASSWORD.encode()).decode()):
        server = MailServer(ext=["AUTH PLAIN"], replies={"AUTH": f"535 I know {said}!"})
        outcome = send(server, auth_username="u", auth_password=PASSWORD)
        assert outcome.error == "AUTH PLAIN: 535 I know <secret>!"
    assert PASSWORD not in repr(config_for(MailServer(), auth_password=PASSWORD))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ops@example.org", ["ops@example.org"]),
        ("a@b.c,  d <e@f.g> ,", ["a@b.c", "e@f.g"]),
        ('"Döe, J" <doe@example.org>', ["doe@example.org"]),
        ("team: a@b.c, d@e.f;", ["a@b.c", "d@e.f"]),
        ("ä@example.org", ["ä@example.org"]),
        ('"two words"@example.org', ['"two words"@example.org']),
        ("", None),
        ("ops", None),
        ("Döe, J <doe@example.org>", None),
        ("a@b.c d@e.f", None),
        ("a@b.c\nBcc: d@e.f", None),
        ("\udcff@example.org", None),
        ("x" * MAX_ADDRESSES_CHARACTERS + "@example.org", None),
    ],
)
def test_addresses_are_read_strictly(text: str, found: list[str] | None) -> None:
    if found is None:
        with pytest.raises(NotifyError, match="'to'") as caught:
            addresses("to", text)
        assert not caught.value.retry
    else:
        assert addresses("to", text) == found


def test_headers_go_by_their_usual_names() -> None:
    names = ["x-the-id", "SUBJECT", "Message-Id", "not a token", "ümlaut"]
    assert [usual_name(name) for name in names] == [
        "X-The-Id",
        "Subject",
        "Message-Id",
        "not a token",
        "ümlaut",
    ]


GLOBAL = """
global:
  smtp_smarthost: '[::1]:25'
  smtp_from: g@example.org
  smtp_hello: here
  smtp_auth_password: hidden
  smtp_require_tls: true
  smtp_force_implicit_tls: true
"""


def read(section: str, globals_: str = GLOBAL) -> EmailConfig:
    text = f"{globals_}\nroute: {{receiver: a}}\nreceivers: [{{name: a, email_configs: [{section}]}}]\n"
    (receiver,) = parse_config(text, path="am.yml").receivers
    (found,) = receiver.integrations
    assert isinstance(found, EmailConfig)
    return found


def test_what_is_shown_is_what_alertmanager_shows() -> None:
    assert read("{to: x@example.org, tls_config: {}, headers: {x-a: null, subject: S}}").shown() == {
        "send_resolved": False,
        "to": "x@example.org",
        "from": "g@example.org",
        "hello": "here",
        "smarthost": "[::1]:25",
        "auth_password": "<secret>",
        "headers": {"From": "g@example.org", "Subject": "S", "To": "x@example.org", "X-A": ""},
        "html": '{{ template "email.default.html" . }}',
        "require_tls": True,
        "tls_config": {"insecure_skip_verify": False},
        "force_implicit_tls": True,
    }


def test_a_false_of_ones_own_is_not_overruled() -> None:
    found = read("{to: x@example.org, require_tls: false, force_implicit_tls: false}")
    assert (found.require_tls, found.force_implicit_tls) == (False, False)
    assert found.server == ("::1", "25")


def test_a_password_file_of_ones_own_is_not_joined_by_the_password_of_global() -> None:
    found = read("{to: x@example.org, auth_password_file: pw}")
    assert (found.auth_password, found.auth_password_file) == ("", "pw")


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("{}", "missing to address in email config"),
        ("{to: a@b.c, headers: {subject: x, Subject: y}}", 'duplicate header "Subject" in email config'),
        ('{to: a@b.c, headers: {"x\\ny": z}}', "control characters"),
        ("{to: a@b.c, threading: {enabled: true}}", "thread_by_date must be either 'none' or 'daily'"),
        (
            "{to: a@b.c, threading: {enabled: true, thread_by_date: none}, headers: {references: x}}",
            "conflicts with custom References header",
        ),
        ("{to: a@b.c, smarthost: nowhere}", "missing port in address"),
        ("{to: a@b.c, require_tls: 'true'}", "expected true or false"),
        ("{to: a@b.c, subject: x}", "unknown key 'subject'"),
    ],
)
def test_what_is_refused(section: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=r"am\.yml:\d+:\d+: ") as caught:
        read(section)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("globals_", "problem"),
    [
        ("global: {smtp_from: a@b.c}", "no global SMTP smarthost set"),
        ("global: {smtp_smarthost: 'h:25'}", "no global SMTP from set"),
    ],
)
def test_what_is_missing_from_global(globals_: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read("{to: a@b.c}", globals_)
