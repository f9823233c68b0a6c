"""Runs a program: parse, help, defaults, the command, and its errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from tocsin.cli.commandline.defaults import load_defaults
from tocsin.cli.commandline.invocation import invoke
from tocsin.cli.commandline.model import Program, UsageError
from tocsin.cli.commandline.parse import HELP_NAMES, Parsed, parse
from tocsin.cli.commandline.tree import Node, build_tree
from tocsin.errors import TocsinError


class CommandError(TocsinError):
    """The command has failed. The text is the whole message."""


class FatalError(CommandError):
    """An error before the command itself begins, printed as by amtool: without an empty line after it."""


def run(program: Program, words: Sequence[str]) -> int:
    """Run the program. Exit status: 0 done, 1 failed, ``program.usage_status`` for wrong usage."""
    try:
        status = _run(program, words)
        sys.stdout.flush()
    except UsageError as error:
        problem = str(error) if program.as_amtool else error.own
        return _complain(program, problem, program.usage_status, usage=True)
    except TocsinError as error:
        end = "" if isinstance(error, FatalError) else "\n"
        return _complain(program, str(error) if program.as_amtool else _whole(error), 1, end=end)
    except BrokenPipeError:
        # The reader of our output is gone (`| head`); flushing the rest would fail at exit too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _run(program: Program, words: Sequence[str]) -> int:
    if words[:1] and words[0].startswith("--completion-"):
        from tocsin.cli.commandline.completion import answer

        return answer(program, words)
    root = build_tree(program)
    try:
        defaults = load_defaults()
    except TocsinError as error:
        raise CommandError(f"could not load config file: {error}") from None
    parsed = parse(root, words)
    if parsed.wants_help or parsed.node is root:
        if any(flag.name == "version" and value == "true" for flag, value in parsed.given):
            print(program.version)
            return 0
        if not (parsed.wants_help or program.as_amtool):
            raise UsageError(f"give a command: {program.name} --help lists them")
        if not parsed.wants_help:
            invoke(program, parsed, defaults)  # Report an invalid value first.
        return _help(program, root, parsed)
    if parsed.node.command is None:
        raise UsageError(f"must select a subcommand of '{' '.join(parsed.node.path)}'")
    if any(flag.name == "version" and value == "true" for flag, value in parsed.given):
        print(program.version)
        return 0
    return parsed.node.command.run(invoke(program, parsed, defaults))


def _whole(error: TocsinError) -> str:
    """The error's text with the node's reason, where amtool prints ``{}`` for an unknown status."""
    from tocsin.client.api import ApiError

    text = str(error)
    if text.endswith("connection refused"):
        return f"{text} (is a node there? --alertmanager.url names it)"
    if not isinstance(error, ApiError):
        return text
    if text.endswith("SilenceNotFound"):
        return f"{text}: the node has no such silence"
    return text.removesuffix("{}") + error.reason if text.endswith("{}") and error.reason else text


def _help(program: Program, root: Node, parsed: Parsed) -> int:
    if parsed.wants_help == HELP_NAMES[2]:
        from tocsin.cli.commandline.man import page

        print(page(program, root, parsed.node), end="")
        return 0
    from tocsin.cli.commandline.usage import help_text

    print(help_text(program, root, parsed.node, whole=parsed.wants_help == HELP_NAMES[1]), end="")
    return 0


def _complain(program: Program, problem: str, status: int, *, usage: bool = False, end: str = "\n") -> int:
    sys.stdout.flush()
    if program.as_amtool:
        print(f"{program.name}: error: {_shown(problem)}{end}", file=sys.stderr)
    else:
        if usage:
            print(f"usage: {program.name} [<flags>] <command> [<args> ...]", file=sys.stderr)
        print(f"{program.name}: {'error: ' if usage else ''}{_shown(problem)}", file=sys.stderr)
    return status


def _shown(problem: str) -> str:
    """``problem`` without control characters; a backslash stays as it is, since JSON and URLs have their
    own."""
    from tocsin.text import plain

    return "".join(one if one.isprintable() else plain(one) for one in problem[:4096])
