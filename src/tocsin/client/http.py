"""HTTP/1.1 requests to a node, one connection each: little to load, so that a command is quick.

What needs more (an ``http_config``, a proxy) goes by :mod:`tocsin.client.configured`.
"""

from __future__ import annotations

import base64
import os
import socket
import time
from typing import Final, NamedTuple, Protocol
from urllib.parse import quote, unquote, urljoin, urlsplit

import httptools

from tocsin import __version__
from tocsin.errors import TransportError, UserError

MAX_ANSWER_BYTES: Final = 256 << 20
"""A node with 100,000 alerts answers some 50 MB."""
USER_AGENT: Final = f"tocsinctl/{__version__}"
MAX_REDIRECTS: Final = 10
_READ: Final = 256 * 1024
_MOVED: Final = frozenset({301, 302, 303})
_MOVED_AS_IT_IS: Final = frozenset({307, 308})
_PROXIES: Final = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")


class Answer(NamedTuple):
    """A node's answer."""

    status: int
    body: bytes


class _Received(NamedTuple):
    """An answer, and where it redirects to, if it does."""

    answer: Answer
    location: str


class NodeURL(NamedTuple):
    """A node's URL, taken apart. ``path`` ends without a slash."""

    scheme: str
    host: str
    port: int
    path: str
    user: str | None
    password: str
    authority: str
    """Host and port as written."""

    @property
    def base(self) -> str:
        """The URL without credentials and the last slash."""
        return f"{self.scheme}://{self.authority}{self.path}"


class Client(Protocol):
    """Makes requests to one node."""

    def request(self, method: str, target: str, body: bytes | None = None) -> Answer:
        """``target``: path and query below the URL. :class:`~tocsin.errors.TransportError`."""


def parse_url(text: str) -> NodeURL:
    """A node's URL. :class:`~tocsin.errors.UserError` for a text that is not one."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UserError(f"--alertmanager.url: {text!r} is not a URL: {error}") from None
    if not parts.netloc or not parts.hostname:
        raise UserError(f"--alertmanager.url: {text!r} is not a URL: write it as http://localhost:9093")
    scheme = parts.scheme or "http"
    authority = parts.netloc.rpartition("@")[2]
    return NodeURL(
        scheme,
        parts.hostname,
        port or (443 if scheme == "https" else 80),
        quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~"),
        unquote(parts.username) if parts.username is not None else None,
        unquote(parts.password or ""),
        authority,
    )


def wants_proxy() -> bool:
    """Whether the environment names a proxy."""
    return any(os.environ.get(name) for name in _PROXIES)


class PlainClient:
    """``deadline``: by :func:`time.monotonic`, for all that it does."""

    def __init__(self, node_url: NodeURL, deadline: float) -> None:
        self._node_url = node_url
        self._deadline = deadline

    def request(self, method: str, target: str, body: bytes | None = None) -> Answer:
        """See :class:`Client`."""
        node_url, shown = self._node_url, f"{self._node_url.base}{target}"
        target = node_url.path + target
        for _ in range(MAX_REDIRECTS):
            received = self._asked(node_url, method, target, body, f'{method.capitalize()} "{shown}"')
            status = received.answer.status
            # Do not follow a redirect that turns a POST into a GET: the change would seem done.
            if not received.location or not (
                status in _MOVED_AS_IT_IS or (status in _MOVED and method in ("GET", "HEAD"))
            ):
                return received.answer
            shown = received.location
            node_url, target = _moved(node_url, target, shown)
        raise TransportError(f'{method.capitalize()} "{shown}": stopped after {MAX_REDIRECTS} redirects')

    def _asked(
        self, node_url: NodeURL, method: str, target: str, body: bytes | None, doing: str
    ) -> _Received:
        if node_url.scheme not in ("http", "https"):
            raise TransportError(f'{doing}: unsupported protocol scheme "{node_url.scheme}"')
        try:
            return self._exchange(node_url, self._head(node_url, method, target, body) + (body or b""))
        except TimeoutError:
            raise TransportError(f"{doing}: context deadline exceeded") from None
        except (OSError, httptools.HttpParserError) as error:
            raise TransportError(f"{doing}: {_why(error, node_url)}") from None

    def _head(self, node_url: NodeURL, method: str, target: str, body: bytes | None) -> bytes:
        lines = [
            f"{method} {target} HTTP/1.1",
            f"Host: {node_url.authority}",
            f"User-Agent: {USER_AGENT}",
            "Accept: application/json",
            "Connection: close",
        ]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        if node_url.user is not None:
            both = base64.b64encode(f"{node_url.user}:{node_url.password}".encode()).decode()
            lines.append(f"Authorization: Basic {both}")
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _exchange(self, node_url: NodeURL, request: bytes) -> _Received:
        reading = _Reading()
        with socket.create_connection((node_url.host, node_url.port), self._left()) as bare:
            connection = _secured(node_url, bare)
            try:
                connection.settimeout(self._left())
                connection.sendall(request)
                while not reading.complete:
                    connection.settimeout(self._left())
                    data = connection.recv(_READ)
                    if not data:
                        break
                    reading.feed(data)
            finally:
                connection.close()
        return _Received(reading.answer(), reading.location)


def _secured(node_url: NodeURL, bare: socket.socket) -> socket.socket:
    if node_url.scheme == "http":
        return bare
    import ssl

    return ssl.create_default_context().wrap_socket(bare, server_hostname=node_url.host)


def _moved(node_url: NodeURL, target: str, location: str) -> tuple[NodeURL, str]:
    """Where an answer redirects to; another host gets no credentials."""
    try:
        url = urljoin(f"{node_url.scheme}://{node_url.authority}{target}", location)
        there, parts = parse_url(url), urlsplit(url)
    except (UserError, ValueError):
        raise TransportError(f'failed to parse Location header "{location}"') from None
    if there[:3] == node_url[:3]:
        there = there._replace(user=node_url.user, password=node_url.password)
    else:
        there = there._replace(user=None, password="")
    asked = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    return there, f"{asked}?{quote(parts.query, safe='/%:@!$&()*+,;=~?')}" if parts.query else asked


class _Reading:
    """Collects an answer, within its bound."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._size = 0
        self._headers_are_whole = False
        self.complete = False
        self.location = ""

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)
        if self._size > MAX_ANSWER_BYTES:
            raise OSError(f"the answer has more than {MAX_ANSWER_BYTES >> 20} MiB")

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"location":
            self.location = value.decode("utf-8", "replace")

    def on_headers_complete(self) -> None:
        self._headers_are_whole = True

    def on_body(self, data: bytes) -> None:
        self._size += len(data)
        self._pieces.append(data)

    def on_message_complete(self) -> None:
        self.complete = True

    def answer(self) -> Answer:
        if not self._headers_are_whole:
            raise OSError("EOF")
        return Answer(self._parser.get_status_code(), b"".join(self._pieces))


def _why(error: Exception, node_url: NodeURL) -> str:
    """As Go words it, where Go has such an error."""
    if isinstance(error, ConnectionRefusedError):
        numeric = node_url.host.replace(".", "").isdigit() or ":" in node_url.host
        address = f" {node_url.authority}" if numeric else ""
        return f"dial tcp{address}: connect: connection refused"
    if isinstance(error, socket.gaierror):
        return f"dial tcp: lookup {node_url.host}: {(error.strerror or 'no such host').lower()}"
    if isinstance(error, OSError):
        return (error.strerror or str(error) or "EOF").lower() if error.errno else str(error)
    return f"no HTTP: {error}"
