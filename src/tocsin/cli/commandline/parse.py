"""Reads a command line as kingpin does, which amtool is made with.

Flags may stand anywhere after the command that has them; ``--flag=value`` or ``--flag value``; ``-abc`` is
``-a -b -c`` or ``-a bc``; ``--no-flag`` disables a switch; after ``--`` nothing is a flag; ``@file`` stands
for the file's lines. Source: behaviour of amtool 0.33.1.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path
from typing import Final, NamedTuple

from tocsin.alerting.quote import go_quote
from tocsin.cli.commandline.model import OPTIONAL, SWITCH, Flag, UsageError
from tocsin.cli.commandline.tree import Node

LARGEST_ARGUMENTS_FILE: Final = 1 << 20


class _Type(Enum):
    LONG = "--"
    SHORT = "-"
    WORD = ""


class _Token(NamedTuple):
    type: _Type
    text: str
    value: str | None = None
    """Its value after ``=``."""

    @property
    def written(self) -> str:
        return f"{self.type.value}{self.text}"


class Parsed(NamedTuple):
    """A parsed command line. ``given``: flags with their values in order, not converted yet."""

    node: Node
    flags: dict[str, Flag]
    """The flags that are allowed here, by name."""
    given: tuple[tuple[Flag, str], ...]
    arguments: tuple[str, ...]

    @property
    def wants_help(self) -> str:
        """The name of the flag that asks for help, if one does."""
        asked = (flag.name for flag, value in self.given if value == "true")
        return next((name for name in asked if name in HELP_NAMES), "")


HELP_NAMES: Final = ("help", "help-long", "help-man")


class _Tokens:
    """The words one after another; some can be put back."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = deque(words)
        self._back: list[_Token] = []
        self._words_only = False

    def put_back(self, token: _Token) -> None:
        self._back.append(token)

    def next(self) -> _Token | None:
        if self._back:
            return self._back.pop()
        while self._words:
            word = self._words.popleft()
            if self._words_only or not word.startswith(("-", "@")):
                return _Token(_Type.WORD, word)
            if word == "--":
                self._words_only = True
            elif word.startswith("--"):
                name, equals, value = word[2:].partition("=")
                return _Token(_Type.LONG, name, value if equals else None)
            elif word.startswith("-"):
                if len(word) == 1:
                    return _Token(_Type.WORD, "")
                if len(word) > 2:
                    self._words.appendleft(word[2:])
                    return _Token(_Type.SHORT, word[1], "")
                return _Token(_Type.SHORT, word[1])
            elif len(word) > 1:
                self._words.extendleft(reversed(_lines_of(word[1:])))
            else:
                raise UsageError("expected @ file to expand arguments from")
        return None

    def rest_of_short(self, *, is_switch: bool) -> None:
        """The rest of the word after a short flag: more flags, or the flag's value."""
        rest = self._words.popleft()
        if is_switch:
            self._words.appendleft(f"-{rest}")
        else:
            self.put_back(_Token(_Type.WORD, rest))


def _lines_of(path: str) -> list[str]:
    try:
        with Path(path).open("rb") as file:
            text = file.read(LARGEST_ARGUMENTS_FILE).decode("utf-8", "surrogateescape")
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UsageError(f"failed to open arguments file {go_quote(path)}: open {path}: {why}") from None
    return [line for line in text.splitlines() if not line.startswith("#")]


def parse(root: Node, words: Sequence[str]) -> Parsed:
    """Parse ``words`` for the program ``root``. :class:`UsageError` if they cannot be parsed."""
    return _Parser(root, words).run()


class _Parser:
    def __init__(self, root: Node, words: Sequence[str]) -> None:
        self._tokens = _Tokens(words)
        self._node = root
        self._flags: dict[str, Flag] = {}
        self._shorts: dict[str, Flag] = {}
        self._given: list[tuple[Flag, str]] = []
        self._arguments: list[str] = []
        self._enter(root)

    def run(self) -> Parsed:
        while (token := self._tokens.next()) is not None:
            if token.type is _Type.WORD:
                self._word(token)
            else:
                self._flag(token)
        asked = any(flag.name in HELP_NAMES for flag, _ in self._given)
        while not asked and (default := self._node.default) is not None:
            self._enter(default)
        return Parsed(self._node, self._flags, tuple(self._given), tuple(self._arguments))

    def _enter(self, node: Node) -> None:
        self._node = node
        for flag in node.flags:
            self._flags[flag.name] = flag
            if flag.short:
                self._shorts[flag.short] = flag

    def _word(self, token: _Token) -> None:
        command = self._node.command
        if command is None:
            if not self._node.path and token.text == HELP_NAMES[0] and HELP_NAMES[0] in self._flags:
                self._given.append((self._flags[HELP_NAMES[0]], "true"))
                return
            child = self._node.children.get(token.text)
            if child is None and self._node.default is not None:
                self._tokens.put_back(token)
                child = self._node.default
            if child is None:
                from difflib import get_close_matches

                problem = f"expected command but got {go_quote(token.text)}"
                near = get_close_matches(token.text, self._node.children, n=1)
                raise UsageError(problem, f"{problem}; did you mean {near[0]}?" if near else "")
            self._enter(child)
            return
        room = 0
        for argument in command.arguments:
            if argument.most is None:
                room = len(self._arguments) + 1
                break
            room += argument.most
        if len(self._arguments) >= room:
            raise UsageError(f"unexpected {token.text}")
        self._arguments.append(token.text)

    def _flag(self, token: _Token) -> None:
        found, value = self._find(token)
        if found is None:
            default = self._node.default
            if default is None:
                kind = "long" if token.type is _Type.LONG else "short"
                raise UsageError(f"unknown {kind} flag '{token.written}'")
            self._tokens.put_back(token)
            self._enter(default)
            return
        together = token.type is _Type.SHORT and token.value is not None
        if together:
            self._tokens.rest_of_short(is_switch=found.kind is SWITCH)
        elif found.kind is OPTIONAL:
            value = token.value or ""
        elif token.value is not None:
            self._tokens.put_back(_Token(_Type.WORD, token.value))
        if found.kind is not SWITCH and found.kind is not OPTIONAL:
            following = self._tokens.next()
            if following is None or following.type is not _Type.WORD:
                raise UsageError(f"expected argument for flag '{token.written}'")
            value = following.text
        self._given.append((found, value))

    def _find(self, token: _Token) -> tuple[Flag | None, str]:
        """The flag, and the value that it has if it is a switch."""
        if token.type is _Type.SHORT:
            return self._shorts.get(token.text), "true"
        found = self._flags.get(token.text)
        if found is None and token.text.startswith("no-"):
            found = self._flags.get(token.text[3:])
            return (found, "false") if found is not None and found.kind is SWITCH else (None, "")
        return found, "true"
