"""The configuration as the domain uses it: what ``alertmanager.yml`` says, parsed, checked and defaulted.

Plain values, made by ``tocsin.node.config``. Durations are nanoseconds. Secrets stay out of every ``repr``:
a log line cannot show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from tocsin.alerting.inhibit import InhibitRule
from tocsin.alerting.route import Route
from tocsin.alerting.timeinterval import TimeInterval
from tocsin.alerting.timestamp import SECOND

_EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuth:
    """``basic_auth``. Each is a value or a file that is read at each request; empty is not given."""

    username: str = ""
    username_file: str = ""
    password: str = field(default="", repr=False)
    password_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """``authorization``: ``TYPE CREDENTIALS`` in the header. ``bearer_token`` is this with type Bearer."""

    type: str = "Bearer"
    credentials: str = field(default="", repr=False)
    credentials_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSClientConfig:
    """``tls_config`` of a client. ``ca``, ``cert`` and ``key`` hold PEM text, the ``_file`` forms a path."""

    ca: str = ""
    ca_file: str = ""
    cert: str = ""
    cert_file: str = ""
    key: str = field(default="", repr=False)
    key_file: str = ""
    server_name: str = ""
    insecure_skip_verify: bool = False
    min_version: str = ""
    max_version: str = ""
    """``TLS10`` to ``TLS13``; empty: the default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConfig:
    """``proxy_url``, ``no_proxy``, ``proxy_from_environment``, ``proxy_connect_header``."""

    url: str = field(default="", repr=False)
    no_proxy: str = ""
    from_environment: bool = False
    connect_header: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2:
    """``oauth2``: the client-credentials grant, or the JWT bearer grant."""

    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    client_secret_file: str = ""
    scopes: tuple[str, ...] = ()
    token_url: str = ""
    endpoint_params: Mapping[str, str] = field(default_factory=lambda: _EMPTY, repr=False)
    tls: TLSClientConfig = TLSClientConfig()
    proxy: ProxyConfig = ProxyConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPHeader:
    """One of ``http_headers``: all of its values are sent, files read at each request."""

    values: tuple[str, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPClientConfig:
    """``http_config`` as in Prometheus."""

    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    oauth2: OAuth2 | None = None
    tls: TLSClientConfig = TLSClientConfig()
    proxy: ProxyConfig = ProxyConfig()
    follow_redirects: bool = True
    enable_http2: bool = True
    headers: Mapping[str, HTTPHeader] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookConfig:
    """One of ``webhook_configs``. Exactly one of ``url`` and ``url_file`` is given."""

    url: str = field(default="", repr=False)
    """A secret (it may hold a token) and a template."""
    url_file: str = ""
    http: HTTPClientConfig = HTTPClientConfig()
    """``http_config``, or else the global one."""
    max_alerts: int = 0
    """Alerts past it are left out of the message and counted there; 0 is no limit."""
    timeout: int = 0
    """Of one request; 0: only the notification's deadline."""
    send_resolved: bool = True

    @property
    def kind(self) -> str:
        """The integration's name in the notification log, the metrics and the API."""
        return "webhook"


IntegrationConfig: TypeAlias = WebhookConfig
"""Every kind of integration has ``kind`` and ``send_resolved``; this becomes a union as kinds are added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverConfig:
    """One of ``receivers``. An integration's index counts within its own kind, in the order of the file."""

    name: str
    integrations: tuple[IntegrationConfig, ...] = ()
    labels: Mapping[str, str] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalConfig:
    """``global``: defaults that are already filled in where they apply."""

    resolve_timeout: int = 5 * 60 * SECOND
    """How long an alert without an end stays firing after its last update."""
    http: HTTPClientConfig = HTTPClientConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerConfig:
    """A whole ``alertmanager.yml``, valid: every receiver and time interval that is named exists."""

    route: Route
    receivers: tuple[ReceiverConfig, ...]
    inhibit_rules: tuple[InhibitRule, ...] = ()
    time_intervals: Mapping[str, tuple[TimeInterval, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """``time_intervals`` and the deprecated ``mute_time_intervals``."""
    global_: GlobalConfig = GlobalConfig()
    templates: tuple[str, ...] = ()
    """Paths and globs, already resolved against the file's directory."""
    original: str = ""
    """The text for ``/api/v2/status``, secrets masked."""
