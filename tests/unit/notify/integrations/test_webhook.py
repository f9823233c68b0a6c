"""The webhook: what is sent, what is tried again, and what is never said."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.certificates import Certificate, CertificateAuthority
from tests.support.integrations import send as send_section
from tests.support.routing import alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.notification import Notification
from tocsin.alerting.timestamp import SECOND
from tocsin.config.httpclient import (
    Authorization,
    BasicAuth,
    HTTPClientConfig,
    HTTPHeader,
    TLSClientConfig,
)
from tocsin.errors import ConfigError
from tocsin.node.clock import Clock
from tocsin.node.config import parse_config
from tocsin.notify.integrations.base import MAX_EXCERPT, Outcome
from tocsin.notify.integrations.exchanges import Exchanges
from tocsin.notify.integrations.http import MAX_ANSWER_BYTES, MAX_REDIRECTS, USER_AGENT, HTTPClient
from tocsin.notify.integrations.sender import Sender, make_sender
from tocsin.notify.integrations.tlscontext import TLSContexts
from tocsin.notify.integrations.webhook import WebhookConfig, webhook_payload
from tocsin.notify.rendering import TemplateFiles, TemplateRenderer

CLOCK = Clock()
NOTIFICATION = Notification(
    receiver="hook",
    group_key='{}:{alertname="A"}',
    group_labels=Labels({"alertname": "A"}),
    alerts=(alert(alertname="A"),),
    now=CLOCK.now(),
    reason="first notification",
)


@dataclass
class Sink:
    """A receiver on 127.0.0.1 that answers every request with the same bytes."""

    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    connections: int = 0
    url: str = ""
    tls: ssl.SSLContext | None = None

    @asynccontextmanager
    async def open(self):  # type: ignore[no-untyped-def]
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        scheme = "https" if self.tls else "http"
        self.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/secret-token"
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while line := await reader.readline():
                headers: dict[str, str] = {}
                while (header := await reader.readline()) not in (b"\r\n", b""):
                    name, _, value = header.decode().partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.requests.append((line.decode().strip(), headers, body))
                if not self.answer:
                    break
                writer.write(self.answer)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


def run(story: Callable[[Sink], Awaitable[None]], sink: Sink | None = None) -> None:
    async def main() -> None:
        async with (sink or Sink()).open() as opened:
            await story(opened)

    asyncio.run(main())


def make(config: WebhookConfig, external_url: str = "") -> Sender:
    renderer = TemplateRenderer(TemplateFiles(), external_url)
    return make_sender(config, contexts=TLSContexts(), renderer=renderer, clock=CLOCK)


async def send(config: WebhookConfig, *, seconds: float = 10.0, times: int = 1) -> list[Outcome]:
    sender = make(config, "http://node")
    try:
        return [await sender.send(NOTIFICATION, CLOCK.now() + int(seconds * SECOND)) for _ in range(times)]
    finally:
        await sender.close()


def test_it_posts_alertmanagers_json_on_a_kept_connection() -> None:
    async def story(sink: Sink) -> None:
        outcomes = await send(WebhookConfig(url=sink.url, max_alerts=1), times=3)
        assert outcomes == [Outcome(success=True)] * 3
        line, headers, body = sink.requests[0]
        assert line == "POST /secret-token HTTP/1.1"
        assert headers["content-type"] == "application/json"
        assert headers["user-agent"] == USER_AGENT
        assert body == webhook_payload(NOTIFICATION, "http://node", 1)
        assert sink.connections == 1

    run(story)


@pytest.mark.parametrize(
    ("status", "success", "retry", "reason"),
    [
        (200, True, False, ""),
        (204, True, False, ""),
        (299, True, False, ""),
        (304, False, False, "other"),
        (400, False, False, "clientError"),
        (401, False, False, "authError"),
        (429, False, False, "rateLimited"),
        (500, False, True, "serverError"),
        (503, False, True, "serverError"),
        (600, False, False, "other"),
    ],
)
def test_only_server_errors_are_tried_again(status: int, success: bool, retry: bool, reason: str) -> None:
    body = b"" if status in (204, 304) else b" no\xffway \n"
    answer = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)

    async def story(sink: Sink) -> None:
        [outcome] = await send(WebhookConfig(url=sink.url))
        error = "" if success else f"unexpected status code {status}" + (": no\ufffdway" if body else "")
        assert outcome == Outcome(success=success, retry=retry, reason=reason, error=error)

    run(story, Sink(answer))


def test_a_redirect_is_followed_only_if_it_may_be() -> None:
    async def story(sink: Sink) -> None:
        sink.answer = b"HTTP/1.1 307 X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
        [outcome] = await send(
            WebhookConfig(url=sink.url, http_config=HTTPClientConfig(follow_redirects=False))
        )
        assert (outcome.success, outcome.retry, outcome.error) == (False, False, "unexpected status code 307")
        assert len(sink.requests) == 1
        [outcome] = await send(WebhookConfig(url=sink.url))  # and on, and on: until it is too much
        assert (outcome.success, outcome.retry) == (False, True)
        assert sink.requests[-1][0] == "POST /elsewhere HTTP/1.1"

    run(story)


def test_a_long_answer_is_cut() -> None:
    size = 4 * MAX_ANSWER_BYTES

    async def story(sink: Sink) -> None:
        sink.answer = b"HTTP/1.1 500 X\r\nContent-Length: %d\r\n\r\n" % size + b"a" * size
        [outcome] = await send(WebhookConfig(url=sink.url))
        assert outcome.error == "unexpected status code 500: " + "a" * MAX_EXCERPT

    run(story)


def test_network_trouble_is_tried_again_and_does_not_tell_the_url() -> None:
    async def story(sink: Sink) -> None:
        sink.answer = b""  # closes without an answer
        [outcome] = await send(WebhookConfig(url=sink.url))
        assert (outcome.success, outcome.retry, outcome.reason) == (False, True, "other")
        assert outcome.error.startswith('Post "<redacted>": ')
        assert "secret-token" not in outcome.error

    run(story)


@pytest.mark.parametrize("url", ["ftp://host/secret-token", "http://[secret-token", "secret-token"])
def test_an_unusable_url_is_not_told(url: str) -> None:
    [outcome] = asyncio.run(send(WebhookConfig(url=url)))
    assert not outcome.success
    assert "secret-token" not in outcome.error


def test_it_ends_at_the_deadline_or_the_configured_timeout() -> None:
    async def story(sink: Sink) -> None:
        sink.answer = b"HTTP/1.1 200 OK\r\n"  # never goes on
        [outcome] = await send(WebhookConfig(url=sink.url), seconds=0.05)
        assert outcome.retry
        assert outcome.error == 'Post "<redacted>": context deadline exceeded'
        [outcome] = await send(WebhookConfig(url=sink.url, timeout=SECOND // 20))
        assert outcome.retry
        assert outcome.error.endswith("exceeded: configured webhook timeout reached (50ms)")
        [outcome] = await send(WebhookConfig(url=sink.url), seconds=-1)
        assert outcome.error == 'Post "<redacted>": context deadline exceeded'

    run(story)


def test_files_are_read_anew_each_time(tmp_path: Path) -> None:
    async def story(sink: Sink) -> None:
        (tmp_path / "url").write_text(f" {sink.url}/1 \n")
        (tmp_path / "password").write_text("old\n")
        http = HTTPClientConfig(
            basic_auth=BasicAuth(username="me", password_file=str(tmp_path / "password")),
            http_headers={"X-Two": HTTPHeader(values=("1",), secrets=("2",))},
        )
        config = WebhookConfig(url_file=str(tmp_path / "url"), http_config=http)
        sender = make(config)
        deadline = CLOCK.now() + 10 * SECOND
        assert (await sender.send(NOTIFICATION, deadline)).success
        (tmp_path / "url").write_text(f"{sink.url}/2")
        (tmp_path / "password").write_text("new")
        assert (await sender.send(NOTIFICATION, deadline)).success
        (tmp_path / "url").write_text(" ")
        empty = await sender.send(NOTIFICATION, deadline)
        assert (empty.retry, empty.error) == (False, "webhook URL is empty")
        (tmp_path / "url").unlink()
        missing = await sender.send(NOTIFICATION, deadline)
        assert not missing.retry
        assert missing.error == f"read url_file: {tmp_path / 'url'}: No such file or directory"
        (tmp_path / "url").write_text(sink.url)
        (tmp_path / "password").unlink()
        missing = await sender.send(NOTIFICATION, deadline)
        assert missing.error == f'Post "<redacted>": {tmp_path / "password"}: No such file or directory'
        (tmp_path / "password").mkdir()
        refused = await sender.send(NOTIFICATION, deadline)
        assert refused.error == f'Post "<redacted>": {tmp_path / "password"}: Is a directory'
        await sender.close()
        assert not (await sender.send(NOTIFICATION, deadline)).success

        assert [line.split()[1][-2:] for line, _, _ in sink.requests] == ["/1", "/2"]
        given = [headers["authorization"] for _, headers, _ in sink.requests]
        assert given == ["Basic bWU6b2xk", "Basic bWU6bmV3"]
        assert sink.requests[0][1]["x-two"] == "2"  # both were sent; this sink keeps the last

    run(story)


def test_an_authorization_is_sent() -> None:
    async def story(sink: Sink) -> None:
        http = HTTPClientConfig(authorization=Authorization(type="Token", credentials="c"))
        await send(WebhookConfig(url=sink.url, http_config=http))
        assert sink.requests[0][1]["authorization"] == "Token c"

    run(story)


def test_a_proxy_is_used_save_for_the_hosts_of_no_proxy() -> None:
    async def story(sink: Sink) -> None:
        config = HTTPClientConfig(proxy_url=sink.url, no_proxy="direct.invalid, .sub.invalid")
        [through] = await send(WebhookConfig(url="http://receiver.invalid/x", http_config=config))
        assert through.success
        assert sink.requests[0][0] == "POST http://receiver.invalid/x HTTP/1.1"
        for host in ("direct.invalid", "a.direct.invalid", "a.sub.invalid"):
            [direct] = await send(WebhookConfig(url=f"http://{host}/x", http_config=config))
            assert not direct.success
        assert len(sink.requests) == 1

    run(story)


def test_redirects_end_where_gos_client_ends_them() -> None:
    async def story(sink: Sink) -> None:
        [outcome] = await send(WebhookConfig(url=sink.url))
        assert outcome.retry
        assert outcome.error.endswith(": stopped after 10 redirects")
        assert len(sink.requests) == MAX_REDIRECTS + 1

    run(story, Sink(answer=b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"))


def test_unusable_certificates_are_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("no certificate")
    with pytest.raises(ConfigError, match="cannot be used for TLS"):
        HTTPClient(HTTPClientConfig(tls_config=TLSClientConfig(ca_file=str(tmp_path / "ca"))))
    with pytest.raises(ConfigError, match="missing: cannot be used for TLS: No such file"):
        HTTPClient(HTTPClientConfig(tls_config=TLSClientConfig(cert_file=str(tmp_path / "missing"))))
    with pytest.raises(ConfigError, match="cannot be used for TLS"):
        HTTPClient(HTTPClientConfig(tls_config=TLSClientConfig(cert="x", key="y")))


def test_server_name_and_inline_certificates_count_over_tls() -> None:
    authority = CertificateAuthority()
    mine = authority.issue()
    theirs = authority.issue("hook.example")

    async def story(sink: Sink) -> None:
        def config(server_name: str, certificate: bytes = mine.certificate) -> WebhookConfig:
            tls = TLSClientConfig(
                ca=authority.certificate.decode(),
                cert=certificate.decode(),
                key=mine.key.decode() if certificate else "",
                server_name=server_name,
            )
            return WebhookConfig(url=sink.url, http_config=HTTPClientConfig(tls_config=tls))

        assert await send(config("hook.example")) == [Outcome(success=True)]
        [wrong] = await send(config("other.example"))
        assert (wrong.success, wrong.retry) == (False, True)
        assert "certificate" in wrong.error.lower()
        [unknown] = await send(config("hook.example", b""))
        assert not unknown.success
        assert len(sink.requests) == 1

    run(story, Sink(tls=_server_context(authority, theirs)))


def _server_context(authority: CertificateAuthority, certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_verify_locations(cadata=authority.certificate.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    with tempfile.TemporaryDirectory() as folder:
        context.load_cert_chain(*certificate.write(Path(folder), "hook"))
    return context


def test_a_payload_of_ones_own_is_rendered_and_read_again() -> None:
    text = (
        "route: {receiver: r}\nreceivers:\n- name: r\n  webhook_configs:\n  - url: '%s/{{ .Status }}'\n"
        "    payload: {b: '{{ len .Alerts }}',"
        " a: ['{{ .Status }}', 'true', plain, 1.5, ''], 'k{{ 1 }}': '[1, a]'}\n"
    )

    async def story(sink: Sink) -> None:
        config = parse_config(text % sink.url, path="am.yml")
        [section] = config.receivers[0].integrations
        assert isinstance(section, WebhookConfig)
        assert await send(section) == [Outcome(success=True)]
        line, _, body = sink.requests[0]
        assert line == "POST /secret-token/firing HTTP/1.1"
        assert body == b'{"a":["firing",true,"plain",1.5,null],"b":1,"k1":[1,"a"]}\n'

    run(story)


def test_a_template_that_fails_is_said_and_not_tried_again() -> None:
    async def story(sink: Sink) -> None:
        [outcome] = await send(WebhookConfig(url=sink.url + '/{{ template "hush" . }}'))
        assert (outcome.retry, sink.requests) == (False, [])
        assert outcome.error.startswith("failed to render a template: ")
        assert "secret-token" not in outcome.error

    run(story)


def test_a_timeout_does_not_count_what_it_takes_to_load_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = [1.2]

    def slowly() -> type[Exchanges]:
        if loads:
            time.sleep(loads.pop())
        return Exchanges

    monkeypatch.setattr("tocsin.notify.integrations.http._load_exchanges", slowly)
    outcomes, received = send_section("webhook", "{url: 'http://@HTTP@/hook', timeout: 1s}")
    assert outcomes[0].success
    assert len(received) == 1
