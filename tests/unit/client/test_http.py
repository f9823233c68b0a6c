"""The tool's small HTTP client, against servers of every kind."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.certificates import CertificateFolder
from tocsin.client import http
from tocsin.client.api import Api, ApiError
from tocsin.client.http import PlainClient, parse_url
from tocsin.client.settings import Settings
from tocsin.errors import ConfigError, RemoteError, TransportError, UserError


@contextmanager
def answering(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives each connection the next answer; its URL, and what it was sent."""
    sent: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for answer in answers:
                connection, _ = server.accept()
                with connection:
                    sent.append(connection.recv(65536))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", sent
        thread.join(20)


def client(url: str, seconds: float = 20) -> PlainClient:
    return PlainClient(parse_url(url), time.monotonic() + seconds)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"


def test_a_request_and_its_answer() -> None:
    with answering(OK) as (url, sent):
        answer = client(f"{url.replace('://', '://me:p%40ss@')}/prefix/").request("POST", "/x?a=b", b"{}")
    assert (answer.status, answer.body) == (200, b"[]")
    head, _, body = sent[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /prefix/x?a=b HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"Authorization: Basic bWU6cEBzcw==" in head
    assert body == b"{}"


def test_answers_in_chunks_and_without_a_length() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with answering(chunked, b"HTTP/1.0 200 OK\r\n\r\nabcde") as (url, _):
        assert [client(url).request("GET", "/").body for _ in range(2)] == [b"abcde", b"abcde"]


@pytest.mark.parametrize(
    ("answer", "problem"), [(b"", "EOF"), (b"rubbish\r\n\r\n", "no HTTP"), (b"HTTP/1.1 200 O", "EOF")]
)
def test_what_is_no_answer(answer: bytes, problem: str) -> None:
    with answering(answer) as (url, _), pytest.raises(TransportError, match=problem):
        client(url).request("GET", "/")


def test_an_answer_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_ANSWER_BYTES", 1 << 20)
    body = b"x" * (2 << 20)
    with (
        answering(b"HTTP/1.1 200 OK\r\n\r\n" + body[: 3 << 19]) as (url, _),
        pytest.raises(TransportError, match="more than 1 MiB"),
    ):
        client(url).request("GET", "/")


def test_a_server_that_is_silent_costs_the_timeout_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(TransportError, match=f'Get "{url}/x": context deadline exceeded'):
            client(url, 0.1).request("GET", "/x")


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(TransportError, match=f"dial tcp 127.0.0.1:{port}: connect: connection refused"):
        client(f"http://127.0.0.1:{port}").request("GET", "/")


@pytest.mark.parametrize("text", ["", "localhost", "127.0.0.1:9093", "http://[", "http://a:b:c", "http://"])
def test_what_is_no_url(text: str) -> None:
    with pytest.raises(UserError, match=r"--alertmanager\.url"):
        parse_url(text)


def test_urls() -> None:
    assert parse_url("http://h:1/a/").base == "http://h:1/a"
    assert (parse_url("https://h").port, parse_url("//h").port) == (443, 80)
    assert parse_url("http://[::1]:9093").host == "::1"


def api(url: str) -> Api:
    return Api(Settings(url, 20 * 10**9))


def test_refusals_are_told_in_amtools_words() -> None:
    def refusal(status: str, body: bytes) -> bytes:
        return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    with answering(
        refusal("400 Bad Request", b'"no <good>"'),
        refusal("422 Unprocessable", b'{"code":601,"message":"no"}'),
        refusal("404 Not Found", b""),
    ) as (url, _):
        with pytest.raises(ApiError) as first:
            api(url).post_silence({})
        with pytest.raises(ApiError) as second:
            api(url).alerts()
        with pytest.raises(ApiError) as third:
            api(url).expire("x/y")
    assert str(first.value) == ('[POST /silences][400] postSilencesBadRequest "no \\u003cgood\\u003e"')
    assert (str(second.value), second.value.reason) == ("[GET /alerts] getAlerts (status 422): {}", "no")
    assert str(third.value) == "[DELETE /silence/{silenceID}][404] deleteSilenceNotFound"


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[1]", b"[{}]", b"[" * 100_000])
def test_what_is_no_alertmanager_is_called_none(body: bytes) -> None:
    with (
        answering(b"HTTP/1.1 200 OK\r\n\r\n" + body) as (url, _),
        pytest.raises(RemoteError, match="is it an Alertmanager"),
    ):
        api(url).alerts()


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(OK) as (proxy, sent):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert api("http://alertmanager.example.org:9093").alerts() == []
    assert sent[0].startswith(b"GET http://alertmanager.example.org:9093/api/v2/alerts?active=true")


def test_an_http_config_is_used(tmp_path: Path) -> None:
    file = tmp_path / "http.yml"
    file.write_text("basic_auth: {username: me, password: 'p@ss'}\nhttp_headers: {X-Team: {values: [ops]}}\n")
    large = b"x" * 300_000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(large) + large
    with answering(answer) as (url, sent):
        assert Api(Settings(url, 20 * 10**9, str(file))).get("/-/healthy").body == large
    assert b"Authorization: Basic bWU6cEBzcw==" in sent[0]
    assert b"X-Team: ops" in sent[0]
    with pytest.raises(UserError, match="mutually exclusive"):
        Api(Settings("http://u:p@h", 10**9, str(file)))
    file.write_text("nothing: 1\n")
    with pytest.raises(ConfigError, match=r"http\.yml:1:1"):
        Api(Settings("http://h", 10**9, str(file)))


def test_over_tls_with_an_authority_of_ones_own(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    folder = CertificateFolder(tmp_path)
    folder.initialise("test", now=now, lifetime=timedelta(days=1))
    files = folder.issue("node", ["127.0.0.1"], now=now, lifetime=timedelta(days=1))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    (tmp_path / "http.yml").write_text(f"tls_config: {{ca_file: {files.authority}}}\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}"

        def serve() -> None:
            for _ in range(2):
                bare, _ = server.accept()
                try:
                    with context.wrap_socket(bare, server_side=True) as connection:
                        connection.recv(65536)
                        connection.sendall(OK)
                except OSError:
                    bare.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(TransportError, match="certificate verify failed"):
            api(url).alerts()
        assert Api(Settings(url, 20 * 10**9, str(tmp_path / "http.yml"))).alerts() == []
        thread.join(20)


def _moved(status: int, location: str) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


def test_a_question_follows_where_it_is_sent_to() -> None:
    with (
        answering(OK) as (there, sent),
        answering(_moved(302, "/b/x?c=d"), _moved(307, f"{there}/z")) as (
            url,
            first,
        ),
    ):
        answer = client(url.replace("://", "://me:pw@") + "/a").request("GET", "/x?a=b")
    assert (answer.status, answer.body) == (200, b"[]")
    assert [each.split(b" HTTP")[0] for each in (*first, *sent)] == [
        b"GET /a/x?a=b",
        b"GET /b/x?c=d",
        b"GET /z",
    ]
    assert b"Authorization" in first[1]
    assert b"Authorization" not in sent[0], "another host is told no credentials"


def test_a_change_is_sent_again_whole_or_not_at_all() -> None:
    with answering(_moved(308, "/there"), OK) as (url, sent):
        assert client(url).request("POST", "/x", b"{}").status == 200
    assert sent[1].startswith(b"POST /there ")
    assert sent[1].endswith(b"\r\n\r\n{}")
    with answering(_moved(302, "/there")) as (url, _):
        assert client(url).request("POST", "/x", b"{}").status == 302


def test_redirects_end() -> None:
    answers = [_moved(301, "/again")] * http.MAX_REDIRECTS
    with answering(*answers) as (url, _), pytest.raises(TransportError, match="stopped after 10 redirects"):
        client(url).request("GET", "/x")


@pytest.mark.parametrize("location", ["http://[bad/", "//[::1", "http://h:99999/"])
def test_a_redirect_to_what_is_no_url(location: str) -> None:
    with answering(_moved(301, location)) as (url, _), pytest.raises(TransportError, match="Location header"):
        client(url).request("GET", "/x")


def test_only_200_is_a_success_and_text_stays_as_it_is() -> None:
    nothing = b"HTTP/1.1 204 No Content\r\n\r\n"
    wrong = b"HTTP/1.1 500 Oh\r\nContent-Length: 5\r\n\r\nboom\n"
    with answering(nothing, wrong) as (url, _):
        api = Api(Settings(url, 20 * 10**9))
        with pytest.raises(ApiError, match=r"\[POST /alerts\] postAlerts \(status 204\): {}"):
            api.post_alerts([])
        with pytest.raises(ApiError, match=r'InternalServerError "boom\\n"$') as told:
            api.alerts()
    assert told.value.reason == "boom"
