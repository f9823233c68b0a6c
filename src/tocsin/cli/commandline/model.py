"""The parts of a command line: flags, arguments, commands, groups, programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from tocsin.alerting.quote import go_quote

if TYPE_CHECKING:
    from tocsin.cli.commandline.invocation import Invocation


class Kind(NamedTuple):
    """The type of a flag's or argument's value. ``convert`` raises ValueError with the reason."""

    name: str
    convert: Callable[[str], object]
    choices: tuple[str, ...] = ()
    file: bool = False
    """Whether it names a file, for completion."""


def _duration(text: str) -> int:
    from tocsin.alerting.duration import parse_go_duration

    return parse_go_duration(text, days=True)


def _number(text: str) -> int:
    try:
        return int(float(text))
    except ValueError:
        raise ValueError(f"strconv.ParseFloat: parsing {go_quote(text)}: invalid syntax") from None


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number of seconds") from None


def _switch(text: str) -> bool:
    if text in ("1", "t", "T", "TRUE", "true", "True"):
        return True
    if text in ("0", "f", "F", "FALSE", "false", "False"):
        return False
    raise ValueError(f"strconv.ParseBool: parsing {go_quote(text)}: invalid syntax")


def _existing_file(text: str) -> str:
    path = Path(text)
    if not text or not path.exists():
        raise ValueError(f"path '{text}' does not exist")
    if path.is_dir():
        raise ValueError(f"'{path.name or text}' is a directory")
    return text


def _readable_file(text: str) -> str:
    try:
        with Path(text).open("rb"):
            return text
    except OSError as error:
        raise ValueError(f"open {text}: {(error.strerror or str(error)).lower()}") from None


TEXT: Final = Kind("text", str)
SWITCH: Final = Kind("switch", _switch)
DURATION: Final = Kind("duration", _duration)
"""Go's notation, with days and weeks; nanoseconds."""
NUMBER: Final = Kind("number", _number)
SECONDS: Final = Kind("seconds", _seconds)
FILE: Final = Kind("file", str, file=True)
EXISTING_FILE: Final = Kind("file", _existing_file, file=True)
READABLE_FILE: Final = Kind("file", _readable_file, file=True)
OPTIONAL: Final = Kind("optional", str)
"""``--wait`` or ``--wait=2``: the value, if any, must come with ``=``; without one it is empty."""


def choice(*choices: str) -> Kind:
    """One of a few words."""

    def convert(text: str) -> str:
        if text in choices:
            return text
        raise ValueError(f"enum value must be one of {','.join(filter(None, choices))}, got '{text}'")

    return Kind("choice", convert, choices)


class Flag(NamedTuple):
    """``--name``. Without ``default`` it is empty, zero or off."""

    name: str
    help: str
    kind: Kind = TEXT
    short: str = ""
    default: str | None = None
    many: bool = False
    """Whether it may be given several times."""
    required: bool = False
    required_by_amtool: bool = False
    hidden: bool = False
    own: bool = False
    """Whether it is Tocsin's own: amtool has no flag of that name."""
    value: str = ""
    """The placeholder for the value in help."""


class Argument(NamedTuple):
    """A positional argument. ``most``: the largest number, None for any."""

    name: str
    help: str
    kind: Kind = TEXT
    least: int = 0
    most: int | None = None


class Command(NamedTuple):
    """A command: its flags and arguments, and ``run``, which returns the exit status."""

    run: Callable[[Invocation], int]
    flags: tuple[Flag, ...] = ()
    arguments: tuple[Argument, ...] = ()
    description: str = ""
    """Further help after the one line, in paragraphs."""


class Entry(NamedTuple):
    """A line of the registry. ``module``, below ``tocsin.cli``, holds ``COMMAND``, or the name after a colon;
    it is loaded when the command is used."""

    path: tuple[str, ...]
    module: str
    help: str
    default: bool = False
    """Whether it runs when only its group is named."""
    amtool: bool = False
    """Whether amtool has it."""


class Group(NamedTuple):
    """Commands that share the beginning of their path, and ``flags``."""

    path: tuple[str, ...]
    help: str
    flags: tuple[Flag, ...] = ()


class Program(NamedTuple):
    """A command line as a whole."""

    name: str
    help: str
    flags: tuple[Flag, ...]
    entries: tuple[Entry, ...]
    groups: tuple[Group, ...]
    version: str
    usage_status: int
    """The exit status for a command line that cannot be parsed."""
    as_amtool: bool = False
    """Whether errors are written, and flags are taken, as amtool does."""


def argument_usage(argument: Argument) -> str:
    """``[<file>...]``."""
    shown = f"<{argument.name}>" + ("" if argument.most == 1 else "...")
    return shown if argument.least else f"[{shown}]"


class UsageError(Exception):
    """The command line cannot be parsed. The text is kingpin's; ``own`` is a better one, which is printed
    unless the program acts as amtool."""

    def __init__(self, text: str, own: str = "") -> None:
        super().__init__(text)
        self.own = own or text
