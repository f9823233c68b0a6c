"""AWS as its own clients use it: where keys and region come from, and which calls are retried at once.

Keys come from the section, from the environment (``AWS_ACCESS_KEY_ID`` and so on) or from the shared files
(``~/.aws/credentials``, ``~/.aws/config``). Keys that AWS gives to its machines and containers (IMDS, ECS)
are not supported.
"""

from __future__ import annotations

import asyncio
import configparser
import os
import random
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from tocsin.dataclass import dataclass
from tocsin.files import read_regular
from tocsin.notify.integrations.base import Answer, NotifyError, reason_of
from tocsin.notify.integrations.http import HTTPClient
from tocsin.notify.integrations.secrets import MAX_SECRET_BYTES
from tocsin.notify.integrations.sigv4 import Credentials, sign

MAX_TRIES: Final = 3
"""Tries of one call within one attempt, as in AWS's own clients."""
LONGEST_PAUSE: Final = 20.0
"""Seconds between two tries."""
AGAIN_STATUSES: Final = frozenset((500, 502, 503, 504))
AGAIN_CODES: Final = frozenset(
    (
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    )
)


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile of the shared files, and what the environment says instead."""

    credentials: Credentials | None
    region: str


def read_profile(name: str, environment: Mapping[str, str]) -> Profile:
    """The profile ``name``; empty: the environment's keys, or else the profile that it names, or ``default``.

    Reads files: not for the event loop. ``OSError`` or ``ValueError`` for files that cannot be read.
    """
    found: Credentials | None = None
    if not name and environment.get("AWS_ACCESS_KEY_ID"):
        found = _credentials(
            environment["AWS_ACCESS_KEY_ID"],
            environment.get("AWS_SECRET_ACCESS_KEY", ""),
            environment.get("AWS_SESSION_TOKEN", ""),
        )
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or ""
    wanted = name or environment.get("AWS_PROFILE") or "default"
    if found is None or not region:
        keys = _section(environment.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials", wanted)
        title = wanted if wanted == "default" else f"profile {wanted}"
        settings = _section(environment.get("AWS_CONFIG_FILE") or "~/.aws/config", title)
        keys = {**settings, **keys}
        found = found or _credentials(
            keys.get("aws_access_key_id", ""),
            keys.get("aws_secret_access_key", ""),
            keys.get("aws_session_token", ""),
        )
        region = region or settings.get("region", "")
    return Profile(found, region)


def _credentials(access_key: str, secret_key: str, token: str) -> Credentials | None:
    return Credentials(access_key, secret_key, token) if access_key and secret_key else None


def _section(file: str, name: str) -> dict[str, str]:
    path = Path(file).expanduser()
    try:
        data = read_regular(path, MAX_SECRET_BYTES)
    except FileNotFoundError:
        return {}
    parser = configparser.RawConfigParser(strict=False, default_section="\0")
    try:
        parser.read_string(data.decode())
    except configparser.Error:
        # Its own message holds lines of the file.
        raise ValueError(f"{path} is not in the form of AWS's files") from None
    return dict(parser.items(name)) if parser.has_section(name) else {}


class AWSClient:
    """Calls of AWS's query protocol (``Action=…``), signed."""

    def __init__(self, http: HTTPClient) -> None:
        self._http = http

    async def call(
        self,
        url: str,
        form: Sequence[tuple[str, str]],
        *,
        credentials: Credentials,
        region: str,
        service: str,
        result: str,
    ) -> bytes:
        """The answer, which holds the element ``result`` or is empty; :class:`NotifyError` for any other.

        The query of ``url`` is dropped, as by AWS's own library.
        """
        url = url.partition("#")[0].partition("?")[0]
        body = urlencode(form, errors="surrogateescape").encode()
        for number in range(1, MAX_TRIES + 1):
            last = number == MAX_TRIES
            now = datetime.now(UTC)
            headers = sign(
                "POST",
                url,
                body,
                headers=[("Content-Type", "application/x-www-form-urlencoded")],
                credentials=credentials,
                region=region,
                service=service,
                now=now,
            )
            try:
                answer = await self._http.request("POST", url, body, headers=headers)
            except NotifyError as failure:
                if last or not failure.retry:
                    raise
            else:
                problem = _problem(answer, result)
                if problem is None:
                    return answer.body
                code, text = problem
                if last or not (answer.status in AGAIN_STATUSES or code in AGAIN_CODES):
                    raise _error(answer.status, code, text)
            await asyncio.sleep(min(random.random() * 2 ** (number - 1), LONGEST_PAUSE))
        raise AssertionError


def element(body: bytes, name: str) -> str:
    """The text of the first element of that name, at any depth; empty if there is none."""
    found = re.search(rb"<%b>([^<]*)</%b>" % (name.encode(), name.encode()), body)
    return unescape(found[1].decode("utf-8", "replace")) if found else ""


def _problem(answer: Answer, result: str) -> tuple[str, str] | None:
    """Code and text of the error, if the answer is one. Without a code the answer is not one of AWS."""
    body = answer.body.strip()
    if 200 <= answer.status < 300:
        if b"<" not in body or re.search(rb"<%b[\s/>]" % result.encode(), body):
            return None
        return "", "the answer is not from AWS"
    if b"<" in body and not body.endswith(b">"):
        return "", "the answer is not from AWS"
    return element(body, "Code") or "UnknownError", element(body, "Message")


def _error(status: int, code: str, text: str) -> NotifyError:
    if not code:
        return NotifyError(f"unexpected answer with status code {status}: {text}", retry=True)
    said = f"{code}: {text}".removesuffix(": ")
    return NotifyError(
        f"unexpected status code {status}: {said}", retry=500 <= status < 600, reason=reason_of(status)
    )


def environment() -> Mapping[str, str]:
    """The environment variables of the process."""
    return os.environ
