"""The HTTP client of all receivers: redirects, credentials, tokens, proxies, errors."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.httpreceiver import OK, client, json_answer, redirect, run, served
from tocsin.config.httpclient import (
    JWT_BEARER,
    Authorization,
    BasicAuth,
    HTTPClientConfig,
    HTTPHeader,
    OAuth2,
    TLSClientConfig,
)
from tocsin.notify.integrations.base import NotifyError, RetryRule
from tocsin.notify.integrations.causes import cause
from tocsin.notify.integrations.http import MAX_REDIRECTS


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_turns_a_post_into_a_get_without_a_body(status: int) -> None:
    async def story() -> None:
        async with served(a=redirect(status, "/b?x=1")) as server, client() as http:
            answer = await http.post(f"{server.url}/a", b"{}", headers=[("X-Own", "1")])
            assert (answer.status, answer.body) == (200, b"ok")
            second = server.requests[1]
            assert second.line == "GET /b?x=1 HTTP/1.1"
            assert second.body == b""
            assert "content-type" not in second.headers
            assert "content-length" not in second.headers
            assert second.headers["x-own"] == "1"

    run(story)


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_that_keeps_the_method_keeps_the_body(status: int) -> None:
    async def story() -> None:
        async with served(a=redirect(status, "b")) as server, client() as http:
            await http.post(f"{server.url}/a", b"{}")
            second = server.requests[1]
            assert (second.line, second.body) == ("POST /b HTTP/1.1", b"{}")
            assert second.headers["content-type"] == "application/json"

    run(story)


def test_a_redirect_without_a_location_is_the_answer() -> None:
    async def story() -> None:
        async with served(a=b"HTTP/1.1 302 X\r\nContent-Length: 0\r\n\r\n") as server, client() as http:
            assert (await http.post(f"{server.url}/a", b"{}")).status == 302

    run(story)


def test_ten_requests_in_all() -> None:
    async def story() -> None:
        async with served(a=redirect(307, "/a")) as server, client() as http:
            with pytest.raises(NotifyError, match="stopped after 10 redirects") as caught:
                await http.post(f"{server.url}/a", b"{}")
            assert caught.value.retry
            assert len(server.requests) == MAX_REDIRECTS + 1 == 10

    run(story)


def test_credentials_do_not_follow_to_another_host_nor_back() -> None:
    async def story() -> None:
        config = HTTPClientConfig(
            authorization=Authorization(credentials="hush"),
            http_headers={"X-Token": HTTPHeader(secrets=("h",))},
        )
        async with served() as server, client(config) as http:
            there = server.url.replace("127.0.0.1", "localhost")
            server.answers = {
                "/a": redirect(307, f"{there}/b"),
                "/b": redirect(307, f"{server.url}/c"),
                "/same": redirect(307, "/c"),
            }
            await http.post(f"{server.url}/a", b"{}", headers=[("Cookie", "c"), ("X-Own", "1")])
            first, second, third = server.requests
            assert first.headers["authorization"] == "Bearer hush"
            assert first.headers["x-token"] == "h"
            for request in (second, third):
                assert not {"authorization", "x-token", "cookie"} & request.headers.keys()
                assert request.headers["x-own"] == "1"
            await http.post(f"{server.url}/same", b"{}")
            assert server.requests[-1].headers["authorization"] == "Bearer hush"

    run(story)


def test_user_and_password_of_a_url_are_sent_and_not_shown() -> None:
    async def story() -> None:
        async with served() as server, client() as http:
            await http.get(f"http://me:p%40ss@127.0.0.1:{server.port}/a")
            token = base64.b64encode(b"me:p@ss").decode()
            assert server.requests[0].headers["authorization"] == f"Basic {token}"
            assert "@" not in server.requests[0].headers["host"]

    run(story)


def test_who_counts_when_several_say_who_asks() -> None:
    """As with Go: what a kind says, then the URL, then the configuration; and a token before all of them."""
    token = b'{"access_token":"t","token_type":"Bearer"}'

    async def story() -> None:
        async with served(token=json_answer(token)) as server:
            url = f"http://me:pass@127.0.0.1:{server.port}/a"
            basic = HTTPClientConfig(basic_auth=BasicAuth(username="other", password="x"))
            oauth2 = HTTPClientConfig(
                oauth2=OAuth2(client_id="i", client_secret="s", token_url=f"{server.url}/token")
            )
            own = [("Authorization", "GenieKey k")]
            for config, headers in ((basic, []), (basic, own), (oauth2, own)):
                async with client(config) as http:
                    await http.request("POST", url, b"{}", headers=headers)
        said = [r.headers["authorization"] for r in server.requests if " /a " in r.line]
        assert said == ["Basic bWU6cGFzcw==", "GenieKey k", "Bearer t"]

    run(story)


def test_space_around_a_header_is_left_out() -> None:
    async def story() -> None:
        config = HTTPClientConfig(authorization=Authorization(type="X"))
        async with served() as server, client(config) as http:
            await http.post(f"{server.url}/a", b"{}")
        assert server.requests[0].headers["authorization"] == "X"

    run(story)


def test_a_url_is_sent_as_a_url() -> None:
    async def story() -> None:
        async with served() as server, client() as http:
            await http.get(f"{server.url}/ü b/%2f?q=a b&r=ü#fragment")
            assert server.requests[0].line == "GET /%C3%BC%20b/%2f?q=a%20b&r=%C3%BC HTTP/1.1"

    run(story)


def test_a_header_cannot_bring_another() -> None:
    async def story() -> None:
        async with served() as server, client() as http:
            with pytest.raises(NotifyError, match="control characters"):
                await http.get(server.url, headers=[("X-A", "1\r\nX-B: 2")])
            assert not server.requests

    run(story)


def test_an_error_says_what_the_system_said() -> None:
    async def story() -> None:
        async with served() as server:
            dead = server.url
        async with client() as http:
            with pytest.raises(
                NotifyError, match=r'^Post "<redacted>": connect: connection refused$'
            ) as caught:
                await http.post(f"{dead}/hush", b"")
            assert caught.value.retry
            through = HTTPClientConfig(proxy_url=dead)
            async with client(through) as http_by_proxy:
                with pytest.raises(NotifyError, match=r": proxyconnect: connect: connection refused$"):
                    await http_by_proxy.post("http://192.0.2.1/hush", b"")

            async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.transport.abort()
                aborted.set()

            aborted = asyncio.Event()
            server_ = await asyncio.start_server(reset, "127.0.0.1", 0)
            port = server_.sockets[0].getsockname()[1]
            with pytest.raises(NotifyError) as caught:
                await http.post(f"http://127.0.0.1:{port}/hush", b"")
            assert caught.value.retry
            assert not str(caught.value).endswith(": ")
            assert "hush" not in str(caught.value)
            await aborted.wait()
            server_.close()

    run(story)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "EOF: the connection was closed before an answer was whole"),
        (b"HTTP/1.1 200", "EOF: the connection was closed before an answer was whole"),
        (b"HTTP/1.1 200 OK\r\nfoo bar\r\n\r\n", "malformed answer: "),
    ],
)
def test_an_error_says_what_the_server_did(answer: bytes, words: str) -> None:
    async def story() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with client() as http:
            with pytest.raises(NotifyError) as caught:
                await http.get(f"http://127.0.0.1:{port}/")
        server.close()
        assert str(caught.value).removeprefix('Get "<redacted>": ').startswith(words)

    run(story)


def test_a_name_without_an_address_is_called_a_lookup() -> None:
    error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    assert cause(error, connecting=True) == "lookup of the host: name or service not known"


TOKEN = b'{"access_token":"hush-token","token_type":"bearer","expires_in":3600}'


def test_a_token_is_fetched_once_and_kept() -> None:
    async def story() -> None:
        async with served(token=json_answer(TOKEN)) as server:
            oauth2 = OAuth2(
                client_id="i d",
                client_secret="s/s",
                token_url=f"{server.url}/token",
                scopes=("a", "b"),
                endpoint_params={"audience": "x"},
            )
            async with client(HTTPClientConfig(oauth2=oauth2)) as http:
                await http.post(f"{server.url}/hook", b"{}")
                await http.post(f"{server.url}/hook", b"{}")
            fetch, first, second = server.requests
            assert fetch.body == b"audience=x&grant_type=client_credentials&scope=a+b"
            assert fetch.headers["content-type"] == "application/x-www-form-urlencoded"
            token = base64.b64encode(b"i+d:s%2Fs").decode()
            assert fetch.headers["authorization"] == f"Basic {token}"
            assert first.headers["authorization"] == second.headers["authorization"] == "Bearer hush-token"

    run(story)


def test_a_changed_secret_of_oauth2_fetches_a_new_token(tmp_path: Path) -> None:
    async def story() -> None:
        secret = tmp_path / "secret"
        secret.write_text("one\n")
        async with served(token=json_answer(TOKEN)) as server:
            url = f"{server.url}/token"
            oauth2 = OAuth2(client_id="i", client_secret_file=str(secret), token_url=url)
            async with client(HTTPClientConfig(oauth2=oauth2)) as http:
                await http.post(f"{server.url}/hook", b"{}")
                secret.write_text("two")
                await http.post(f"{server.url}/hook", b"{}")
            assert [request.line.split()[1] for request in server.requests] == ["/token", "/hook"] * 2

    run(story)


def test_a_token_that_is_refused_is_said_without_secrets() -> None:
    async def story() -> None:
        refusal = json_answer(b'{"error":"invalid_client"}', 401)
        async with served(token=refusal) as server:
            oauth2 = OAuth2(client_id="i", client_secret="hush-hush", token_url=f"{server.url}/token")
            async with client(HTTPClientConfig(oauth2=oauth2)) as http:
                with pytest.raises(NotifyError, match="oauth2: cannot fetch token: 401") as caught:
                    await http.post(f"{server.url}/hook", b"{}")
            assert caught.value.retry
            assert "hush" not in str(caught.value)
            # First in the header, then in the body, as not every server takes the former.
            assert [b"client_secret" in request.body for request in server.requests] == [False, True]

    run(story)


def test_a_token_by_a_signed_assertion() -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    async def story() -> None:
        async with served(token=json_answer(TOKEN)) as server:
            oauth2 = OAuth2(
                client_id="me",
                client_certificate_key=pem,
                client_certificate_key_id="k1",
                grant_type=JWT_BEARER,
                signature_algorithm="RS512",
                claims={"n": 1},
                token_url=f"{server.url}/token",
            )
            async with client(HTTPClientConfig(oauth2=oauth2)) as http:
                await http.post(f"{server.url}/hook", b"{}")
            fetch = server.requests[0]
            assert b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer" in fetch.body
            assertion = fetch.body.split(b"assertion=")[1].split(b"&")[0].decode()
            header, claims, signature = (
                base64.urlsafe_b64decode(part + "==") for part in assertion.split(".")
            )
            assert json.loads(header) == {"alg": "RS512", "typ": "JWT", "kid": "k1"}
            told = json.loads(claims)
            assert (told["iss"], told["sub"], told["aud"], told["n"]) == (
                "me",
                "me",
                f"{server.url}/token",
                1,
            )
            signed = assertion.rpartition(".")[0].encode()
            key.public_key().verify(signature, signed, padding.PKCS1v15(), hashes.SHA512())

    run(story)


def test_a_request_goes_through_socks5() -> None:
    async def story() -> None:
        asked: list[bytes] = []

        async def socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(3)
            writer.write(b"\x05\x00")
            head = await reader.readexactly(4)
            name = await reader.readexactly((await reader.readexactly(1))[0]) if head[3] == 3 else b""
            asked.append(name)
            await reader.readexactly(2)
            writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50")
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
            await writer.drain()
            await reader.read()
            writer.close()
            await writer.wait_closed()
            ended.set()

        ended = asyncio.Event()
        server = await asyncio.start_server(socks, "127.0.0.1", 0)
        proxy = f"socks5://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with client(HTTPClientConfig(proxy_url=proxy)) as http:
            answer = await http.get("http://receiver.invalid/x")
        assert answer.status == 200
        assert asked == [b"receiver.invalid"]
        await ended.wait()
        server.close()

    run(story)


def test_headers_for_the_proxy_go_with_connect_alone() -> None:
    async def story() -> None:
        async with served() as server:
            config = HTTPClientConfig(
                proxy_url=f"http://me:pass@127.0.0.1:{server.port}", proxy_connect_header={"X-P": ("1", "2")}
            )
            async with client(config) as http:
                await http.get("http://plain.invalid/x")
                assert server.requests[0].line == "GET http://plain.invalid/x HTTP/1.1"
                assert "x-p" not in server.requests[0].headers
                assert server.requests[0].headers["proxy-authorization"].startswith("Basic ")
                server.answers["secure.invalid:443"] = b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"
                with pytest.raises(NotifyError, match="403"):
                    await http.get("https://secure.invalid/x")
                assert server.requests[1].line == "CONNECT secure.invalid:443 HTTP/1.1"
                assert server.requests[1].headers["x-p"] == "2"

    run(story)


def test_a_proxy_of_another_scheme_fails_the_attempt() -> None:
    async def story() -> None:
        async with client(HTTPClientConfig(proxy_url="gopher://p:1")) as http:
            with pytest.raises(NotifyError, match="the scheme 'gopher' cannot be used"):
                await http.get("http://receiver.invalid/x")

    run(story)


@pytest.mark.parametrize(
    ("rule", "status", "retry"),
    [
        (RetryRule(), 500, True),
        (RetryRule(), 429, False),
        (RetryRule(codes={429}), 429, True),
        (RetryRule(server_errors=False), 503, False),
        (RetryRule(server_errors=False, codes={503}), 503, True),
    ],
)
def test_what_is_retried_is_a_rule(rule: RetryRule, status: int, retry: bool) -> None:
    with pytest.raises(NotifyError) as caught:
        rule.check(status, b"")
    assert caught.value.retry is retry
    rule.check(204, b"")


def test_what_only_tokens_need_is_opened_for_a_token() -> None:
    """As in Go: a missing file of ``oauth2`` fails the attempts, and not the start."""

    async def story() -> None:
        oauth2 = OAuth2(
            client_id="i",
            token_url="https://127.0.0.1:1/",
            tls_config=TLSClientConfig(ca_file="/missing.pem"),
        )
        async with client(HTTPClientConfig(oauth2=oauth2)) as http:
            with pytest.raises(NotifyError, match=r"oauth2: cannot fetch token: .*/missing\.pem") as caught:
                await http.post("http://127.0.0.1:1/", b"")
            assert caught.value.retry

    run(story)
