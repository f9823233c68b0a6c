"""An invocation of a command: the converted values that its ``run`` gets."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from tocsin.cli.commandline.model import Flag, Program, UsageError
from tocsin.cli.commandline.parse import Parsed
from tocsin.client.settings import Settings

T = TypeVar("T")


class Invocation:
    """Values by the names of their flags. A flag that was not given has its default, or is empty."""

    def __init__(
        self,
        program: Program,
        path: tuple[str, ...],
        values: Mapping[str, object],
        lists: Mapping[str, tuple[str, ...]],
        given: frozenset[str],
        arguments: tuple[str, ...],
    ) -> None:
        self.program = program
        self.path = path
        self._values = values
        self._lists = lists
        self._given = given
        self.arguments = arguments

    def text(self, name: str) -> str:
        """The value of a flag that takes a text."""
        return str(self._values.get(name, ""))

    def texts(self, name: str) -> tuple[str, ...]:
        """The values of a flag that may be given several times."""
        return self._lists.get(name, ())

    def on(self, name: str) -> bool:
        """Whether a switch is on."""
        return bool(self._values.get(name, False))

    def number(self, name: str) -> int:
        """The value of a flag that takes a number, or a duration (nanoseconds)."""
        found = self._values.get(name, 0)
        return found if isinstance(found, int) else 0

    def value(self, name: str, type_: type[T]) -> T:
        """The value of a flag with a default; values must be of type ``type_``."""
        found = self._values[name]
        if not isinstance(found, type_):
            raise TypeError(f"--{name} is a {type(found).__name__}")
        return found

    def path_of(self, name: str) -> Path | None:
        """The value of a flag that names a file; None if it is not given."""
        text = self.text(name)
        return Path(text) if text else None

    def given(self, name: str) -> bool:
        """Whether the flag is on the command line or in a file of defaults."""
        return name in self._given

    @property
    def settings(self) -> Settings:
        """The settings of all commands that send requests to a node."""
        return Settings(
            url=self.text("alertmanager.url"),
            timeout=self.number("timeout"),
            http_config=self.text("http.config.file"),
            check_version=self.on("version-check"),
        )

    @property
    def output(self) -> str:
        """``simple``, ``extended`` or ``json``."""
        return self.text("output")

    def warn(self, message: str) -> None:
        """Print a message on standard error."""
        sys.stdout.flush()
        print(f"{self.program.name}: {message}", file=sys.stderr)


def invoke(program: Program, parsed: Parsed, defaults: Mapping[str, Sequence[str]]) -> Invocation:
    """Convert the values of ``parsed``; ``defaults`` come from files, by the flag's name.

    :class:`UsageError` for a value that cannot be.
    """
    given: dict[str, list[str]] = {}
    for flag, value in parsed.given:
        if flag.name in given and not flag.many:
            raise UsageError(f"flag '{flag.name}' cannot be repeated")
        given.setdefault(flag.name, []).append(value)
    values: dict[str, object] = {}
    lists: dict[str, tuple[str, ...]] = {}
    for name, flag in parsed.flags.items():
        if name not in given and name in defaults:
            _convert(flag, defaults[name], values, lists)
        elif name not in given and flag.default is not None:
            _convert(flag, [flag.default], values, lists)
    for name, written in given.items():
        _convert(parsed.flags[name], written, values, lists)
    known = frozenset(given) | (frozenset(defaults) & frozenset(parsed.flags))
    missing = [f"'--{name}'" for name, flag in parsed.flags.items() if flag.required and name not in known]
    if missing:
        raise UsageError(f"required flag(s) {', '.join(missing)} not provided")
    arguments = _check_arguments(parsed)
    return Invocation(program, parsed.node.path, values, lists, known, arguments)


def _convert(
    flag: Flag, written: Sequence[str], values: dict[str, object], lists: dict[str, tuple[str, ...]]
) -> None:
    try:
        converted = [flag.kind.convert(value) for value in written]
    except ValueError as error:
        raise UsageError(str(error), f"--{flag.name}: {error}") from None
    values[flag.name] = converted[-1]
    if flag.many:
        lists[flag.name] = tuple(str(value) for value in converted)


def _check_arguments(parsed: Parsed) -> tuple[str, ...]:
    command = parsed.node.command
    rest = list(parsed.arguments)
    for argument in command.arguments if command is not None else ():
        count = len(rest) if argument.most is None else min(argument.most, len(rest))
        if count < argument.least:
            raise UsageError(f"required argument '{argument.name}' not provided")
        for value in rest[:count]:
            try:
                argument.kind.convert(value)
            except ValueError as error:
                raise UsageError(str(error)) from None
        del rest[:count]
    return parsed.arguments
