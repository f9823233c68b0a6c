"""Completion for shells: scripts, and the answers that the scripts ask for.

The protocol is amtool's: ``--completion-bash WORD...`` prints the candidates for the last word, one a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tocsin.cli.commandline.model import OPTIONAL, SWITCH, Flag, Program
from tocsin.cli.commandline.tree import build_tree

SHELLS: Final = ("bash", "zsh", "fish")

_BASH: Final = """\
_{id}_complete() {{
    local IFS=$'\\n'
    local words
    words=$("${{COMP_WORDS[0]}}" --completion-bash "${{COMP_WORDS[@]:1:$COMP_CWORD}}" 2>/dev/null)
    COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _{id}_complete {name}
"""
_ZSH: Final = """\
#compdef {name}
_{id}() {{
    local -a candidates
    candidates=("${{(@f)$("${{words[1]}}" --completion-bash "${{(@)words[2,$CURRENT]}}" 2>/dev/null)}}")
    candidates=(${{candidates:#}})
    if (( ${{#candidates}} )); then
        compadd -a candidates
    else
        _files
    fi
}}
compdef _{id} {name}
"""
_FISH: Final = """\
complete -c {name} -a '({name} --completion-bash (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
"""


def script(name: str, shell: str) -> str:
    """The script that makes a shell complete command lines of the program ``name``."""
    text = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}[shell]
    return text.format(name=name, id=name.replace("-", "_"))


def answer(program: Program, words: Sequence[str]) -> int:
    """``--completion-script-SHELL``, or ``--completion-bash`` with the words up to the cursor."""
    what = words[0].removeprefix("--completion-script-")
    if what in SHELLS:
        print(script(program.name, what), end="")
        return 0
    if words[0] != "--completion-bash":
        return program.usage_status
    print("\n".join(candidates(program, words[1:])), end="")
    return 0


def candidates(program: Program, words: Sequence[str]) -> list[str]:
    """Candidates for the last of ``words``, or for the next word if that is a whole command."""
    node = build_tree(program)
    flags: list[Flag] = list(node.flags)
    last = words[-1] if words else ""
    valued: Flag | None = None
    for place, word in enumerate(words):
        is_last = place == len(words) - 1
        if valued is not None:
            if is_last:
                return _matching(valued.kind.choices, word)
            valued = None
        elif word.startswith("-"):
            valued = _valued(flags, word)
        elif word in node.children:
            node = node.children[word]
            flags = [*node.flags, *flags]
            last = "" if is_last else last
    if last.startswith("-"):
        default = node.default
        listed = [*(default.flags if default is not None else ()), *flags]
        names = [f"--{flag.name}" for flag in listed if not flag.hidden]
        return _matching(list(dict.fromkeys(names)), last)
    command = node.command
    if command is not None:
        return _matching([each for one in command.arguments for each in one.kind.choices], last)
    return _matching([*(["help"] if not node.path else []), *node.children], last)


def _matching(found: Sequence[str], start: str) -> list[str]:
    return [each for each in found if each.startswith(start)]


def _valued(flags: Sequence[Flag], word: str) -> Flag | None:
    """The flag whose value is the next word."""
    for flag in flags:
        written = (f"--{flag.name}", f"-{flag.short}" if flag.short else "")
        if word in written and flag.kind not in (SWITCH, OPTIONAL):
            return flag
    return None
