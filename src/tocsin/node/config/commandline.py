"""Command lines in the form of Alertmanager's: a frozen dataclass whose fields are the flags.

``--flag=value``, ``--flag value``, ``--switch`` and ``--no-switch``; a flag is given once unless it is
repeatable.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from tocsin.alerting.duration import format_go_duration, parse_duration, parse_go_duration
from tocsin.dataclass import dataclass
from tocsin.errors import ConfigError, UserError

T = TypeVar("T")
_META = "flag"


class UsageError(UserError):
    """The command line cannot be parsed: one line, exit status 1, as in Alertmanager."""


class HelpRequested(Exception):  # noqa: N818 - not an error
    """``--help`` or ``--version`` was given; ``text`` is the answer, exit status 0."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True)
class Flag:
    """How one flag is read."""

    name: str
    parse: Callable[[str], Any]
    help: str
    repeatable: bool = False
    switch: bool = False
    only_default: str = ""
    """Why only the default is accepted, if so."""
    show: Callable[[Any], str] = str
    aliases: tuple[str, ...] = ()
    """Other names under which it is accepted; help does not show them."""
    negative: bool = False
    """Of a duration: whether it may be below zero, which then means zero, as in Alertmanager."""
    zero: bool = True
    """Of a duration: whether it may be zero."""


def flag(name: str, default: T, parse: Callable[[str], Any], help_: str, **more: Any) -> T:
    made: Any = field(default=default, metadata={_META: Flag(name, parse, help_, **more)})
    return cast("T", made)


def duration(name: str, default: int, help_: str, **more: Any) -> int:
    return flag(name, default, parse_flag_duration, help_, show=format_go_duration, **more)


def switch(name: str, default: bool, help_: str, **more: Any) -> bool:
    return flag(name, default, bool, help_, switch=True, **more)


def parse_flag_duration(text: str) -> int:
    """Go's form; days, weeks and years too, as Prometheus writes them."""
    try:
        return parse_go_duration(text, days=True)
    except ValueError as error:
        try:
            return parse_duration(text)
        except ValueError:
            raise ValueError(f"{error} (as 30s, 5m, 1h30m or 7d)") from None


def integer(text: str) -> int:
    """As kingpin reads an integer: through a float, whose fraction is dropped."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number") from None
    if not math.isfinite(value) or abs(value) >= 2**63:
        raise ValueError(f"{text!r} is not a whole number")
    return int(text, 10) if text.lstrip("+-").isdecimal() else int(value)


def bound(text: str) -> int:
    """A whole number that is not negative."""
    value = integer(text)
    if value < 0:
        raise ValueError(f"{text!r} is negative; 0 is the least")
    return value


def decimal(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None


def choice(what: str, known: Sequence[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in known:
            raise ValueError(f"unrecognized {what} {text}, one of: {', '.join(known)}")
        return text.lower()

    return parse


CERTIFICATE: Final = "certificate"
HEADER: Final = "header:"


def creator_rule(text: str) -> str:
    """Where a caller's name comes from: ``certificate``, ``header:NAME`` in lower case, or empty."""
    if text in ("", CERTIFICATE):
        return text
    name = text.removeprefix(HEADER)
    if text.startswith(HEADER) and name and name.isascii() and name.replace("-", "").isalnum():
        return HEADER + name.lower()
    raise ValueError(f"{text!r} is neither certificate nor header:NAME, as header:X-Forwarded-User")


def seconds_or_duration(text: str) -> int:
    """A duration, or bare seconds: prometheus-operator writes ``--web.timeout=30``."""
    if text.isascii() and text.isdecimal() and len(text) <= 9:
        return int(text) * 1_000_000_000
    return parse_flag_duration(text)


def declared_flags(cls: type[Any]) -> dict[str, tuple[Field[Any], Flag]]:
    """The flags declared by the fields of ``cls``, by name and by alias."""
    declared = [(each, each.metadata[_META]) for each in fields(cls)]
    return {name: one for one in declared for name in (one[1].name, *one[1].aliases)}


def parse_arguments(
    cls: type[T],
    argv: Sequence[str],
    *,
    program: str,
    version: str,
    implied: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda _: {},
) -> T:
    """A ``cls`` with the flags of ``argv`` (without the program's name).

    ``implied`` gets the fields that were given, and says which others are to differ from their defaults.

    :class:`UsageError` for an unknown flag, a missing argument, a repeated flag or an unexpected argument;
    :class:`~tocsin.errors.ConfigError` for a value that cannot be used; :class:`HelpRequested`.
    """
    known = declared_flags(cls)
    given: dict[str, Any] = {}
    rest = list(reversed([argument for written in argv for argument in _expanded(written)]))
    while rest and rest != ["--"]:  # After it come no flags, and nothing else is allowed either.
        name, written = _next_flag(rest, known)
        if name == "help":
            raise HelpRequested(usage(cls, program))
        if name == "version":
            raise HelpRequested(version)
        declared, found = known[name]
        if declared.name in given and not found.repeatable:
            raise UsageError(f"flag '{name}' cannot be repeated")
        value = _value(found, written)
        if found.only_default and value != declared.default:
            raise ConfigError(f"--{name}", found.only_default, "remove the flag")
        given[declared.name] = (*given.get(declared.name, ()), value) if found.repeatable else value
    return cls(**{**implied(given), **given})


def _expanded(argument: str) -> list[str]:
    """``@FILE`` stands for the arguments in a file, one a line; ``#`` begins a comment. As kingpin has it."""
    if not argument.startswith("@") or argument == "@":
        return [argument]
    try:
        lines = Path(argument[1:]).read_text().splitlines()
    except UnicodeDecodeError:
        raise UsageError(f"cannot read the arguments file {argument[1:]}: is not UTF-8") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"cannot read the arguments file {argument[1:]}: {reason}") from None
    return [line for line in lines if line and not line.startswith("#")]


def _next_flag(rest: list[str], known: dict[str, tuple[Field[Any], Flag]]) -> tuple[str, str]:
    """Takes one flag and its value off the reversed ``rest``; a switch's value is ``yes`` or empty."""
    argument = rest.pop()
    if argument in ("-h", "--help", "--help-long", "--help-man"):
        return "help", ""
    if argument == "--version":
        return "version", ""
    if not argument.startswith("--") or argument == "--":
        raise UsageError(f"unexpected {argument}")
    name, equals, value = argument[2:].partition("=")
    on = "yes"
    if name not in known and name.startswith("no-") and name[3:] in known and known[name[3:]][1].switch:
        name, on = name[3:], ""
    if name not in known:
        from difflib import get_close_matches  # only for a mistake

        near = get_close_matches(name, known, n=1, cutoff=0.8)
        hint = f"; did you mean --{near[0]}" if near else ""
        raise UsageError(f"unknown long flag '--{name}'{hint}")
    if known[name][1].switch:
        if equals:
            raise UsageError(f"unexpected {value}: --{name} takes no value, --no-{name} turns it off")
        return name, on
    if equals:
        return name, value
    if not rest or rest[-1].startswith("--"):
        raise UsageError(f"expected argument for flag '--{name}'")
    return name, rest.pop()


def _value(found: Flag, written: str) -> Any:
    try:
        return found.parse(written)
    except ValueError as error:
        raise ConfigError(f"--{found.name}", str(error)) from None


def split_host_port(flag: str, address: str) -> tuple[str, int]:
    """Split ``host:port`` as Go's net.SplitHostPort does.

    Brackets may stand around any host (Kubernetes writes ``[$(POD_IP)]:9094``) and must stand around an IPv6
    address; the host may be empty. :class:`ConfigError` that names ``flag``.
    """
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        raise ConfigError(flag, f"missing port in address {address!r}", "write host:port")
    if host.startswith("["):
        host, bracket, rest = host[1:].partition("]")
        if not bracket:
            raise ConfigError(flag, f"missing ']' in address {address!r}", "write [host]:port")
        if rest:
            raise ConfigError(flag, f"{rest!r} after ']' in address {address!r}", "write [host]:port")
    elif ":" in host:
        raise ConfigError(flag, f"too many colons in address {address!r}", "put an IPv6 address in [ ]")
    for bracket in "[]":
        if bracket in host:
            raise ConfigError(flag, f"unexpected {bracket!r} in address {address!r}", "write [host]:port")
    number = port.removeprefix("+")
    if not (number.isascii() and number.isdecimal() and len(number) <= 19 and int(number) <= 65535):
        raise ConfigError(flag, f"not a port in address {address!r}", "a port is 0 to 65535")
    return host, int(number)


def listen_address(flag: str, address: str) -> tuple[str, int]:
    """The same for an address to listen on, as in Go's net.Listen.

    The port may be the name of a service, or empty: then any free one.
    """
    host, colon, port = address.rpartition(":")
    if colon and port.isascii() and port.replace("-", "").isalpha():
        try:
            port = str(socket.getservbyname(port, "tcp"))
        except OSError:
            raise ConfigError(flag, f"unknown port in address {address!r}", "a port is 0 to 65535") from None
    return split_host_port(flag, f"{host}:{port or 0}" if colon else address)


def usage(cls: type[Any], program: str) -> str:
    """The text of ``--help``."""
    lines = [f"usage: {program} [<flags>]", "", "Flags:", "  -h, --help", "          Show this text."]
    for declared, found in dict.fromkeys(declared_flags(cls).values()):
        prefix = "[no-]" if found.switch else ""
        lines.append(f"      --{prefix}{found.name}{_shown_default(declared, found)}")
        lines.append(f"          {found.help}")
    return "\n".join([*lines, "      --version", "          Show the version.", ""])


def _shown_default(declared: Field[Any], found: Flag) -> str:
    if found.switch or declared.default is MISSING:
        return ""
    if found.repeatable:
        return f"={','.join(declared.default)} ..."
    shown = found.show(declared.default)
    return f'="{shown}"' if isinstance(declared.default, str) else f"={shown}"
