"""``completion``."""

from __future__ import annotations

from typing import Final

from tocsin.cli.commandline.completion import SHELLS, script
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import Argument, Command, Flag, choice


def run(invocation: Invocation) -> int:
    """Print a script for a shell."""
    print(script(invocation.text("for"), invocation.arguments[0]), end="")
    return 0


COMMAND: Final = Command(
    run,
    flags=(Flag("for", "The name under which the tool is called", default="tocsinctl", value="NAME"),),
    arguments=(Argument("shell", "bash, zsh or fish", choice(*SHELLS), least=1, most=1),),
    description="""\
    source <(tocsinctl completion bash)
    tocsinctl completion zsh > "${fpath[1]}/_tocsinctl"
    tocsinctl completion fish > ~/.config/fish/completions/tocsinctl.fish""",
)
