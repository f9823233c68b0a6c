"""OAuth 2 for receivers: a token is fetched before the first request, and used until shortly before it
expires.

Sources: RFC 6749, 4.4 (client credentials), RFC 7523 (JWT bearer). The client's id and secret go into the
``Authorization`` header first and, when the server refuses that, into the body, as Go's client does.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from contextlib import suppress
from typing import Any, Final
from urllib.parse import parse_qsl, quote_plus, urlencode

from tocsin.config.httpclient import JWT_BEARER, OAuth2
from tocsin.notify.integrations.base import Answer, NotifyError, excerpt, reason_of
from tocsin.notify.integrations.http import HTTPClient
from tocsin.notify.integrations.json import members
from tocsin.notify.integrations.secrets import Secrets

EARLY: Final = 10.0
"""Seconds before its expiry from which a token counts as expired."""
JWT_SECONDS: Final = 3600


class OAuth2Tokens:
    """The tokens of one integration."""

    def __init__(self, config: OAuth2, client: HTTPClient, secrets: Secrets) -> None:
        self._config = config
        self._client = client
        self._secrets = secrets
        self._lock = asyncio.Lock()
        self._in_body: bool | None = None  # whether the client's secret goes there, once that is known
        self._token = ""
        self._secret: str | None = None
        self._ends = 0.0
        self._uses = 0

    async def authorization(self) -> str:
        """``TYPE TOKEN``; :class:`NotifyError` when no token can be fetched."""
        async with self._lock:
            config = self._config
            if config.grant_type == JWT_BEARER:
                value, file = config.client_certificate_key, config.client_certificate_key_file
            else:
                value, file = config.client_secret, config.client_secret_file
            secret = await self._secrets.read(value, file)
            if not self._token or secret != self._secret or time.monotonic() >= self._ends:
                await self._fetch(secret)
                self._secret = secret
                self._uses = 0
            self._uses += 1
            return self._token

    def refused(self, authorization: str) -> bool:
        """The receiver has refused this token; whether to repeat the request at once with a new one. Not if
        this one was fetched for the request: otherwise a receiver that refuses every token would get two
        requests for each notification.
        """
        if authorization != self._token:
            return True  # Another request has fetched a new one already.
        self._token = ""
        return self._uses > 1

    async def close(self) -> None:
        """Close kept connections."""
        await self._client.close()

    async def _fetch(self, secret: str) -> None:
        self._token = ""
        if self._config.grant_type == JWT_BEARER:
            self._take(await self._by_jwt(secret))
            return
        if self._in_body is None:
            with suppress(NotifyError):  # Whatever is wrong, the other way is tried then, as by Go's client.
                self._take(await self._ask(secret, in_body=False))
                self._in_body = False
                return
        self._take(await self._ask(secret, in_body=self._in_body is not False))
        self._in_body = self._in_body is not False

    async def _ask(self, secret: str, *, in_body: bool) -> Answer:
        config = self._config
        form = {"grant_type": "client_credentials"}
        if config.scopes:
            form["scope"] = " ".join(config.scopes)
        form |= config.endpoint_params
        headers = []
        if in_body:
            form |= {"client_id": config.client_id} | ({"client_secret": secret} if secret else {})
        else:
            pair = f"{quote_plus(config.client_id)}:{quote_plus(secret)}"
            token = base64.b64encode(pair.encode()).decode()
            self._secrets.add(token, quote_plus(secret))
            headers.append(("Authorization", f"Basic {token}"))
        return await self._post(form, headers)

    async def _by_jwt(self, key: str) -> Answer:
        form = {"assertion": await asyncio.to_thread(self._assertion, key), "grant_type": JWT_BEARER}
        self._secrets.add(form["assertion"])
        return await self._post(form | self._config.endpoint_params, [])

    async def _post(self, form: dict[str, str], headers: list[tuple[str, str]]) -> Answer:
        body = urlencode(sorted(form.items())).encode()
        kind = "application/x-www-form-urlencoded"
        try:
            return await self._client.post(self._config.token_url, body, content_type=kind, headers=headers)
        except NotifyError as failure:
            raise NotifyError(f"oauth2: cannot fetch token: {failure}", retry=True) from None

    def _assertion(self, key: str) -> str:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        config = self._config
        algorithm = config.signature_algorithm or "RS256"
        try:
            private = load_pem_private_key(key.encode(), None)
        except (ValueError, TypeError):
            raise NotifyError("client_certificate_key holds no readable key") from None
        if not isinstance(private, RSAPrivateKey):
            raise NotifyError("client_certificate_key is not an RSA key")
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": config.iss or config.client_id,
            "sub": config.client_id,
            "aud": config.audience or config.token_url,
            "iat": now,
            "exp": now + JWT_SECONDS,
        }
        if config.scopes:
            claims["scope"] = " ".join(config.scopes)
        claims |= config.claims
        header = {"alg": algorithm, "typ": "JWT"}
        if config.client_certificate_key_id:
            header["kid"] = config.client_certificate_key_id
        signed = f"{_base64(json.dumps(header).encode())}.{_base64(json.dumps(claims).encode())}"
        digest = {"RS256": hashes.SHA256(), "RS384": hashes.SHA384(), "RS512": hashes.SHA512()}[algorithm]
        return f"{signed}.{_base64(private.sign(signed.encode(), PKCS1v15(), digest))}"

    def _take(self, answer: Answer) -> None:
        if not 200 <= answer.status < 300:
            problem = f"oauth2: cannot fetch token: {answer.status}: {excerpt(answer.body)}"
            raise NotifyError(problem, retry=True, reason=reason_of(answer.status))
        try:
            found = _members(answer)
        except ValueError:
            found = {}
        if found.get("error"):  # Some servers answer with 200 then.
            said = ": ".join([str(found[name]) for name in ("error", "error_description") if found.get(name)])
            said = excerpt(said.encode("utf-8", "replace"))
            raise NotifyError(f"oauth2: cannot fetch token: {said}", retry=True)
        try:
            token, kind = str(found["access_token"]), str(found.get("token_type") or "Bearer")
            lasts = float(found.get("expires_in") or 0)
        except (ValueError, KeyError, TypeError, OverflowError):
            raise NotifyError("oauth2: server response missing access_token", retry=True) from None
        if not token or not f"{kind}{token}".isprintable():  # It has to be a valid header value.
            raise NotifyError("oauth2: server response missing access_token", retry=True)
        self._secrets.add(token)
        self._token = f"{_TYPES.get(kind.lower(), kind)} {token}"
        self._ends = time.monotonic() + lasts - EARLY if lasts else float("inf")


_TYPES: Final = {"bearer": "Bearer", "mac": "MAC", "basic": "Basic"}


def _members(answer: Answer) -> dict[str, Any]:
    """Of a token's answer: JSON, or a form, which Go's client takes text for as well."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", "text/plain"):
        return members(answer.body)
    found: dict[str, Any] = dict(reversed(parse_qsl(answer.body.decode("utf-8", "replace"))))
    if not re.fullmatch(r"[-+]?[0-9]+", found.get("expires_in", "")):
        found.pop("expires_in", None)
    return found


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
