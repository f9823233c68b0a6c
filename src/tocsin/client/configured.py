"""Requests by an ``http_config`` (TLS, credentials, OAuth 2.0, proxies), with the client of receivers."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from tocsin.client.http import MAX_ANSWER_BYTES, USER_AGENT, Answer, NodeURL
from tocsin.config.httpclient import HTTPClientConfig
from tocsin.config.yaml import Reading, decode, load, read_bytes
from tocsin.errors import TransportError, UserError
from tocsin.notify.integrations.base import NotifyError
from tocsin.notify.integrations.http import AnswerBounds, HTTPClient


def load_http_config(file: str) -> HTTPClientConfig:
    """A file that is an ``http_config``. :class:`~tocsin.errors.ConfigError`."""
    tree = load(decode(read_bytes(Path(file), pipes=True), file), file, Reading())
    return HTTPClientConfig() if tree is None else HTTPClientConfig.read(tree)


class ConfiguredClient:
    """As :class:`~tocsin.client.http.PlainClient`; without ``file`` proxies are the environment's."""

    def __init__(self, node_url: NodeURL, file: str, deadline: float) -> None:
        if file and node_url.user is not None:
            raise UserError("basic authentication and http.config.file are mutually exclusive")
        self._config = load_http_config(file) if file else HTTPClientConfig(proxy_from_environment=True)
        self._node_url = node_url
        self._deadline = deadline

    def request(self, method: str, target: str, body: bytes | None = None) -> Answer:
        """See :class:`~tocsin.client.http.Client`."""
        return asyncio.run(self._request(method, target, body))

    async def _request(self, method: str, target: str, body: bytes | None) -> Answer:
        left = max(self._deadline - time.monotonic(), 0.0)
        doing = f'{method.capitalize()} "{self._node_url.base}{target}"'
        # The bound on pieces is against hostile receivers; a node may send a large answer in small pieces.
        client = HTTPClient(
            self._config, bounds=AnswerBounds(bytes=MAX_ANSWER_BYTES, seconds=left, pieces=MAX_ANSWER_BYTES)
        )
        headers = [("User-Agent", USER_AGENT), ("Accept", "application/json")]
        if body is not None:
            headers.append(("Content-Type", "application/json"))
        url = f"{self._node_url.base}{target}"
        if self._node_url.user is not None:
            url = _with_credentials(url, self._node_url)
        try:
            async with asyncio.timeout(left):
                answer = await client.request(method, url, body or b"", headers=headers)
        except TimeoutError:
            raise TransportError(f"{doing}: context deadline exceeded") from None
        except NotifyError as error:
            said = str(error).replace(f'{method.capitalize()} "<redacted>": ', "", 1)
            raise TransportError(f"{doing}: {said}") from None
        finally:
            await client.close()
        return Answer(answer.status, answer.body)


def _with_credentials(url: str, node_url: NodeURL) -> str:
    from urllib.parse import quote

    both = f"{quote(node_url.user or '', safe='')}:{quote(node_url.password, safe='')}"
    return url.replace("://", f"://{both}@", 1)
