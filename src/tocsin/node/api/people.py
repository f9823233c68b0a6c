"""The caller's name, as far as the node knows it, and what callers may do.

A page of another site cannot act in the name of a user: there are no cookies, bodies are JSON, which no
form can send, and a change that comes from a foreign page is refused wherever the node knows who calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import Scope

from tocsin.dataclass import dataclass
from tocsin.node.api.browsers import is_foreign
from tocsin.node.config.commandline import CERTIFICATE, HEADER

MAX_NAME: Final = 256
"""Characters of a creator's name."""
TAKEN: Final = "/api/v2/alerts"
"""Where Prometheus posts: its path needs no creator."""
_OPEN: Final = "/api/v2/"
"""Where pages of other sites may change things as with Alertmanager (``--web.cross-origin``), if they come
with no credentials."""
_READING: Final = frozenset(("GET", "HEAD", "OPTIONS"))


@dataclass(frozen=True, slots=True)
class PeopleRules:
    """``creator_from`` (``--web.creator-from``): empty, ``certificate``, or ``header:NAME`` of a proxy.
    ``read_only`` (``--web.read-only``): only alerts are taken. ``external`` is the authority of
    ``--web.external-url``: pages that were loaded from there are ours too."""

    creator_from: str = ""
    read_only: bool = False
    external: str = ""

    def creator(self, scope: Scope) -> str:
        """Who calls; empty: not known, or nobody is to be known."""
        if self.creator_from == CERTIFICATE:
            return certificate_name(scope)
        if not self.creator_from:
            return ""
        values = Headers(scope=scope).getlist(self.creator_from.removeprefix(HEADER))
        if len(values) != 1:  # Two would be one of the proxy's and one of somebody else's.
            return ""
        try:
            name = values[0].encode("latin-1").decode().strip()
        except UnicodeDecodeError:
            return ""
        return name if name.isprintable() and len(name) <= MAX_NAME else ""

    def problem(self, method: str, path: str, scope: Scope) -> str:
        """Why a request is refused; empty: it is not. ``path`` is without the route prefix."""
        if method in _READING or path.rstrip("/") == TAKEN:
            return ""
        if self.read_only:
            return "this node is read-only (--web.read-only)"
        headers = Headers(scope=scope)
        known = bool(self.creator_from or certificate_name(scope) or "authorization" in headers)
        if (known or not path.startswith(_OPEN)) and is_foreign(headers, self.external):
            return "pages of other sites may change nothing here in somebody's name"
        if self.creator_from and not self.creator(scope):
            return "the node does not know who you are (--web.creator-from)"
        return ""


NOBODY: Final = PeopleRules()


def certificate_name(scope: Scope) -> str:
    """The common name of the client's verified certificate, else its whole subject; empty: there is none."""
    extensions: Mapping[str, Any] = scope.get("extensions") or {}
    return str((extensions.get("tls") or {}).get("client_cert_name") or "")


def subject_of(certificate: Mapping[str, Any] | None) -> str:
    """Of what ``getpeercert`` says, which says nothing of a certificate that was not verified."""
    pairs = [pair for part in (certificate or {}).get("subject", ()) for pair in part]
    common = [value for name, value in pairs if name == "commonName"]
    text = common[0] if len(common) == 1 else ", ".join(f"{name}={value}" for name, value in pairs)
    return text[:MAX_NAME] if text.isprintable() else ""
