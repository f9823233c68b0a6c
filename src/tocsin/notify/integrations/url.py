"""URLs as a client sends them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote, urljoin, urlsplit

from tocsin.config.scalars import check_authority

_PORTS = {"http": 80, "https": 443}
_SAFE = "!#$%&'()*+,/:;=?@[]~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a request goes. ``path`` holds the query too, as it is sent."""

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
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.explicit_port is None else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole URL, without user and password."""
        return f"{self.scheme}://{self.authority}{self.path}"


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
    """Where a redirect's ``Location`` leads; ``ValueError``."""
    return parse(urljoin(target.url, location))


def same_site(host: str, first: str) -> bool:
    """Whether ``host`` is ``first`` or below it: it may have the credentials that were meant for it."""
    return host == first or host.endswith(f".{first}")
