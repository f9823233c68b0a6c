"""``tocsinctl receiver test -o json``: what was sent, what the server said, and what to check."""

from __future__ import annotations

from typing import Annotated, Literal

from tocsin.models.base import Model, Seconds, said


class Header(Model):
    """A header."""

    name: str
    value: Annotated[str, said("`<secret>` instead of credentials")]


class HttpAnswer(Model):
    """What a server answered."""

    status: int
    headers: tuple[Header, ...]
    body: str


class HttpRequest(Model):
    """A request, with secrets masked; there are several where a token is asked for first."""

    method: str
    url: str
    headers: tuple[Header, ...]
    body: str
    answer: Annotated[HttpAnswer | None, said("null: none came, or it was a dry run")]


class MailReply(Model):
    """A mail server's reply to a step of the session."""

    step: str
    code: int
    message: str


class Mail(Model):
    """A mail, with secrets masked."""

    sender: str
    recipients: tuple[str, ...]
    data: Annotated[str, said("headers and body, as on the wire")]


class IntegrationTried(Model):
    """One integration."""

    name: Annotated[str, said("`team/webhook[0]`")]
    outcome: Annotated[
        Literal["taken", "nothing sent", "failed"], said("`nothing sent`: a dry run that would be sent")
    ]
    reason: Annotated[str, said("why it failed, as in tocsin_notification_failures_total")]
    error: Annotated[str, said("for people, without secrets")]
    hint: Annotated[str, said("what to check first")]
    took: Seconds
    requests: tuple[HttpRequest, ...]
    mails: tuple[Mail, ...]
    replies: Annotated[tuple[MailReply, ...], said("of a mail server, in order")]


class ReceiverTried(Model):
    """The whole test."""

    receiver: str
    dry_run: bool
    failed: Annotated[int, said("integrations that failed")]
    integrations: tuple[IntegrationTried, ...]
