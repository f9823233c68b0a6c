"""Tokens by OAuth 2: what is asked of the token server, and for how long its answer is used."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.certificates import CertificateAuthority
from tests.support.httpreceiver import Server, client, json_answer, run, served, server_tls
from tocsin.config.httpclient import JWT_BEARER, HTTPClientConfig, OAuth2, TLSClientConfig
from tocsin.notify.integrations.base import NotifyError
from tocsin.notify.integrations.statistics import ClientStatistics

KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
FORM = "application/x-www-form-urlencoded"
REFUSAL = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"


def token(value: str, **more: Any) -> bytes:
    return json_answer(json.dumps({"access_token": value, "token_type": "bearer", **more}).encode())


def config(server: Server, **more: Any) -> HTTPClientConfig:
    given = {"client_id": "me", "client_secret": "hush-hush", "token_url": f"{server.url}/token", **more}
    return HTTPClientConfig(oauth2=OAuth2(**given))


def paths(server: Server) -> list[str]:
    return [request.line.split()[1] for request in server.requests]


def of_type(kind: str, body: bytes) -> bytes:
    return json_answer(body).replace(b"Content-Length", f"Content-Type: {kind}\r\nContent-Length".encode())


@pytest.mark.parametrize(
    ("answer", "sent"),
    [
        (json_answer(b'{"Access_Token":"a","TOKEN_TYPE":"MAC","expires_in":"3600"}'), "MAC a"),
        (json_answer(b'{"access_token":"a","token_type":"basic"}'), "Basic a"),
        (json_answer(b'{"access_token":"a","token_type":"Odd","expires_in":null}'), "Odd a"),
        (
            of_type(
                "application/x-www-form-urlencoded", b"access_token=a%2Bb&token_type=bearer&expires_in=x"
            ),
            "Bearer a+b",
        ),
        (of_type("TEXT/plain; charset=utf-8", b"expires_in=3600&access_token=a"), "Bearer a"),
    ],
)
def test_a_token_comes_as_json_or_as_a_form(answer: bytes, sent: str) -> None:
    async def story() -> None:
        async with served(token=answer) as server, client(config(server)) as http:
            for _ in range(2):
                await http.post(f"{server.url}/hook", b"{}")
            assert paths(server) == ["/token", "/hook", "/hook"]
            assert server.requests[-1].headers["authorization"] == sent

    run(story)


def test_a_token_without_an_end_is_kept_and_one_that_ends_soon_is_not() -> None:
    async def story() -> None:
        async with served(token=token("a")) as server, client(config(server)) as http:
            await http.post(f"{server.url}/hook", b"{}")
            await http.post(f"{server.url}/hook", b"{}")
            assert paths(server) == ["/token", "/hook", "/hook"]
        async with served(token=token("a", expires_in=5)) as server, client(config(server)) as http:
            await http.post(f"{server.url}/hook", b"{}")
            await http.post(f"{server.url}/hook", b"{}")
            assert paths(server) == ["/token", "/hook"] * 2

    run(story)


def test_a_token_that_was_taken_and_no_longer_is_costs_one_more_request() -> None:
    async def story() -> None:
        statistics = ClientStatistics()
        async with served(token=token("old")) as server:
            async with client(config(server), statistics=statistics) as http:
                assert (await http.post(f"{server.url}/hook", b"{}")).status == 200
                server.answers["/token"] = token("new")
                server.once["/hook"] = REFUSAL
                assert (await http.post(f"{server.url}/hook", b"{}")).status == 200
            told = [request.headers.get("authorization", "")[:11] for request in server.requests]
            assert told == ["Basic bWU6a", "Bearer old", "Bearer old", "Basic bWU6a", "Bearer new"]
            assert server.requests[-1].body == b"{}"
            assert statistics.tokens_refused == 1

    run(story)


def test_a_receiver_that_takes_no_token_gets_one_request_an_attempt() -> None:
    async def story() -> None:
        async with served(token=token("a"), hook=REFUSAL) as server, client(config(server)) as http:
            for _ in range(2):
                assert (await http.post(f"{server.url}/hook", b"{}")).status == 401
            assert paths(server) == ["/token", "/hook"] * 2

    run(story)


def test_a_refusal_costs_nothing_where_there_are_no_tokens() -> None:
    async def story() -> None:
        async with served(hook=REFUSAL) as server, client() as http:
            assert (await http.post(f"{server.url}/hook", b"{}")).status == 401
            assert paths(server) == ["/hook"]

    run(story)


def test_tokens_come_by_tls_and_proxy_of_their_own(tmp_path: Path) -> None:
    authority = CertificateAuthority()

    async def story() -> None:
        async with (
            served(server_tls(authority, tmp_path, clients=True), token=token("a")) as tokens,
            served() as server,
        ):
            mine = authority.issue()
            tls = TLSClientConfig(
                ca=authority.certificate.decode(), cert=mine.certificate.decode(), key=mine.key.decode()
            )
            async with client(config(tokens, tls_config=tls)) as http:
                assert (await http.post(f"{server.url}/hook", b"{}")).status == 200
            assert (paths(tokens), paths(server)) == (["/token"], ["/hook"])
        async with served(token=token("a")) as proxy, served() as server:
            proxy.answers["http://tokens.invalid/t"] = token("a")
            section = config(proxy, token_url="http://tokens.invalid/t", proxy_url=proxy.url)
            async with client(section) as http:
                assert (await http.post(f"{server.url}/hook", b"{}")).status == 200
            assert (paths(proxy), paths(server)) == (["http://tokens.invalid/t"], ["/hook"])

    run(story)


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        ("", hashes.SHA256()),
        ("RS256", hashes.SHA256()),
        ("RS384", hashes.SHA384()),
        ("RS512", hashes.SHA512()),
    ],
)
def test_an_assertion(algorithm: str, digest: hashes.HashAlgorithm, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text(PEM)

    async def story() -> None:
        async with served(token=token("a")) as server:
            section = config(
                server,
                client_secret="",
                client_certificate_key_file=str(file),
                client_certificate_key_id="k1",
                grant_type=JWT_BEARER,
                signature_algorithm=algorithm,
                iss="issuer",
                audience="https://aud.example",
                scopes=("a", "b"),
                claims={"n": 1, "list": ["x"]},
                endpoint_params={"resource": "r"},
            )
            before = int(time.time())
            async with client(section) as http:
                await http.post(f"{server.url}/hook", b"{}")
            form = dict(parse_qsl(server.requests[0].body.decode()))
            assert (form["grant_type"], form["resource"]) == (JWT_BEARER, "r")
            assert "authorization" not in server.requests[0].headers
            signed, _, signature = form["assertion"].rpartition(".")
            header, told = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in signed.split("."))
            assert header == {"alg": algorithm or "RS256", "typ": "JWT", "kid": "k1"}
            assert (told["iss"], told["sub"], told["aud"]) == ("issuer", "me", "https://aud.example")
            assert (told["scope"], told["n"], told["list"]) == ("a b", 1, ["x"])
            assert before <= told["iat"] < told["exp"]
            raw = base64.urlsafe_b64decode(signature + "==")
            KEY.public_key().verify(raw, signed.encode(), padding.PKCS1v15(), digest)

    run(story)


def test_a_key_that_is_none_fails_the_attempt_and_is_not_shown() -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    other = curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    async def story() -> None:
        async with served(token=token("a")) as server:
            for key, problem in (("hush", "no readable key"), (other, "not an RSA key")):
                section = config(server, client_certificate_key=key, grant_type=JWT_BEARER)
                async with client(section) as http:
                    with pytest.raises(NotifyError, match=problem) as caught:
                        await http.post(f"{server.url}/hook", b"{}")
                    assert "hush" not in str(caught.value)
            assert server.requests == []

    run(story)


@pytest.mark.parametrize(
    "answer",
    [
        json_answer(b"{}"),
        json_answer(b"[]"),
        json_answer(b"no JSON"),
        json_answer(b'{"access_token":""}'),
        json_answer(b'{"access_token":"a","expires_in":"soon"}'),
        json_answer(b'{"access_token":"a","expires_in":1%s}' % (b"0" * 400)),
        json_answer(b"[" * 60_000),
        json_answer(b'{"access_token":"a\\r\\nX: y"}'),
        json_answer(b'{"access_token":"a","error":"invalid_scope"}'),
        of_type("text/plain; charset=utf-8", b'{"access_token":"a"}'),
        of_type("text/plain", b"access_token=a&error=e"),
    ],
)
def test_an_answer_that_is_no_token_fails_the_attempt(answer: bytes) -> None:
    async def story() -> None:
        async with served(token=answer) as server, client(config(server)) as http:
            with pytest.raises(NotifyError) as caught:
                await http.post(f"{server.url}/hook", b"{}")
            assert caught.value.retry
            assert "/hook" not in paths(server)
            server.answers["/token"] = token("a")
            assert (await http.post(f"{server.url}/hook", b"{}")).status == 200

    run(story)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (json_answer(b'{"error":"invalid_scope"}'), "invalid_scope"),
        (json_answer(b'{"error":"e","error_description":"no such one","expires_in":"x"}'), "e: no such one"),
        (of_type("text/plain", b"error=e&error_description=why"), "e: why"),
    ],
)
def test_what_a_server_says_with_200_is_reported(answer: bytes, said: str) -> None:
    async def story() -> None:
        async with served(token=answer) as server, client(config(server)) as http:
            with pytest.raises(NotifyError, match=f"oauth2: cannot fetch token: {said}$"):
                await http.post(f"{server.url}/hook", b"{}")

    run(story)


@pytest.mark.parametrize(
    "answer",
    [REFUSAL, json_answer(b"", 500), json_answer(b"{}"), json_answer(b'{"access_token":"a","error":"e"}')],
)
def test_the_secret_goes_into_the_body_if_the_header_brings_no_token(answer: bytes) -> None:
    """As in Go, whatever is wrong; and the way that has brought one is kept."""

    async def story() -> None:
        async with served(token=token("a", expires_in=5)) as server, client(config(server)) as http:
            server.once["/token"] = answer
            for _ in range(2):
                await http.post(f"{server.url}/hook", b"{}")
            assert paths(server) == ["/token", "/token", "/hook", "/token", "/hook"]
            asked = [request for request in server.requests if "/token" in request.line]
            assert ["authorization" in request.headers for request in asked] == [True, False, False]
            server.answers["/token"] = REFUSAL
            with pytest.raises(NotifyError, match="oauth2: cannot fetch token: 401"):
                await http.post(f"{server.url}/hook", b"{}")
            assert paths(server)[5:] == ["/token"]

    run(story)
