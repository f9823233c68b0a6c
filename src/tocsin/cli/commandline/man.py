"""Manual pages, made from the model, in roff for ``man``."""

from __future__ import annotations

from collections.abc import Iterable

from tocsin import __version__
from tocsin.cli.commandline.model import Flag, Program
from tocsin.cli.commandline.tree import Node
from tocsin.cli.commandline.usage import command_usage, flag_usage


def page(program: Program, root: Node, node: Node) -> str:
    """The manual page of the whole program if ``node`` is the root or a group, else of one command."""
    words = [program.name, *node.path]
    name = "-".join(words)
    lines = [f'.TH "{_text(name.upper())}" 1 "" "Tocsin {__version__}"', ".SH NAME"]
    lines.append(_text(f"{name} - {node.help.splitlines()[0].rstrip('.')}"))
    lines.append(".SH SYNOPSIS")
    if node is root:
        lines.append(f".B {_text(program.name)}\n[<flags>] <command> [<args> ...]")
    else:
        lines.append(f".B {_text(' '.join([program.name, *node.path[:-1]]))}\n{_text(command_usage(node))}")
    command = node.command
    described = node.help if command is None or not command.description else command.description
    lines += [".SH DESCRIPTION", *_paragraphs(described)]
    if command is None:
        lines.append(".SH COMMANDS")
        for each in node.walk():
            lines += [f".SS {_text(' '.join([program.name, *each.path]))}", _text(each.help)]
            lines += _flags(each.command.flags if each.command is not None else ())
    else:
        lines += [".SH OPTIONS", *_flags(command.flags)]
        for argument in command.arguments:
            lines += [".TP", f".I {_text(argument.name)}", _text(argument.help)]
    lines += [".SH OPTIONS OF EVERY COMMAND", *_flags(program.flags)]
    lines += [".SH EXIT STATUS", f"0: done; 1: not done; {program.usage_status}: wrong usage."]
    return "\n".join(lines) + "\n"


def _flags(flags: Iterable[Flag]) -> list[str]:
    lines: list[str] = []
    for flag in flags:
        if not flag.hidden:
            lines += [".TP", f".B {_text(flag_usage(flag).strip())}", _text(flag.help)]
    return lines


def _paragraphs(text: str) -> list[str]:
    lines: list[str] = []
    for paragraph in text.strip("\n").split("\n\n"):
        if paragraph.startswith(" "):
            lines += [".PP", ".nf", *(_text(line) for line in paragraph.split("\n")), ".fi"]
        else:
            lines += [".PP", *(_text(line) for line in paragraph.split("\n"))]
    return lines


def _text(text: str) -> str:
    """Escape a text for roff."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped
