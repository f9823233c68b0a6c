"""Readers of single values, with Go's notions of what a bool, a number, a URL is."""

from __future__ import annotations

import math
import re

from tocsin.alerting.duration import format_duration, parse_duration, parse_go_duration
from tocsin.alerting.quote import go_quote
from tocsin.config.readers import parsed, secret, text
from tocsin.config.texts import SECRET_TEXT, MaskedURL, Secret
from tocsin.config.yaml import Node, Reader, Scalar, describe

TRUE_WORDS = frozenset(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"))
FALSE_WORDS = frozenset(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"))
_UNSIGNED = re.compile(r"\+?(0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|[0-9][0-9_]*)", re.ASCII)
_LONGEST_NUMBER = 32
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_URL_TROUBLE = re.compile(r"[\x00-\x20\x7f]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def boolean(node: Node) -> bool:
    """The texts that Alertmanager's YAML takes for a bool, unquoted: true, yes, on, y and their opposites."""
    if isinstance(node, Scalar) and node.plain and node.tag in ("", "bool"):
        if node.text in TRUE_WORDS:
            return True
        if node.text in FALSE_WORDS:
            return False
    raise node.mark.error(
        f"expected true or false, found {describe(node)}", "write true or false, without quotes"
    )


_FRACTION = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?", re.ASCII)


def unsigned(node: Node) -> int:
    """A whole number from 0, decimal, ``0x``, ``0o``, ``0b`` or with a leading zero octal; ``_`` may group
    digits. What follows a point is cut off, as Go's library does."""
    value = _number(node)
    if value is None or not 0 <= value < 1 << 64:
        raise node.mark.error(
            f"expected a whole number from 0, found {describe(node)}", "write it without quotes"
        )
    return value


def _number(node: Node) -> int | None:
    if not isinstance(node, Scalar) or not node.plain or node.tag not in ("", "int", "float"):
        return None
    negative = node.text.startswith("-")
    digits = node.text.removeprefix("-")
    value = _whole_number(digits) if not (negative and digits.startswith("+")) else None
    if value is not None:
        return -value if negative else value
    plain = node.text.replace("_", "")
    if len(plain) > _LONGEST_NUMBER or not _FRACTION.fullmatch(plain):
        return None
    amount = float(plain)
    return int(amount) if math.isfinite(amount) else None


def _whole_number(written: str) -> int | None:
    if len(written) > _LONGEST_NUMBER or not _UNSIGNED.fullmatch(written):
        return None
    digits = written.lstrip("+").replace("_", "")
    octal = len(digits) > 1 and digits[0] == "0" and digits.isdigit()
    try:
        return int(digits, 8) if octal else int(digits, 0)
    except ValueError:
        return None


def integer(node: Node) -> int:
    """A whole number of 64 bits, written as :func:`unsigned` takes it, and with a - in front if it is below
    0."""
    value = _number(node)
    if value is None or not -(1 << 63) <= value < 1 << 63:
        raise node.mark.error(f"expected a whole number, found {describe(node)}", "write it without quotes")
    return value


duration: Reader[int] = parsed(parse_duration, hint="a duration looks like 30s, 5m or 1h30m")
"""A duration as Prometheus writes it; nanoseconds."""


def show_duration(span: int | None) -> str:
    """A duration, nanoseconds, as Prometheus writes it."""
    return format_duration(span or 0)


def go_duration(node: Node) -> int:
    """A duration as Go writes it or, unquoted, a bare number of nanoseconds, as Alertmanager accepts;
    nanoseconds."""
    if isinstance(node, Scalar) and node.plain and node.text.lstrip("-").isdecimal() and len(node.text) < 19:
        return int(node.text)
    return parsed(parse_go_duration, hint="a duration here looks like 30s, 1m30s or 500ms")(node)


def check_url(url: str) -> None:
    """Refuse what Alertmanager refuses of a URL: ``ValueError``. Only http and https have a meaning here.

    The error never holds the URL: it may hold a password or a token.
    """
    if _CONTROL.search(url):
        raise ValueError("a URL cannot hold control characters")
    if url.startswith(" "):
        raise ValueError("a URL cannot begin with a space")
    scheme, colon, rest = url.partition(":")
    if not colon or not _SCHEME.fullmatch(scheme):
        raise ValueError('unsupported scheme "" for URL')
    if scheme.lower() not in ("http", "https"):
        raise ValueError(f"unsupported scheme {go_quote(scheme.lower())} for URL")
    authority = re.split(r"[/?#]", rest[2:], maxsplit=1)[0] if rest.startswith("//") else ""
    if not authority:
        raise ValueError("missing host for URL")
    if _BAD_ESCAPE.search(url.partition("?")[0]):
        raise ValueError("a % in a URL is followed by two hexadecimal digits")
    check_authority(authority)


def check_authority(authority: str) -> None:
    """Refuse a bad host or port of a URL: ``ValueError``."""
    if " " in authority:
        raise ValueError("a URL cannot hold spaces before its path")
    host_port = authority.rpartition("@")[2]
    if not host_port:
        raise ValueError("missing host for URL")
    if host_port.startswith("["):
        _, bracket, port = host_port.partition("]")
        if not bracket:
            raise ValueError("missing ']' in the host of a URL")
    else:
        host, colon, port = host_port.partition(":")
        port = colon + port
        if any(character in host for character in '<>"\\^`{|}[]'):
            raise ValueError("invalid character in the host of a URL")
    if port and not re.fullmatch(r":[0-9]*", port, re.ASCII):
        raise ValueError("invalid port in a URL")


def url(node: Node) -> MaskedURL:
    """An http or https URL."""
    return MaskedURL(parsed(_url, hint="a URL looks like https://host:port/path")(node))


def secret_url(node: Node) -> Secret:
    """A URL that is never shown. The text ``<secret>`` is accepted, so that a configuration which the API has
    shown loads."""
    value = secret(node)
    if value != SECRET_TEXT:
        parsed(_url, hint="a URL looks like https://host:port/path")(node)
    return value


def any_url(node: Node) -> MaskedURL:
    """A URL of any scheme, or nothing: for proxies."""
    return MaskedURL(parsed(_any_url, hint="a proxy's URL looks like http://host:port")(node))


def _any_url(written: str) -> str:
    if _URL_TROUBLE.search(written):
        raise ValueError("a URL cannot hold spaces or control characters")
    scheme, colon, rest = written.partition(":")
    if colon and not _SCHEME.fullmatch(scheme):
        raise ValueError("first path segment in URL cannot contain colon")
    before, _, fragment = written.partition("#")
    if _BAD_ESCAPE.search(before.partition("?")[0]) or _BAD_ESCAPE.search(fragment):
        raise ValueError("invalid URL escape")
    if rest.startswith("//"):
        authority = re.split(r"[/?#]", rest[2:], maxsplit=1)[0]
        if authority:
            check_authority(authority)
    return scheme.lower() + colon + rest if colon else written


def _url(written: str) -> str:
    check_url(written)
    return written


def host_port(node: Node) -> str:
    """``host:port``, or empty."""
    written = text(node)
    if not written:
        return ""
    host, colon, port = written.rpartition(":")
    if not colon:
        raise node.mark.error(f"address {written}: missing port in address", "write host:port")
    bracketed = host.startswith("[") and host.endswith("]")
    if not bracketed and ":" in host:
        raise node.mark.error(f"address {written}: too many colons in address", "put an IPv6 address in [ ]")
    if not port:
        raise node.mark.error(f"address {go_quote(written)}: port cannot be empty", "write host:port")
    return written
