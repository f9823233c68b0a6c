"""A webhook receiver that keeps what it got, and can be told to fail or to be slow."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Received:
    """One notification: when (monotonic seconds), where to (the URL's path), and what was answered."""

    at: float
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    status: int

    @property
    def alert_names(self) -> list[str]:
        return [alert["labels"].get("alertname", "") for alert in self.body["alerts"]]

    @property
    def sender(self) -> str:
        """The external URL of the node that sent it."""
        return str(self.body["externalURL"])


class WebhookSink:
    """Listens in a thread of its own. Use as a context manager."""

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        self.host = host
        self.status = 200  # what to answer; 500 makes the sender try again
        self.delay = 0.0  # seconds to wait before the answer
        self._received: list[Received] = []
        self._changed = threading.Condition()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if sink.delay:
                    time.sleep(sink.delay)
                status = sink.status
                sink._keep(
                    Received(time.monotonic(), self.path, dict(self.headers), json.loads(body), status)
                )
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_request(self, code: object = "-", size: object = "-") -> None:
                pass  # the default writes each request to standard error

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/"

    def __enter__(self) -> WebhookSink:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _keep(self, received: Received) -> None:
        with self._changed:
            self._received.append(received)
            self._changed.notify_all()

    def all(self) -> list[Received]:
        """Everything received so far, oldest first."""
        with self._changed:
            return list(self._received)

    def of_alert(self, name: str) -> list[Received]:
        """The notifications that hold an alert named ``name``."""
        return [received for received in self.all() if name in received.alert_names]

    def wait_for(self, name: str, *, count: int = 1, deadline: float = 30.0) -> list[Received]:
        """Wait until ``count`` notifications hold the alert ``name``. AssertionError after the deadline."""
        end = time.monotonic() + deadline
        with self._changed:
            while True:
                found = [received for received in self._received if name in received.alert_names]
                if len(found) >= count:
                    return found
                left = end - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    raise AssertionError(
                        f"{len(found)} of {count} notifications of {name!r} within {deadline:g} s; "
                        f"all: {[received.alert_names for received in self._received]}"
                    )
