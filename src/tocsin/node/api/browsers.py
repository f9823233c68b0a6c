"""What pages of other sites, open in the browser of somebody who reaches the API, may do here.

By default everything, as in Alertmanager. A page can then silence all alerts of an API without credentials,
and by DNS rebinding (a name that it points to our address) also read everything.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers

from tocsin.dataclass import dataclass

_READING = frozenset(("GET", "HEAD"))


@dataclass(frozen=True, slots=True)
class BrowserRules:
    """``cross_origin`` (``--web.cross-origin``): whether pages of other sites may call us. ``hosts``
    (``--web.allowed-host``): the names and addresses, without ports, by which we may be called; none: any."""

    cross_origin: bool = True
    hosts: frozenset[str] = frozenset()

    def problem(self, method: str, headers: Headers) -> str:
        """Why a request is refused; empty: it is not."""
        host = headers.get("host", "")
        if self.hosts and _name(f"//{host}") not in self.hosts:
            return "this host is not among those of --web.allowed-host"
        origin = headers.get("origin")
        if self.cross_origin or origin is None or method in _READING:
            return ""
        if is_foreign(headers):
            return "pages of other sites may change nothing here (--web.cross-origin)"
        return ""


ANY = BrowserRules()


def is_foreign(headers: Headers, external: str = "") -> bool:
    """Whether a page of another site sends this. ``external``: an authority that leads here too.

    A browser sends ``Sec-Fetch-Site: same-origin`` for requests to the page's own origin, whatever a proxy
    does to the host, and a page cannot set that header.
    """
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
    if headers.get("sec-fetch-site") == "same-origin":
        return False
    authority = _authority(origin)
    return not authority or authority not in (headers.get("host", "").lower(), external.lower())


def _authority(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


def _name(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""
