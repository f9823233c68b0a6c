"""What was seen, in the form of the captures: without what differs from run to run, and nothing else.

tests/vectors/README.md tells the form.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import re
from collections.abc import Callable
from html.parser import HTMLParser
from quopri import decodestring
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from tests.receivers.scripted import HTTPRequest, Seen, Session

Names: TypeAlias = Callable[[str], str]
"""Puts ``@HTTP@`` and the like in place of addresses."""

LEFT_OUT: Final = frozenset(
    (
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "host",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "traceparent",
        "transfer-encoding",
    )
)
WHOLE: Final = 24_000
"""Characters: a longer text is told by its hash, its head and its tail."""
KEYS: Final = {
    "AKIDEXAMPLE": "made/up/secret",
    "ASIAROLE": "made/up/role/secret",
    "AKIDPROFILE": "made/up/profile/secret",
}
"""Of AWS, in the captures."""


def written(seen: Seen, names: Names) -> dict[str, Any]:
    """A request or session as the captures have it."""
    return _session(seen, names) if isinstance(seen, Session) else _request(seen, names)


def _request(seen: HTTPRequest, names: Names) -> dict[str, Any]:
    headers: dict[str, str] = {}
    for name, value in seen.headers:
        name = name.lower()
        if name not in LEFT_OUT:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    made: dict[str, Any] = {"method": seen.method, "url": names(seen.url)}
    if seen.via:
        made["via"] = {name: names(value) for name, value in seen.via.items()}
    if seen.chunked:
        made["chunked"] = True
    if headers.get("authorization", "").startswith("AWS4-HMAC-SHA256"):
        headers = _of_aws(seen, headers)
        made["form"] = [[name, _short(value)] for name, value in _form(seen.body)]
    else:
        made["body"] = _short(names(_text(seen.body)))
    made["headers"] = {name: names(value) for name, value in headers.items()}
    return made


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(data).decode()


def _short(text: str) -> str | dict[str, Any]:
    if len(text) <= WHOLE:
        return text
    data = text.encode("utf-8", "surrogatepass")
    return {
        "characters": len(text),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "head": text[:1500],
        "tail": text[-500:],
    }


def _of_aws(seen: HTTPRequest, headers: dict[str, str]) -> dict[str, str]:
    """The signature is checked; the clock's part of it goes, and the headers that only an SDK has."""
    kept = {n: v for n, v in headers.items() if not n.startswith("amz-sdk-") and n != "x-amz-date"}
    credential = re.sub(r"/\d{8}/", "/@DATE@/", headers["authorization"].partition(",")[0])
    kept["authorization"] = f"{credential}, Signature={'@VALID@' if _is_signed(seen) else '@WRONG@'}"
    if kept.get("user-agent", "").startswith("aws-sdk-go"):
        kept["user-agent"] = "aws-sdk-go-v2"
    return kept


_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<scope>\d+/[^/]+/[^/]+/aws4_request), ?"
    r"SignedHeaders=(?P<names>[^,]+), ?Signature=(?P<signature>\w+)"
)


def _is_signed(seen: HTTPRequest) -> bool:
    """Whether the request has the right AWS Signature Version 4 of one of :data:`KEYS`."""
    headers = {name.lower(): value for name, value in seen.headers}
    found = _AUTHORIZATION.match(headers["authorization"])
    if found is None or found["key"] not in KEYS:
        return False
    headers["content-length"] = str(len(seen.body))
    parts = urlsplit(seen.url)
    lines = [seen.method, parts.path or "/", parts.query]
    lines += [f"{name}:{' '.join(headers.get(name, '').split())}" for name in found["names"].split(";")]
    lines += ["", found["names"], hashlib.sha256(seen.body).hexdigest()]
    hashed = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    signed = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], found["scope"], hashed])
    key = f"AWS4{KEYS[found['key']]}".encode()
    for part in (*found["scope"].split("/"), signed):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(key.hex(), found["signature"])


_ENTRY = re.compile(r"(.*\.entry)\.(\d+)\.(.*)")


def _form(body: bytes) -> list[tuple[str, str]]:
    """A form of AWS' query protocol, sorted; the entries of a map are numbered by their names."""
    plain: list[tuple[str, str]] = []
    entries: dict[tuple[str, str], dict[str, str]] = {}
    for name, value in parse_qsl(body.decode(), keep_blank_values=True):
        if found := _ENTRY.match(name):
            entries.setdefault((found[1], found[2]), {})[found[3]] = value
        else:
            plain.append((name, value))
    ordered = sorted(entries.items(), key=lambda entry: (entry[0][0], entry[1].get("Name", "")))
    for number, ((prefix, _), fields) in enumerate(ordered, start=1):
        plain += [(f"{prefix}.{number}.{name}", value) for name, value in fields.items()]
    if ("Action", "AssumeRole") in plain:
        plain = [(name, "@NAME@" if name == "RoleSessionName" else value) for name, value in plain]
    return sorted(plain)


def _session(seen: Session, names: Names) -> dict[str, Any]:
    made: dict[str, Any] = {"smtp": [names(line) for line in seen.lines], "tls": seen.tls}
    if not seen.message:
        return made
    head, _, body = _text(seen.message).partition("\r\n\r\n")
    found = re.search(r'boundary="?([^"\s;]+)', head)

    def neutral(text: str) -> str:
        return names(text.replace(found[1], "@BOUNDARY@") if found else text)

    today = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
    headers = []
    for header in re.split(r"\r\n(?![ \t])", head):
        header = header.replace(today, "@TODAY@")
        header = re.sub(r"^Message-Id: <\d+\.\d+@[^>]+>$", "Message-Id: <@ID@>", header)
        header = re.sub(r"^Date: \w{3}, \d\d \w{3} \d{4} [\d:]{8} [+-]\d{4}$", "Date: @DATE@", header)
        headers.append(_short(neutral(header)))
    made["headers"] = sorted(headers, key=lambda header: str(header).lower().partition(":")[0])
    made["body"] = _short(_pages(neutral(body)))
    return made


def _pages(body: str) -> str:
    """A mail's parts; one that is a whole page of HTML counts for its words and links."""
    pieces = re.split(r"(--@BOUNDARY@(?:--)?\r\n)", body)
    for number, piece in enumerate(pieces):
        head, gap, content = piece.partition("\r\n\r\n")
        if gap and "text/html" in head and "quoted-printable" in head:
            page = decodestring(content.encode()).decode("utf-8", "replace")
            if "<html" in page.lower():
                words = _Words()
                words.feed(page)
                pieces[number] = f"{head}{gap}@PAGE@ {' '.join(words.found)}\r\n"
    return "".join(pieces)


class _Words(HTMLParser):
    """The words of a page and the targets of its links, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("style", "script"):
            self._unseen += 1
        target = dict(attrs).get("href")
        if tag == "a" and target:
            self.found.append(f"-> {target}")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script"):
            self._unseen -= 1

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.found += data.split()
