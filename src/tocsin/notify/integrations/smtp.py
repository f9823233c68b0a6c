"""One SMTP session (RFC 5321); each step has its own error. aiosmtplib speaks the protocol: replies of at
most 32 KiB, no line break within a command, and nothing received before TLS counts as received within it. It
is loaded with the first alert, or with the first mail.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import ssl
from collections.abc import Awaitable, Collection
from typing import TYPE_CHECKING, Final

from tocsin.notify.integrations.base import DOING, MAX_EXCERPT, WATCHER, NotifyError
from tocsin.notify.integrations.causes import cause
from tocsin.notify.integrations.mime import to_bytes

if TYPE_CHECKING:
    from aiosmtplib.protocol import SMTPProtocol
    from aiosmtplib.response import SMTPResponse

FAREWELL_SECONDS: Final = 5.0
"""How long the server has to answer QUIT: the mail was accepted by then, or has failed."""
MAX_CHALLENGES: Final = 4
"""Challenges of a server within one AUTH."""
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")


class ReplyTooLongError(NotifyError):
    """A reply of more than 32 KiB, or with a line of more than 8."""


class SMTPSession:
    """A connection on which one mail is sent. Each method raises :class:`NotifyError`, to be tried again."""

    def __init__(self, protocol: SMTPProtocol, host: str, *, secure: bool) -> None:
        self._protocol = protocol
        self._host = host
        self._secure = secure
        self._extensions: dict[str, str] = {}

    @classmethod
    async def connect(
        cls, host: str, port: str, *, tls: ssl.SSLContext | None = None, server_name: str = ""
    ) -> SMTPSession:
        """Connect, with TLS from the start if ``tls`` is given, and read the greeting."""
        from aiosmtplib.protocol import SMTPProtocol

        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        DOING.set(f"connect to {place}")
        loop = asyncio.get_running_loop()
        try:
            _, protocol = await loop.create_connection(  # type: ignore[call-overload]
                lambda: SMTPProtocol(loop),
                host or "localhost",
                port,
                ssl=tls,
                server_hostname=(server_name or host) if tls else None,
            )
        except (OSError, ValueError) as error:
            raise NotifyError(f"connect to {place}: {cause(error, connecting=True)}", retry=True) from None
        session = cls(protocol, host, secure=tls is not None)
        try:
            await session._step("greeting", protocol.read_response(), {220})
        except BaseException:
            session.abort()
            raise
        return session

    @property
    def extensions(self) -> dict[str, str]:
        """The server's extensions by upper-case name, with their parameters."""
        return self._extensions

    async def hello(self, name: str) -> None:
        """Send EHLO, or HELO to a server without it, which then has no extensions."""
        self._extensions = {}
        try:
            response = await self._command("EHLO", f"EHLO {name}")
        except NotifyError:
            if not self._protocol.is_connected:
                raise
            await self._command("HELO", f"HELO {name}")
            return
        for line in response.message.split("\n")[1:]:
            keyword, _, parameters = line.strip().partition(" ")
            self._extensions[keyword.upper()] = parameters.strip()

    async def start_tls(self, tls: ssl.SSLContext, server_name: str) -> None:
        """STARTTLS; the extensions that were listed before it are forgotten."""
        response = self._protocol.start_tls(tls, server_hostname=server_name or self._host)
        await self._step("STARTTLS", response, {220})
        self._secure = True
        self._extensions = {}

    async def auth_plain(self, identity: str, username: str, password: str) -> None:
        """PLAIN; refused without TLS, except to a server on this machine."""
        if not self._secure and self._host not in _LOCAL:
            raise NotifyError("AUTH PLAIN: the connection is not encrypted", retry=True)
        initial = _encoded(f"{identity}\0{username}\0{password}")
        response = await self._command("AUTH PLAIN", f"AUTH PLAIN {initial}", {334, 235})
        if response.code == 334:
            await self._give_up("AUTH PLAIN")

    async def auth_login(self, username: str, password: str) -> None:
        """LOGIN; the challenges must be the two usual ones, as in Alertmanager."""
        response = await self._command("AUTH LOGIN", "AUTH LOGIN", {334, 235})
        for _ in range(MAX_CHALLENGES):
            if response.code == 235:
                return
            question = _decoded("AUTH LOGIN", response.message).strip(b"\0 ").lower()
            answers = {b"username:": username, b"password:": password}
            if question not in answers:
                await self._give_up("AUTH LOGIN")
            response = await self._command("AUTH LOGIN", _encoded(answers[question]), {334, 235})
        await self._give_up("AUTH LOGIN")

    async def auth_cram_md5(self, username: str, secret: str) -> None:
        """CRAM-MD5 (RFC 2195)."""
        response = await self._command("AUTH CRAM-MD5", "AUTH CRAM-MD5", {334})
        challenge = _decoded("AUTH CRAM-MD5", response.message)
        digest = hmac.new(secret.encode(), challenge, "md5").hexdigest()
        await self._command("AUTH CRAM-MD5", _encoded(f"{username} {digest}"), {235})

    async def mail(self, sender: str) -> None:
        """MAIL FROM."""
        options = " BODY=8BITMIME" * ("8BITMIME" in self._extensions)
        options += " SMTPUTF8" * ("SMTPUTF8" in self._extensions)
        await self._command("MAIL", f"MAIL FROM:<{sender}>{options}")

    async def recipients(self, recipients: Collection[str]) -> None:
        """RCPT TO for each recipient; all must be accepted."""
        for recipient in recipients:
            await self._command("RCPT", f"RCPT TO:<{recipient}>", {250, 251, 252})

    async def data(self, data: bytes) -> None:
        """DATA with the mail (see :func:`tocsin.notify.integrations.mime.as_data`), and its acceptance."""
        await self._command("DATA", "DATA", {354})
        await self._step("delivery", self._sent(data), {250})

    async def _sent(self, data: bytes) -> SMTPResponse:
        self._protocol.write(data)
        return await self._protocol.read_response()

    async def quit(self) -> None:
        """QUIT, within :data:`FAREWELL_SECONDS`; a failure is ignored."""
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._command("QUIT", "QUIT", {221})
        except (NotifyError, TimeoutError):
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Drop the connection."""
        transport = self._protocol.transport
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()

    async def _give_up(self, what: str) -> None:
        await self._command(what, "*", range(600))
        raise NotifyError(f"{what}: the server asks for something unexpected", retry=True)

    async def _command(self, what: str, line: str, wanted: Collection[int] = (250,)) -> SMTPResponse:
        return await self._step(what, self._protocol.execute_command(to_bytes(line)), wanted)

    async def _step(
        self, what: str, answer: Awaitable[SMTPResponse], wanted: Collection[int]
    ) -> SMTPResponse:
        from aiosmtplib.errors import SMTPException, SMTPResponseException
        from aiosmtplib.typing import SMTPStatus

        DOING.set(what)
        watcher = WATCHER.get()
        try:
            response = await answer
        except SMTPResponseException as error:
            if watcher is not None:
                watcher.replied(what, error.code, error.message)
            if error.code == SMTPStatus.invalid_response and error.message == "Response too long":
                raise ReplyTooLongError(f"{what}: the server's reply has no end", retry=True) from None
            raise NotifyError(f"{what}: {_said(error.code, error.message)}", retry=True) from None
        except (SMTPException, OSError, ValueError) as error:
            raise NotifyError(f"{what}: {cause(error)}", retry=True) from None
        if watcher is not None:
            watcher.replied(what, response.code, response.message)
        if response.code not in wanted:
            raise NotifyError(f"{what}: {_said(response.code, response.message)}", retry=True)
        return response


def _said(code: int, message: str) -> str:
    shown = message[:MAX_EXCERPT].replace("\n", "; ")
    return shown if code < 0 else f"{code} {shown}"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decoded(what: str, message: str) -> bytes:
    try:
        return base64.b64decode(message.encode())
    except ValueError:
        raise NotifyError(f"{what}: the server's question is not base64", retry=True) from None
