"""The contract of a kind of receiver: a section of the file, and a notifier that sends by it.

A module of a kind ends with ``KIND = Kind(ItsConfig, ItsNotifier)``. All else that a notifier needs is handed
to it as :class:`Services`. It reports failure by raising :class:`NotifyError`; time, secrets in errors
and faults of its own are dealt with by :mod:`tocsin.notify.integrations.sender`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Protocol, TypeVar

from tocsin.alerting.duration import format_go_duration
from tocsin.alerting.nflog import ReceiverData
from tocsin.alerting.notification import Notification
from tocsin.alerting.timestamp import SECOND, ZERO, Nanoseconds
from tocsin.config.httpclient import HTTPClientConfig
from tocsin.config.scalars import boolean
from tocsin.config.schema import Section, option
from tocsin.dataclass import dataclass
from tocsin.notify.integrations.secrets import Secrets, why
from tocsin.notify.integrations.statistics import ClientStatistics

if TYPE_CHECKING:  # Loaded with the first notification.
    from tocsin.notify.integrations.http import HTTPClient

MAX_EXCERPT: Final = 1024
"""Characters of a failed request's answer that go into the error."""

T = TypeVar("T")
C = TypeVar("C", bound="IntegrationConfig")

WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)
"""Observes the HTTP requests and the mail of the attempt under way."""

TRACER: ContextVar[RequestTracer | None] = ContextVar("tracer", default=None)
"""Traces the HTTP requests of the attempt under way."""

DOING: ContextVar[str] = ContextVar("doing", default="")
"""What the attempt under way is doing, for the error when its time is up: ``Post "<redacted>"``."""

IN_VAIN: ContextVar[bool] = ContextVar("in_vain", default=False)
"""Whether the attempt under way must not be retried if its time is up at this point."""


class Watcher(Protocol):
    """Gets what goes out, secrets included, and what comes back."""

    @property
    def dry(self) -> bool:
        """Whether this is a dry run: nothing is sent."""

    def sending(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes
    ) -> Answer | None:
        """A request is about to be sent. If this returns an answer, it counts as the server's, and nothing is
        sent."""

    def answered(self, answer: Answer) -> None:
        """The server's answer to the request."""

    def mailing(self, sender: str, recipients: Sequence[str], data: bytes) -> None:
        """A mail is about to be sent; if ``dry``, it is not. ``data``: as on the wire."""

    def replied(self, step: str, code: int, message: str) -> None:
        """A mail server's reply to a step of the session, such as ``RCPT``."""


class RequestTracer(Protocol):
    """Makes a span of each HTTP request."""

    def request(
        self, method: str, headers: list[tuple[str, str]]
    ) -> AbstractContextManager[Callable[[int], None]]:
        """A request is made, with more ``headers``; the result gets the status of the answer."""


class IntegrationConfig(Section):
    """One of ``<kind>_configs``. A subclass says its kind: ``class SlackConfig(…, kind="slack")``, and its
    own default of ``send_resolved`` if it has another."""

    kind: ClassVar[str] = ""
    send_resolved: bool = option(boolean, default=True, always=True)

    def __init_subclass__(cls, *, kind: str = "") -> None:
        super().__init_subclass__()
        if kind:
            cls.kind = kind


class HTTPIntegrationConfig(IntegrationConfig):
    """The section of an integration that sends by HTTP."""

    http_config: HTTPClientConfig = option(
        HTTPClientConfig.read, default=HTTPClientConfig(), null=None, inherit="http_config", always=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended.

    ``reason`` is one of :data:`FAILURES` for a failure;
    ``error`` is for people and never holds a secret.
    """

    success: bool
    retry: bool = False
    reason: str = ""
    error: str = ""
    receiver_data: ReceiverData | None = None
    """What the notification log stores for the integration, beside its own fields (``receiver_data``)."""


class NotifyError(Exception):
    """An attempt failed. ``retry``: whether another attempt may succeed. Secrets in the text are masked
    before anybody sees it."""

    def __init__(self, error: str, *, retry: bool = False, reason: str = "other") -> None:
        super().__init__(error)
        self.retry = retry
        self.reason = reason


async def read_secret(secrets: Secrets, value: str, file: str, *, what: str, strip: bool = True) -> str:
    """``value``, or what ``file`` holds now; :class:`NotifyError`, not to be retried, when it cannot be read.

    ``what``: the key of the file, for the error. ``strip``: whether the space around it is removed.
    """
    try:
        return await secrets.read(value, file, strip=strip)
    except (OSError, ValueError) as error:
        raise NotifyError(f"read {what}: {file}: {why(error)}") from None


def fires(notification: Notification) -> bool:
    """Whether any alert of the notification fires; otherwise all are resolved."""
    return any(alert.ends_at in (0, ZERO) for alert in notification.alerts)


def group_hash(notification: Notification) -> str:
    """The group's key as SHA-256: by it a server recognizes the group."""
    return sha256(notification.group_key.encode("utf-8", "surrogatepass")).hexdigest()


async def within(span: Nanoseconds, kind: str, request: Awaitable[T]) -> T:
    """``request``, bounded by the ``timeout`` of its section; 0 or less: only by the notification's deadline.

    :class:`NotifyError` with ``retry`` when that time is up.
    """
    if span <= 0:
        return await request
    try:
        async with asyncio.timeout(span / SECOND):
            return await request
    except TimeoutError:
        reached = f"configured {kind} timeout reached ({format_go_duration(span)})"
        raise NotifyError(f"{DOING.get()}: context deadline exceeded: {reached}", retry=True) from None


class Notifier(Protocol):
    """Sends the notifications of one integration."""

    async def notify(self, notification: Notification) -> ReceiverData | None:
        """One attempt; :class:`NotifyError` when it did not get through. Cancelled when its time is up.

        What it returns becomes ``receiver_data`` of the group's next notifications, on every node; ``None``
        leaves that as it is.
        """

    async def close(self) -> None:
        """Close kept connections."""


class Render(Protocol):
    """The templates of a configuration, on the data of one notification."""

    @property
    def data(self) -> Any:
        """The data, a :class:`tocsin.notify.template.Data`."""

    def text(self, template: str) -> str:
        """``template`` rendered as plain text."""

    def html(self, template: str) -> str:
        """``template`` rendered as HTML, with values escaped by their context."""

    def copy(self, value: Any) -> Any:
        """A copy of ``value`` (maps, lists, texts) with every text rendered and the result read as YAML."""


class Renderer(Protocol):
    """The templates of one configuration."""

    @property
    def external_url(self) -> str:
        """``--web.external-url``."""

    def prepare(self, config: IntegrationConfig) -> None:
        """Load and compile the section's templates, so that its first notification need not."""

    async def compose(self, notification: Notification, build: Callable[[Render], T]) -> T:
        """What ``build`` makes of the notification's data, without holding the event loop up.

        ``build`` does no I/O and may be called twice, the second time by another thread.
        :class:`NotifyError`, not to be retried, when a template fails or reaches a bound.
        """


class Services(Protocol):
    """What a notifier may use of the node."""

    @property
    def external_url(self) -> str:
        """``--web.external-url``."""

    @property
    def secrets(self) -> Secrets:
        """Reads the integration's secrets, and masks them in errors."""

    @property
    def statistics(self) -> ClientStatistics:
        """Counters of bounds that were reached."""

    def needs(self, module: str) -> None:
        """The first attempt uses ``module``, which takes long to import: the node does so on a thread when it
        has got its first alert."""

    def http(self, config: HTTPClientConfig) -> HTTPClient:
        """A client of this integration's own; :class:`~tocsin.errors.ConfigError`: unusable certificates."""

    async def compose(self, notification: Notification, build: Callable[[Render], T]) -> T:
        """As :meth:`Renderer.compose`."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[C]):
    """A kind of receiver: its section and its notifier."""

    config: type[C]
    notifier: Callable[[C, Services], Notifier]


@dataclass(frozen=True, slots=True)
class RetryRule:
    """Which statuses count as ``success``, and which are retried: 5xx, and ``codes``."""

    codes: Collection[int] = ()
    success: Collection[int] = range(200, 300)
    server_errors: bool = True
    details: Callable[[int, bytes], str] | None = None
    """Extracts the error's text from status and body. Without it the error has the beginning of the body."""
    reasons: bool = True
    """Whether the reason of a failure follows from the status; otherwise it is always ``other``."""

    def check(self, status: int, body: bytes) -> None:
        """:class:`NotifyError` for an answer that is not a success."""
        if status in self.success:
            return
        text = self.details(status, body) if self.details is not None else excerpt(body)
        raise NotifyError(
            f"unexpected status code {status}" + (f": {text}" if text else ""),
            retry=(self.server_errors and 500 <= status < 600) or status in self.codes,
            reason=reason_of(status) if self.reasons else "other",
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. ``body`` is cut at ``MAX_ANSWER_BYTES``."""

    status: int
    headers: dict[str, str]
    """By lower-case name; the last one of a name wins."""
    body: bytes

    def check(self, rule: RetryRule = RetryRule()) -> None:  # noqa: B008 - frozen
        """:class:`NotifyError` if it is not a success by ``rule``."""
        rule.check(self.status, self.body)


def reason_of(status: int) -> str:
    """The reason of a failure, by the status of the answer; as Alertmanager 0.34 has it."""
    if status in (401, 403):
        return "authError"
    if status == 429:
        return "rateLimited"
    return "serverError" if 500 <= status < 600 else "clientError" if 400 <= status < 500 else "other"


REASONS: Final[Sequence[str]] = (
    "clientError",
    "contextCanceled",
    "contextDeadlineExceeded",
    "other",
    "serverError",
)
"""The reasons of failures of Alertmanager 0.33."""
FAILURES: Final[Sequence[str]] = ("authError", *REASONS[:4], "rateLimited", *REASONS[4:])
"""Those of 0.34, which are ours."""
_WITHOUT_STATUS: Final = frozenset({"discord", "webex"})
"""Kinds for which Alertmanager 0.33 does not derive the reason from the status."""


def older_reason(kind: str, reason: str) -> str:
    """What Alertmanager 0.33 calls a failure of an integration of ``kind`` for a ``reason`` of 0.34."""
    if kind in _WITHOUT_STATUS and reason in ("authError", "clientError", "rateLimited", "serverError"):
        return "other"
    return "clientError" if reason in ("authError", "rateLimited") else reason


def excerpt(body: bytes) -> str:
    """The beginning of an answer, for an error."""
    return body.decode("utf-8", "replace")[:MAX_EXCERPT].strip()
