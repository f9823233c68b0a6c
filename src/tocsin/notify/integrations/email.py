"""Mail: what Alertmanager writes, over SMTP with TLS."""

from __future__ import annotations

import asyncio
import re
import secrets as chance
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from tocsin.alerting.notification import Notification
from tocsin.config.httpclient import WorkingFolderTLS
from tocsin.config.readers import html_template, map_of, secret, template
from tocsin.config.readers import text as plain_text
from tocsin.config.scalars import boolean, host_port
from tocsin.config.schema import Section, option
from tocsin.config.texts import HTMLTemplate, Secret, Template
from tocsin.dataclass import dataclass
from tocsin.errors import ConfigError
from tocsin.notify.integrations.base import (
    WATCHER,
    IntegrationConfig,
    Kind,
    NotifyError,
    Render,
    Services,
    Watcher,
    group_hash,
)
from tocsin.notify.integrations.mime import as_data, header_value, message, multipart
from tocsin.notify.integrations.secrets import why
from tocsin.notify.integrations.smtp import ReplyTooLongError, SMTPSession
from tocsin.notify.integrations.tlscontext import TLSFiles

_NEEDED: Final = ("aiosmtplib.protocol", "email.headerregistry", "email.policy", "email.utils")
"""Imported where they are used, as a node without mail need not have them."""
P = ParamSpec("P")
T = TypeVar("T")

MAX_SESSIONS: Final = 16
"""SMTP sessions of one integration at the same time; further mails wait."""
MAX_ADDRESSES_CHARACTERS: Final = 64 * 1024
"""Characters of ``to`` or ``from``, rendered."""
INLINE_CHARACTERS: Final = 16 * 1024
"""Characters of a mail, past which it is encoded on a thread."""
_INLINE_ADDRESSES: Final = 1024
"""Characters of ``to`` and ``from``, past which they are parsed on a thread."""

_NO_SECRET: Final = Secret("")
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f]")
_THREAD_BY: Final = ("none", "daily")


class ThreadingConfig(Section):
    """``threading``: mails of a group are shown as one conversation."""

    enabled: bool = option(boolean, default=False)
    thread_by_date: str = option(plain_text, default="")


class EmailConfig(IntegrationConfig, kind="email"):
    """One of ``email_configs``. Relative file names start at the working directory."""

    send_resolved: bool = option(boolean, default=False, always=True)
    to: str = option(template, default=Template(""))
    from_: str = option(template, default=Template(""), name="from", inherit="smtp_from")
    hello: str = option(plain_text, default="", inherit="smtp_hello")
    smarthost: str = option(host_port, default="", inherit="smtp_smarthost")
    auth_username: str = option(plain_text, default="", inherit="smtp_auth_username")
    auth_password: str = option(secret, default=_NO_SECRET, inherit="smtp_auth_password")
    auth_password_file: str = option(plain_text, default="", inherit="smtp_auth_password_file")
    auth_secret: str = option(secret, default=_NO_SECRET, inherit="smtp_auth_secret")
    auth_secret_file: str = option(plain_text, default="", inherit="smtp_auth_secret_file")
    auth_identity: str = option(plain_text, default="", inherit="smtp_auth_identity")
    headers: dict[str, str] = option(map_of(template), default={})
    html: str = option(html_template, default=HTMLTemplate('{{ template "email.default.html" . }}'))
    text: str = option(template, default=Template(""))
    require_tls: bool | None = option(boolean, default=None, inherit="smtp_require_tls")
    tls_config: WorkingFolderTLS = option(
        WorkingFolderTLS.read, default=WorkingFolderTLS(), null=None, inherit="smtp_tls_config", always=True
    )
    force_implicit_tls: bool | None = option(boolean, default=None, inherit="smtp_force_implicit_tls")
    """Whether TLS begins with the connection (SMTPS); if not given: on port 465 only."""
    threading: ThreadingConfig = option(ThreadingConfig.read, default=ThreadingConfig())

    def check(self) -> None:
        """Server and addresses are given. Headers get the names that they are sent with; To, From and Subject
        are added."""
        if not self.to:
            raise self.mark.error("missing to address in email config", "add to:")
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            if not name or _UNPRINTABLE.search(name):
                raise self.at("headers").error("a header's name is empty or holds control characters")
            usual = usual_name(name)
            if usual in headers:
                raise self.at("headers").error(f'duplicate header "{usual}" in email config', "remove one")
            headers[usual] = value
        if self.threading.enabled:
            for name in ("References", "In-Reply-To"):
                if name in headers:
                    raise self.at("headers").error(
                        f"threading.enabled conflicts with custom {name} header", "remove one of them"
                    )
            if self.threading.thread_by_date not in _THREAD_BY:
                raise self.threading.at("thread_by_date").error(
                    "threading.thread_by_date must be either 'none' or 'daily'", "add thread_by_date: daily"
                )
        if not self.smarthost:
            raise self.mark.error("no global SMTP smarthost set", "add smarthost: host:port")
        if not self.from_:
            raise self.mark.error("no global SMTP from set", "add from:")
        headers.setdefault("Subject", Template('{{ template "email.default.subject" . }}'))
        headers.setdefault("To", self.to)
        headers.setdefault("From", self.from_)
        self.amend(headers=headers)

    @property
    def server(self) -> tuple[str, str]:
        """Host and port of ``smarthost``."""
        host, _, port = self.smarthost.rpartition(":")
        return host.removeprefix("[").removesuffix("]"), port

    @property
    def implicit_tls(self) -> bool:
        """Whether TLS begins with the connection (SMTPS)."""
        return self.server[1] == "465" if self.force_implicit_tls is None else self.force_implicit_tls


def usual_name(name: str) -> str:
    """A header's name as Go writes it: ``x-the-id`` is ``X-The-Id``. An invalid name stays as it is."""
    if not _TOKEN.fullmatch(name):
        return name
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))


@dataclass(frozen=True, slots=True)
class _Mail:
    """A mail before it is written."""

    sender: str
    recipients: str
    headers: list[tuple[str, str]]
    parts: list[tuple[str, str]]

    @property
    def many_addresses(self) -> bool:
        return len(self.sender) + len(self.recipients) > _INLINE_ADDRESSES

    @property
    def size(self) -> int:
        return sum(len(text) for _, text in (*self.headers, *self.parts))


class EmailNotifier:
    """Whatever the server refuses is retried, as by Alertmanager; a failing template is not."""

    def __init__(self, config: EmailConfig, services: Services) -> None:
        self._config = config
        self._services = services
        for module in _NEEDED:
            services.needs(module)
        self._tls = TLSFiles(config.tls_config)
        self._room = asyncio.Semaphore(MAX_SESSIONS)
        self._leaving: dict[asyncio.Task[None], SMTPSession] = {}

    async def notify(self, notification: Notification) -> None:
        """One mail, on a connection of its own."""
        watcher = WATCHER.get()
        if watcher is not None and watcher.dry:
            await self._show(watcher, notification)
            return
        if self._room.locked():
            self._services.statistics.bounds_reached["mail_sessions"] += 1
        async with self._room:
            try:
                await self._converse(notification)
            except ReplyTooLongError:
                self._services.statistics.bounds_reached["mail_reply"] += 1
                raise

    async def close(self) -> None:
        """Drop connections that still wait for the answer to QUIT."""
        leaving = dict(self._leaving)
        for task, session in leaving.items():
            task.cancel()
            session.abort()  # a task that had not begun yet does not
        await asyncio.gather(*leaving, return_exceptions=True)

    async def _converse(self, notification: Notification) -> None:
        config = self._config
        host, port = config.server
        tls = await self._context() if config.implicit_tls else None
        name = config.tls_config.server_name
        session = await SMTPSession.connect(host, port, tls=tls, server_name=name)
        try:
            await self._deliver(session, notification)
        except NotifyError:
            self._leave(session)
            raise
        except BaseException:
            session.abort()
            raise
        self._leave(session)

    def _leave(self, session: SMTPSession) -> None:
        if len(self._leaving) >= MAX_SESSIONS:
            session.abort()
            return
        task = asyncio.create_task(session.quit())
        self._leaving[task] = session
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._leaving.pop(task, None)

    async def _deliver(self, session: SMTPSession, notification: Notification) -> None:
        config = self._config
        name = config.hello or "localhost"
        await session.hello(name)
        if config.require_tls is not False and not config.implicit_tls:
            if "STARTTLS" not in session.extensions:
                raise NotifyError(
                    f"'require_tls' is true (default) but {config.smarthost} does not offer STARTTLS",
                    retry=True,
                )
            await session.start_tls(await self._context(), config.tls_config.server_name)
            await session.hello(name)
        if config.auth_username and "AUTH" in session.extensions:
            await self._authenticate(session, session.extensions["AUTH"])
        mail = await self._services.compose(notification, self._render)
        sender = await _sender(mail)
        await session.mail(sender)
        recipients = await _recipients(mail)
        await session.recipients(recipients)
        data = await self._data(mail, notification)
        watcher = WATCHER.get()
        if watcher is not None:
            watcher.mailing(sender, recipients, data)
        await session.data(data)

    async def _show(self, watcher: Watcher, notification: Notification) -> None:
        """Show the watcher the mail that would be sent, without connecting to a server."""
        mail = await self._services.compose(notification, self._render)
        sender, recipients = await _sender(mail), await _recipients(mail)
        watcher.mailing(sender, recipients, await self._data(mail, notification))

    async def _data(self, mail: _Mail, notification: Notification) -> bytes:
        return await _beside(mail.size > INLINE_CHARACTERS, self._written, mail, group_hash(notification))

    def _render(self, render: Render) -> _Mail:
        config = self._config
        sender, recipients = render.text(config.from_), render.text(config.to)
        headers = [(name, render.text(value)) for name, value in sorted(config.headers.items())]
        parts: list[tuple[str, str]] = []
        if config.text:
            parts.append(("text/plain; charset=UTF-8", render.text(config.text)))
        if config.html:
            # The preferred part comes last (RFC 2046, section 5.1.4).
            parts.append(("text/html; charset=UTF-8", render.html(config.html)))
        return _Mail(sender, recipients, headers, parts)

    def _written(self, mail: _Mail, group: str) -> bytes:
        from email.utils import format_datetime, localtime

        now = localtime()
        boundary = chance.token_hex(30)
        headers = [(name, header_value(value)) for name, value in mail.headers]
        if "Message-Id" not in self._config.headers:
            number = f"{time.time_ns()}.{chance.randbits(64)}"
            headers.append(("Message-Id", f"<{number}@{socket.gethostname() or 'localhost'}>"))
        threading = self._config.threading
        if threading.enabled:
            day = f"{now:%Y-%m-%d}" if threading.thread_by_date == "daily" else ""
            root = f"<alert-{group[:16]}-{day}@alertmanager>"
            headers += [("References", root), ("In-Reply-To", root)]
        headers += [
            ("Date", format_datetime(now)),
            ("Content-Type", f"multipart/alternative;  boundary={boundary}"),
            ("MIME-Version", "1.0"),
        ]
        return as_data(message(headers, multipart(mail.parts, boundary)))

    async def _authenticate(self, session: SMTPSession, mechanisms: str) -> None:
        """Authenticate by the first mechanism in the server's list that is known and for which there are
        credentials."""
        config = self._config
        problems: list[str] = []
        for mechanism in mechanisms.upper().split(" "):
            if mechanism == "CRAM-MD5":
                secret = await self._credential("auth_secret", mechanism, problems)
                if secret:
                    return await session.auth_cram_md5(config.auth_username, secret)
            elif mechanism in ("PLAIN", "LOGIN"):
                password = await self._credential("auth_password", mechanism, problems)
                if password and mechanism == "LOGIN":
                    return await session.auth_login(config.auth_username, password)
                if password:
                    return await session.auth_plain(config.auth_identity, config.auth_username, password)
            else:
                problems.append(f"{mechanism} is unknown")
        raise NotifyError(f"no way to authenticate: {', '.join(problems)}", retry=True)

    async def _credential(self, key: str, mechanism: str, problems: list[str]) -> str:
        """A secret, from its file if there is one. Empty if it is not available, with the reason added to
        ``problems``. The file of a shared secret is used as it is, its last newline included, as by
        Alertmanager.
        """
        config, secrets = self._config, self._services.secrets
        file = config[f"{key}_file"]
        try:
            found = await secrets.read(config[key], file, strip=key == "auth_password")
        except (OSError, ValueError) as error:
            problems.append(f"{mechanism} needs {key}_file: {file}: {why(error)}")
            return ""
        if not found:
            problems.append(f"{mechanism} needs {key}")
        for said in (found, f"{config.auth_identity}\0{config.auth_username}\0{found}"):
            # A server may quote in its reply what it was sent.
            secrets.add(b64encode(said.encode()).decode())
        return found

    async def _context(self) -> ssl.SSLContext:
        try:
            return await self._tls.context()
        except ConfigError as error:
            raise NotifyError(f"TLS configuration: {error}") from None


def addresses(key: str, text: str) -> list[str]:
    """The addresses of a list as RFC 5322 has it; :class:`NotifyError`. ``key``: of the configuration."""
    from email.errors import HeaderParseError, InvalidHeaderDefect, NonASCIILocalPartDefect
    from email.headerregistry import AddressHeader
    from email.policy import SMTPUTF8

    if len(text) > MAX_ADDRESSES_CHARACTERS:
        raise NotifyError(f"'{key}' is longer than {MAX_ADDRESSES_CHARACTERS} characters")
    try:
        text.encode()
        header = SMTPUTF8.header_factory("to", text)
        assert isinstance(header, AddressHeader)  # noqa: S101
        found = [address.addr_spec for address in header.addresses]
        wrong = [
            str(defect)
            for defect in header.defects  # type: ignore[attr-defined]
            if isinstance(defect, InvalidHeaderDefect) and not isinstance(defect, NonASCIILocalPartDefect)
        ]
    except (HeaderParseError, ValueError, LookupError, AttributeError):
        found, wrong = [], ["it cannot be read"]
    if not found and not wrong:
        wrong = ["there is no address"]
    if wrong:
        raise NotifyError(f"parse '{key}' addresses: {wrong[0]}")
    return found


async def _sender(mail: _Mail) -> str:
    senders = await _beside(mail.many_addresses, addresses, "from", mail.sender)
    if len(senders) != 1:
        raise NotifyError(f"there must be exactly one 'from' address (got: {len(senders)})")
    return senders[0]


async def _recipients(mail: _Mail) -> list[str]:
    return await _beside(mail.many_addresses, addresses, "to", mail.recipients)


async def _beside(large: bool, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of ``work``, which runs on a thread if it is ``large``."""
    return await asyncio.to_thread(work, *args, **kwargs) if large else work(*args, **kwargs)


KIND: Final = Kind(EmailConfig, EmailNotifier)
