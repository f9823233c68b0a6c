"""Which answers are redirects, and which parts of a request go to their target. The rules are those of Go's
client (``net/http``) and of Prometheus' around it (``prometheus/common``): once a redirect has led to a host
that is neither the first nor a subdomain of it, no credentials are sent. Stricter than both: nor are the
secrets of ``http_headers``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, TypeAlias

from tocsin.dataclass import dataclass
from tocsin.notify.integrations.url import Target, follow, same_site

Header: TypeAlias = tuple[str, str]

MAX_REDIRECTS: Final = 9
"""Ten requests in all, as Go's client, so that a loop costs no more than with Alertmanager."""

_AS_GET: Final = frozenset((301, 302, 303))
_REDIRECTS: Final = _AS_GET | {307, 308}
_SENSITIVE: Final = frozenset(
    ("authorization", "www-authenticate", "cookie", "cookie2", "proxy-authorization", "proxy-authenticate")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request of a chain. ``foreign``: credentials for the first host must not be sent."""

    method: str
    target: Target
    headers: tuple[Header, ...]
    body: bytes
    referer: str = ""
    foreign: bool = False


def is_redirect(status: int, location: str) -> bool:
    """Whether an answer is a redirect; without a Location it is not."""
    return status in _REDIRECTS and bool(location)


def next_step(step: Step, status: int, location: str, *, first: Target) -> Step:
    """The request that a redirect asks for; ``ValueError`` for a Location that is not a valid URL.

    301, 302 and 303 become a GET without body, whatever the method was; 307 and 308 repeat the request.
    """
    target = follow(step.target, location)
    step = replace(
        step,
        target=target,
        referer=_referer(step.target, target),
        foreign=step.foreign or not same_site(target.host, first.host),
    )
    if status not in _AS_GET:
        return step
    return replace(
        step,
        method=step.method if step.method in ("GET", "HEAD") else "GET",
        body=b"",
        headers=tuple(pair for pair in step.headers if not pair[0].lower().startswith("content-")),
    )


def sensitive(name: str) -> bool:
    """Whether the header holds credentials, which no foreign host may get."""
    return name.lower() in _SENSITIVE


def without_sensitive(headers: Iterable[Header]) -> list[Header]:
    """The headers that a foreign host may get."""
    return [pair for pair in headers if not sensitive(pair[0])]


def _referer(last: Target, following: Target) -> str:
    """The ``Referer`` header; empty from https to http (RFC 9110, 10.1.3)."""
    return "" if (last.scheme, following.scheme) == ("https", "http") else last.url
