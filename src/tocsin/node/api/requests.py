"""What a request asks for: path, query and headers, read as Alertmanager's router and go-openapi do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from tocsin.alerting import regex
from tocsin.alerting.matcher import Matcher, ParserMode, parse_matcher, parse_matchers
from tocsin.alerting.steps import Steps
from tocsin.errors import ValidationError
from tocsin.node.api.bodies import BodyError

_TRUE = frozenset(("1", "checked", "enabled", "ok", "on", "selected", "t", "true", "y", "yes"))

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PARAMETER = re.compile(
    r"\s*+;\s*+[!#$%&'*+.^_`|~0-9A-Za-z-]++=(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++|\"(?:[^\"\\]|\\.)*+\")"
)
_UUID = re.compile("[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
_ESCAPED_DOT = re.compile("%2[eE]")
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9a-fA-F]{2})")


def unescape(text: bytes) -> str:
    """Percent-decoded text."""
    return unquote_to_bytes(text).decode("utf-8", "replace")


def clean_path(raw: str) -> str:
    """An escaped path as Go's router cleans it: no empty, ``.`` or ``..`` segment.

    Go redirects to the cleaned path, with which some clients lose a POST's body; here it is served at once.
    """
    if "//" not in raw and "/." not in raw and "%2" not in raw:
        return raw
    kept: list[str] = []
    segments = _ESCAPED_DOT.sub(".", raw).split("/")
    for segment in segments:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment not in ("", "."):
            kept.append(segment)
    return "/" + "/".join(kept) + ("/" if kept and segments[-1] in ("", ".", "..") else "")


def purse() -> regex.Purse:
    """The budget for compiling the patterns of one request."""
    return regex.Purse(3 * regex.MAX_SIZE // 2)


def read_matchers(
    texts: Iterable[str], mode: ParserMode, purse: regex.Purse, *, several: bool = False
) -> Steps[list[Matcher]]:
    """The matchers of a request, a step for each text, which may hold ``several``. Raises ValueError."""
    found: list[Matcher] = []
    for text in texts:
        with regex.spending(purse):
            if several:
                found += parse_matchers(text, origin="api", mode=mode)
            else:
                found.append(parse_matcher(text, origin="api", mode=mode))
        yield
    return found


class Query:
    """The parameters of a query string, as Go's ``url.ParseQuery`` and go-openapi read them."""

    def __init__(self, query_string: bytes, mode: ParserMode = ParserMode.FALLBACK) -> None:
        self._mode = mode
        self._values: dict[str, list[str]] = {}
        self._raw: dict[str, bytes] = {}
        """The last value of each, before what is not UTF-8 is replaced."""
        self._purse = purse()  # of all filters together
        for pair in query_string.split(b"&"):
            # Go drops pairs with a semicolon or a broken escape.
            if not pair or b";" in pair or _BROKEN_ESCAPE.search(pair):
                continue
            name, _, value = pair.replace(b"+", b" ").partition(b"=")
            self._values.setdefault(unescape(name), []).append(unescape(value))
            self._raw[unescape(name)] = unquote_to_bytes(value)

    def all(self, name: str) -> list[str]:
        """Every value of ``name``, empty ones too."""
        return self._values.get(name, [])

    def last(self, name: str) -> str:
        """The last value of ``name``, the one that counts; empty if there is none."""
        values = self._values.get(name)
        return values[-1] if values else ""

    def flag(self, name: str) -> bool:
        """A parameter that is true unless something other than true is given."""
        value = self.last(name)
        return not value or value.lower() in _TRUE

    def matchers(self, name: str = "filter") -> Steps[list[Matcher]]:
        """The matchers of a repeatable parameter, a step for each. Raises ValidationError."""
        try:
            return (yield from read_matchers(self.all(name), self._mode, self._purse))
        except ValueError as error:
            raise ValidationError(str(error)) from None

    def receiver_matchers(self) -> Steps[list[Matcher]]:
        """``receiver_matchers``, in steps. Raises ValidationError."""
        try:
            return (yield from self.matchers("receiver_matchers"))
        except ValidationError as error:
            raise ValidationError(f"failed to parse receiver_matchers param: {error}") from None

    def receiver(self) -> regex.Regex | None:
        """``receiver``, a regular expression. Raises ValidationError."""
        text = self.last("receiver")
        if not text:
            return None
        raw = self._raw["receiver"]
        try:
            raw.decode()
        except UnicodeDecodeError as error:
            rest = raw[error.start :].decode("utf-8", "replace")
            raise ValidationError(
                f"failed to parse receiver param: error parsing regexp: invalid UTF-8: `{rest})$`"
            ) from None
        try:
            with regex.spending(self._purse):
                return regex.compile(text)
        except ValueError as error:
            raise ValidationError(f"failed to parse receiver param: {error}") from None


def is_uuid(text: str) -> bool:
    """Whether go-openapi takes ``text`` for a UUID: plain, without dashes, in braces or as a URN."""
    if len(text) == 38:
        text = text[1:37]
    elif len(text) == 45 and text[:9].lower() == "urn:uuid:":
        text = text[9:]
    return len(text) in (32, 36) and _UUID.fullmatch(text) is not None


def check_content_type(value: str | None) -> None:
    """Raise BodyError unless the body is JSON."""
    if not value:
        value = "application/octet-stream"
    media_type = _media_type(value)
    if media_type != "application/json":
        quoted = f'"{media_type}"'
        raise BodyError(415, f"unsupported media type {quoted}, only [application/json] are allowed")


def _media_type(value: str) -> str:
    media_type, _, rest = value.partition(";")
    media_type = media_type.strip().lower()
    problem = ""
    main, slash, sub = media_type.partition("/")
    if not media_type:
        problem = "mime: no media type"
    elif slash and not sub:
        problem = "mime: expected token after slash"
    elif not _TOKEN.fullmatch(main) or (slash and not _TOKEN.fullmatch(sub)):
        problem = (
            "mime: unexpected content after media subtype"
            if slash
            else "mime: expected slash after first token"
        )
    elif rest.strip() and not re.fullmatch(f"(?:{_PARAMETER.pattern})++\\s*+;?\\s*+", ";" + rest):
        problem = "mime: invalid media parameter"
    elif not slash:
        problem = f'mediatype: malformed: "{media_type}" has no subtype'
    if problem:
        raise BodyError(400, f'parsing Content-Type header from "{value}" failed, because {problem}')
    return media_type


def accepts_json(accept: Iterable[str]) -> bool:
    """Whether the ``Accept`` headers, if there are any, allow JSON."""
    values = list(accept)
    if not values:
        return True
    for choice in ",".join(values).split(","):
        media_type, *parameters = (part.strip().lower() for part in choice.split(";"))
        if media_type in ("application/json", "application/*", "*/*"):
            quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
            if quality.strip("0.") != "":
                return True
    return False


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the ``Accept-Encoding`` header names gzip and does not rule it out."""
    for choice in accept_encoding.split(","):
        coding, *parameters = (part.strip() for part in choice.split(";"))
        if coding == "gzip":
            quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
            return quality.strip("0.") != ""
    return False
