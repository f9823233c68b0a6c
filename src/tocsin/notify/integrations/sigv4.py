"""AWS Signature Version 4: signs requests to AWS.

https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import field
from datetime import datetime
from typing import Final
from urllib.parse import quote

from tocsin.dataclass import dataclass
from tocsin.notify.integrations.url import parse

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key, its secret, and a session token if the key is temporary."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def sign(
    method: str,
    url: str,
    body: bytes,
    *,
    headers: Sequence[tuple[str, str]],
    credentials: Credentials,
    region: str,
    service: str,
    now: datetime,
) -> list[tuple[str, str]]:
    """``headers`` with those added that the signature needs. ``now`` is in UTC. ``ValueError`` for a bad
    ``url``; its query must be empty, as it is of every request here."""
    target = parse(url)
    path, _, query = target.path.partition("?")
    if query:
        raise ValueError("a URL with a query cannot be signed")
    stamp, day = f"{now:%Y%m%dT%H%M%SZ}", f"{now:%Y%m%d}"
    sent = [*headers, ("X-Amz-Date", stamp)]
    if credentials.session_token:
        sent.append(("X-Amz-Security-Token", credentials.session_token))
    signed = sorted(
        (name.lower(), " ".join(value.split())) for name, value in [*sent, ("host", target.authority)]
    )
    names = ";".join(name for name, _ in signed)
    request = "\n".join(
        [
            method,
            quote(path, safe="/-_.~"),
            "",
            *(f"{name}:{value}" for name, value in signed),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{day}/{region}/{service}/aws4_request"
    to_sign = "\n".join([_ALGORITHM, stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"{credentials.access_key}/{scope}"
    authorization = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return [*sent, ("Authorization", authorization)]
