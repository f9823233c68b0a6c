"""Parses and joins URLs as Go's HTTP client does."""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote, unquote_to_bytes, urlencode, urljoin, urlsplit

from tocsin.config.scalars import check_authority
from tocsin.dataclass import dataclass

_PORTS = {"http": 80, "https": 443}
_SAFE = "!#$%&'()*+,/:;=?@[]~"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*", re.ASCII)
_SAFE_IN_PATH = "$&+,/:;=@"
"""Beside letters, digits and ``-_.~``: what Go leaves as it is in a path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The target of a request. ``path`` includes the query, as it is sent."""

    scheme: str
    host: str
    port: int
    path: str
    username: str = ""
    password: str = ""

    @property
    def explicit_port(self) -> int | None:
        """The port, if it is not the scheme's own."""
        return None if self.port == _PORTS[self.scheme] else self.port

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.explicit_port is None else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole URL, without user and password."""
        return f"{self.scheme}://{self.authority}{self.path}"


@lru_cache(256)
def parse(url: str) -> Target:
    """An http or https URL; ``ValueError``, without the URL, for another or a broken one."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        if scheme not in _PORTS:
            raise ValueError
        check_authority(parts.netloc)
        host = (parts.hostname or "").partition("%")[0]
        port = parts.port if parts.port is not None else _PORTS[scheme]
        host = host if host.isascii() else host.encode("idna").decode()
    except (ValueError, UnicodeError):
        raise ValueError("the URL is not valid, or neither http nor https") from None
    path = quote(parts.path or "/", safe=_SAFE)
    if parts.query or "?" in url.partition("#")[0]:
        path += "?" + quote(parts.query, safe=_SAFE)
    return Target(
        scheme=scheme,
        host=host,
        port=port,
        path=path,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def follow(target: Target, location: str) -> Target:
    """Where a redirect's ``Location`` leads; ``ValueError``. User and password stay with a relative one."""
    found = parse(urljoin(target.url, location))
    try:
        relative = not urlsplit(location).netloc
    except ValueError:
        relative = False
    if not relative or (found.scheme, found.authority) != (target.scheme, target.authority):
        return found
    return replace(found, username=target.username, password=target.password)


def same_site(host: str, first: str) -> bool:
    """Whether ``host`` is ``first`` or a subdomain of it, and so may get its credentials."""
    return host == first or host.endswith(f".{first}")


def extended(url: str, more: str, **query: str) -> str:
    """``url`` with ``more``, not escaped yet, at the end of its path and ``query`` among its parameters, as a
    Go program adds to a URL: the whole path is escaped anew, and parameters that were added to are sorted."""
    address, _, fragment = url.partition("#")
    address, _, parameters = address.partition("?")
    scheme, _, rest = address.partition("://")
    authority, slash, path = rest.partition("/")
    whole = unquote_to_bytes(slash + path) + more.encode("utf-8", "replace")
    if query:
        held = [pair for pair in parse_qsl(parameters, keep_blank_values=True) if pair[0] not in query]
        parameters = urlencode(sorted([*held, *query.items()], key=lambda pair: pair[0]))
    tail = f"?{parameters}" * bool(parameters) + f"#{fragment}" * bool(fragment)
    return f"{scheme}://{authority}{quote(whole, safe=_SAFE_IN_PATH)}{tail}"


def with_slash(url: str) -> str:
    """``url`` with a slash at the end of its path."""
    path = url.partition("#")[0].partition("?")[0].partition("://")[2].partition("/")[1:]
    return url if "".join(path).endswith("/") else extended(url, "/")


def joined(url: str, more: str) -> str:
    """``url`` with the segments ``more`` below its path, without empty and dotted ones, as Go joins them."""
    address, hash_, fragment = url.partition("#")
    address, mark, query = address.partition("?")
    scheme, _, rest = address.partition("://")
    authority, _, path = rest.partition("/")
    whole = posixpath.normpath(f"/{path}/{more}".replace("//", "/"))
    return f"{scheme}://{authority}{whole}{mark}{query}{hash_}{fragment}"


def is_url(text: str) -> bool:
    """Whether Go takes it for a URL, of any scheme or of none."""
    address, _, fragment = text.partition("#")
    rest = address.partition("?")[0]
    scheme, colon, after = rest.partition(":")
    if _CONTROL.search(text) or _BAD_ESCAPE.search(fragment) or rest.startswith(":"):
        return False
    absolute = bool(colon and _SCHEME.fullmatch(scheme))
    if absolute:
        rest = after
        if not rest.startswith("/"):
            return True
    elif ":" in rest.partition("/")[0]:
        return False
    if rest.startswith("//") and (absolute or not rest.startswith("///")):
        authority, _, rest = rest[2:].partition("/")
        if authority:
            try:
                check_authority(authority)
            except ValueError:
                return False
            if " " in authority:
                return False
    return not _BAD_ESCAPE.search(rest)
