"""The API v2 of a node, Tocsin's or an Alertmanager's, as the tool asks it.

A refusal has amtool's message, which scripts may search for. Source: behaviour of amtool 0.33.1.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

from tocsin.client.answers import (
    Json,
    read_alerts,
    read_id,
    read_silence,
    read_silences,
    read_status,
)
from tocsin.client.http import Answer, Client, NodeURL, PlainClient, parse_url, wants_proxy
from tocsin.client.settings import Settings
from tocsin.errors import RemoteError
from tocsin.notify.integrations.json import escape

T = TypeVar("T")
_PREFIX: Final = "/api/v2"
_OK: Final = 200
"""The only status that counts as success: amtool treats 204 as a refusal too."""


class _Operation(NamedTuple):
    method: str
    path: str
    name: str
    statuses: tuple[tuple[int, str], ...]
    """The statuses in the API's description, with the names of their responses; a leading ``-``: the response
    has no text."""


_ALERTS: Final = _Operation(
    "GET", "/alerts", "getAlerts", ((400, "BadRequest"), (500, "InternalServerError"))
)
_POST_ALERTS: Final = _Operation(
    "POST", "/alerts", "postAlerts", ((400, "BadRequest"), (500, "InternalServerError"))
)
_SILENCES: Final = _Operation(
    "GET", "/silences", "getSilences", ((400, "BadRequest"), (500, "InternalServerError"))
)
_POST_SILENCES: Final = _Operation(
    "POST", "/silences", "postSilences", ((400, "BadRequest"), (404, "NotFound"))
)
_SILENCE: Final = _Operation(
    "GET", "/silence/{silenceID}", "getSilence", ((404, "-NotFound"), (500, "InternalServerError"))
)
_EXPIRE: Final = _Operation(
    "DELETE", "/silence/{silenceID}", "deleteSilence", ((404, "-NotFound"), (500, "InternalServerError"))
)
_STATUS: Final = _Operation("GET", "/status", "getStatus", ())


class ApiError(RemoteError):
    """The node refused. ``status`` is HTTP's, ``reason`` what it said, if anything."""

    def __init__(self, text: str, status: int, reason: str) -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason


class Api:
    """One node. Methods raise :class:`ApiError` and :class:`~tocsin.errors.TransportError`."""

    def __init__(self, settings: Settings) -> None:
        """:class:`~tocsin.errors.UserError` for a URL or a file that cannot be used."""
        self.node_url = parse_url(settings.url)
        self._client = _client(self.node_url, settings)

    def alerts(
        self,
        *,
        active: bool = True,
        inhibited: bool = False,
        silenced: bool = False,
        unprocessed: bool = False,
        receiver: str = "",
        filters: Sequence[str] = (),
    ) -> list[Json]:
        """The alerts that match all ``filters`` and are in one of the states asked for."""
        query = [("active", _bool(active)), *(("filter", one) for one in filters)]
        query += [("inhibited", _bool(inhibited)), *([("receiver", receiver)] if receiver else [])]
        query += [("silenced", _bool(silenced)), ("unprocessed", _bool(unprocessed))]
        return self._read(read_alerts, self._call(_ALERTS, query=query))

    def post_alerts(self, alerts: Sequence[Json]) -> None:
        """Post alerts to it."""
        self._call(_POST_ALERTS, body=list(alerts))

    def silences(self, filters: Sequence[str] = ()) -> list[Json]:
        """Silences in every state."""
        query = [("filter", one) for one in filters]
        return self._read(read_silences, self._call(_SILENCES, query=query))

    def silence(self, identifier: str) -> Json:
        """One."""
        return self._read(read_silence, self._call(_SILENCE, identifier=identifier))

    def post_silence(self, silence: Json) -> str:
        """Create the silence, or change the one with its ``id``. Returns its id after that."""
        return self._read(read_id, self._call(_POST_SILENCES, body=silence))

    def expire(self, identifier: str) -> None:
        """End a silence."""
        self._call(_EXPIRE, identifier=identifier)

    def status(self) -> Json:
        """Cluster, configuration, version."""
        return self._read(read_status, self._call(_STATUS))

    def get(self, path: str) -> Answer:
        """Whatever is at ``path``, which is not of the API v2."""
        return self._client.request("GET", path)

    def post(self, path: str, body: bytes) -> Answer:
        """Send JSON to whatever is at ``path``."""
        return self._client.request("POST", path, body)

    def _call(
        self,
        operation: _Operation,
        *,
        query: Iterable[tuple[str, str]] = (),
        body: object = None,
        identifier: str = "",
    ) -> bytes:
        path = operation.path.replace("{silenceID}", quote(identifier, safe=""))
        asked = urlencode(list(query))
        answer = self._client.request(
            operation.method,
            _PREFIX + path + (f"?{asked}" if asked else ""),
            None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"),
        )
        if answer.status != _OK:
            raise _refusal(operation, answer)
        return answer.body

    def _read(self, read: Callable[[bytes], T], body: bytes) -> T:
        try:
            return read(body)
        except RemoteError as error:
            raise RemoteError(f"{self.node_url.base} answers {error}: is it an Alertmanager?") from None


def _client(node_url: NodeURL, settings: Settings) -> Client:
    deadline = time.monotonic() + settings.timeout / 1e9
    if not settings.http_config and not wants_proxy():
        return PlainClient(node_url, deadline)
    from tocsin.client.configured import ConfiguredClient

    return ConfiguredClient(node_url, settings.http_config, deadline)


def _refusal(operation: _Operation, answer: Answer) -> ApiError:
    text = answer.body.decode("utf-8", "replace")
    try:
        said = json.loads(text)
    except ValueError:
        said = text
    if isinstance(said, dict):
        said = said.get("message", "")
    quoted = str(said)[:4096]
    reason = quoted.strip()
    name = dict(operation.statuses).get(answer.status)
    if name is None:
        shown = f"[{operation.method} {operation.path}] {operation.name} (status {answer.status}): {{}}"
    else:
        shown = f"[{operation.method} {operation.path}][{answer.status}] {operation.name}{name.lstrip('-')}"
        if not name.startswith("-"):
            shown += f" {escape(json.dumps(quoted, ensure_ascii=False))}"
    return ApiError(shown, answer.status, reason)


def _bool(value: bool) -> str:
    return "true" if value else "false"
