"""Help texts, made from the model."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

from tocsin.cli.commandline.model import OPTIONAL, SWITCH, Flag, Program, argument_usage
from tocsin.cli.commandline.tree import Node

WIDTH: Final = 80
_COLUMN: Final = 28


def command_usage(node: Node) -> str:
    """The usage of a command without the path before its name: ``add [<flags>] [<matcher-groups>...]``."""
    command = node.command
    if command is None:
        return f"{node.path[-1]} <command> [<args> ...]"
    visible = [flag for flag in command.flags if not flag.hidden]
    required = [f"--{flag.name}={value_name(flag)}" for flag in visible if flag.required]
    words = [*required, *(["[<flags>]"] if len(visible) > len(required) else [])]
    return " ".join([node.path[-1], *words, *map(argument_usage, command.arguments)])


def help_text(program: Program, root: Node, node: Node, *, whole: bool = False) -> str:
    """What ``--help`` prints of ``node``; ``whole``: with the flags of every command below it."""
    before = " ".join([program.name, *node.path[:-1]])
    if node is root:
        lines = [f"usage: {program.name} [<flags>] <command> [<args> ...]"]
    else:
        lines = [f"usage: {before} {command_usage(node)}"]
    lines += ["", *paragraphs(node.help)]
    command = node.command
    if command is not None and command.description:
        lines += ["", *paragraphs(command.description)]
    flags = [*_flags_above(root, node), *(node.flags if node is not root else ())]
    lines += ["", "Flags:", *flag_lines(flags)]
    if command is None:
        lines += ["", "Commands:", *_commands(node, whole=whole)]
    elif command.arguments:
        lines += ["", "Args:"]
        lines += [
            line
            for argument in command.arguments
            for line in _two_columns(argument_usage(argument), argument.help)
        ]
    return "\n".join([*lines, ""]) + "\n"


def paragraphs(text: str, width: int = WIDTH) -> list[str]:
    """``text`` in lines; a paragraph that is indented stays as it is."""
    lines: list[str] = []
    for paragraph in text.strip("\n").split("\n\n"):
        if lines:
            lines.append("")
        if paragraph.startswith(" "):
            lines += paragraph.split("\n")
        else:
            lines += textwrap.wrap(paragraph, width, break_long_words=False, break_on_hyphens=False)
    return lines


def value_name(flag: Flag) -> str:
    """The placeholder for a flag's value."""
    if flag.value:
        return flag.value
    if flag.default:
        return f'"{flag.default}"' if " " in flag.default else flag.default
    return flag.name.rpartition(".")[2].upper()


def flag_usage(flag: Flag) -> str:
    """``-o, --output=simple``."""
    short = f"-{flag.short}, " if flag.short else "    "
    if flag.kind is SWITCH:
        return f"{short}--[no-]{flag.name}"
    value = f"[={value_name(flag)}]" if flag.kind is OPTIONAL else f"={value_name(flag)}"
    return f"{short}--{flag.name}{value}{' ...' if flag.many else ''}"


def flag_lines(flags: Iterable[Flag]) -> list[str]:
    """A list of flags with their help."""
    return [line for flag in flags if not flag.hidden for line in _two_columns(flag_usage(flag), flag.help)]


def _flags_above(root: Node, node: Node) -> list[Flag]:
    flags, at = list(root.group_flags), root
    for name in node.path[:-1]:
        at = at.children[name]
        flags += at.group_flags
    return flags


def _two_columns(left: str, right: str) -> list[str]:
    wrapped = textwrap.wrap(right, WIDTH - _COLUMN, break_long_words=False) or [""]
    first = f"  {left}"
    if len(first) + 2 > _COLUMN:
        lines = [first, " " * _COLUMN + wrapped[0]]
    else:
        lines = [first.ljust(_COLUMN) + wrapped[0]]
    return lines + [" " * _COLUMN + line for line in wrapped[1:]]


def _commands(node: Node, *, whole: bool) -> list[str]:
    lines: list[str] = []
    for command in node.walk():
        entry = command.entry
        star = "*" if entry is not None and entry.default else ""
        if whole:
            path: Sequence[str] = command.path[:-1]
            lines += ["", " ".join([*path, command_usage(command)]), f"    {command.help}"]
            lines += [f"  {line}" for line in flag_lines(command.flags)]
        else:
            lines += _two_columns(f"{' '.join(command.path)}{star}", command.help)
    return lines[1:] if whole else lines
