"""Command lines: what is understood, what is refused in which words, and what is made of the model."""

import subprocess
import sys
from pathlib import Path

import pytest

from tocsin.cli import amtool, control
from tocsin.cli.commandline.completion import SHELLS, candidates, script
from tocsin.cli.commandline.defaults import load_defaults
from tocsin.cli.commandline.invocation import Invocation, invoke
from tocsin.cli.commandline.man import page
from tocsin.cli.commandline.model import Program, UsageError
from tocsin.cli.commandline.parse import parse
from tocsin.cli.commandline.tree import Node, build_tree
from tocsin.cli.commandline.usage import help_text
from tocsin.errors import ConfigError

AMTOOL, TOCSINCTL = amtool.program(), control.program()


def given(*words: str, program: Program = AMTOOL) -> Invocation:
    return invoke(program, parse(build_tree(program), words), {})


def refused(*words: str, program: Program = AMTOOL) -> str:
    with pytest.raises(UsageError) as error:
        given(*words, program=program)
    return str(error.value)


def test_flags_stand_before_and_after_the_command() -> None:
    found = given("-o", "json", "silence", "query", "a=b", "--within", "2h", "-q", "c=d")
    assert found.path == ("silence", "query")
    assert found.arguments == ("a=b", "c=d")
    assert (found.output, found.on("quiet"), found.number("within")) == ("json", True, 2 * 3600 * 10**9)


def test_short_flags_stand_together_and_with_their_value() -> None:
    found = given("alert", "query", "-sirteam.*", "x")
    assert (found.on("silenced"), found.on("inhibited"), found.text("receiver")) == (True, True, "team.*")


def test_a_group_alone_is_its_default_command() -> None:
    assert given("alert").path == ("alert", "query")
    assert given("silence", "-q").path == ("silence", "query")
    assert given("config", "routes").path == ("config", "routes", "show")
    assert given("alert", "DiskFull").arguments == ("DiskFull",)


def test_a_switch_is_turned_off() -> None:
    assert given("alert").on("version-check")
    assert not given("--no-version-check", "alert").on("version-check")


def test_after_two_dashes_nothing_is_a_flag() -> None:
    assert given("alert", "query", "--", "-x", "--y").arguments == ("-x", "--y")


def test_a_value_may_be_optional() -> None:
    found = given("silence", "add", "--wait", "a=b", program=TOCSINCTL)
    assert (found.given("wait"), found.text("wait"), found.arguments) == (True, "", ("a=b",))
    assert given("silence", "add", "--wait=2", program=TOCSINCTL).text("wait") == "2"


def test_what_amtool_lacks_is_unknown_to_it() -> None:
    assert refused("silence", "add", "--wait") == "unknown long flag '--wait'"
    assert refused("lint") == 'expected command but got "lint"'


def test_our_own_voice_names_the_flag_and_a_near_command(capsys: pytest.CaptureFixture[str]) -> None:
    for words, problem in (
        (["explan", "A"], 'expected command but got "explan"; did you mean explain?'),
        (["wait", "--members=x"], "--members: strconv.ParseFloat"),
        (["history", "notification"], "did you mean notifications?"),
    ):
        assert control.main(words) == 2
        assert problem in capsys.readouterr().err
        assert control.main(["amtool", *words]) == 1
        assert "did you mean" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["nothing"], 'expected command but got "nothing"'),
        (["alert", "query", "--nothing"], "unknown long flag '--nothing'"),
        (["alert", "query", "-z"], "unknown short flag '-z'"),
        (["--no-output", "alert"], "unknown long flag '--no-output'"),
        (["silence", "query", "--within"], "expected argument for flag '--within'"),
        (["silence", "query", "--within", "-5h"], "expected argument for flag '--within'"),
        (["silence", "query", "--within=x"], 'time: invalid duration "x"'),
        (["-v", "-v", "alert"], "flag 'verbose' cannot be repeated"),
        (["-ofoo", "alert"], "enum value must be one of simple,extended,json, got 'foo'"),
        (["cluster", "show", "x"], "unexpected x"),
        (["template", "render"], "required flag(s) '--template.glob', '--template.text' not provided"),
        (["check-config", "/nonexistent"], "path '/nonexistent' does not exist"),
        (["check-config", "/"], "'/' is a directory"),
    ],
)
def test_what_is_refused(words: list[str], problem: str) -> None:
    assert refused(*words) == problem


def test_a_file_stands_for_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "arguments"
    file.write_text("# a comment\n-o\njson\na b=c\n")
    found = given("alert", "query", f"@{file}")
    assert (found.output, found.arguments) == ("json", ("a b=c",))
    assert "failed to open arguments file" in refused(f"@{tmp_path}/nothing")


def test_files_of_defaults_the_first_counts(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yml", tmp_path / "second.yml"
    first.write_text("output: json\ncomment_required: false\n")
    second.write_text("output: extended\nauthor: jack\nrequire-comment: 'true'\npeer.url: [a, b]\n")
    found = load_defaults([str(first), str(second), str(tmp_path / "nothing")])
    assert found == {
        "output": ("json",),
        "require-comment": ("false",),
        "author": ("jack",),
        "peer.url": ("a", "b"),
    }
    root = build_tree(TOCSINCTL)
    silence = invoke(TOCSINCTL, parse(root, ["silence", "add", "-o", "simple"]), found)
    assert (silence.output, silence.text("author"), silence.on("require-comment")) == (
        "simple",
        "jack",
        False,
    )
    assert silence.texts("peer.url") == ("a", "b")


def test_a_file_of_defaults_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("- a\n")
    with pytest.raises(ConfigError, match=r"config\.yml:1:1: expected a map"):
        load_defaults([str(file)])
    file.write_text("output: {a: b}\n")
    with pytest.raises(ConfigError, match=r"config\.yml:1:\d+: output: expected a text"):
        load_defaults([str(file)])


def all_nodes(program: Program) -> list[Node]:
    return list(build_tree(program).walk())


@pytest.mark.parametrize("program", [AMTOOL, TOCSINCTL], ids=lambda program: program.name)
def test_every_command_has_help_a_manual_and_completions(program: Program) -> None:
    root = build_tree(program)
    for node in root.walk():
        command = node.command
        assert command is not None
        assert node.help.endswith(".")
        text, manual = help_text(program, root, node), page(program, root, node)
        offered = candidates(program, [*node.path, "--"])
        for flag in command.flags:
            assert flag.help
            assert flag.hidden or f"--{flag.name}" in text.replace("[no-]", "")
            assert flag.hidden or flag.name.replace("-", "\\-") in manual
            assert flag.hidden or f"--{flag.name}" in offered
        assert candidates(program, [*node.path[:-1], node.path[-1][:-1]])
        assert all(len(line) <= 120 for line in text.splitlines())


def test_amtool_has_its_13_commands() -> None:
    assert len(all_nodes(AMTOOL)) == 13


def test_a_path_is_registered_once_and_a_group_has_one_default() -> None:
    paths = [entry.path for entry in TOCSINCTL.entries]
    assert len(paths) == len(set(paths))
    defaults = [entry.path[:-1] for entry in TOCSINCTL.entries if entry.default]
    assert len(defaults) == len(set(defaults))
    assert {path[:1] for path in paths if len(path) > 1} <= {group.path for group in TOCSINCTL.groups}


def test_completion() -> None:
    assert candidates(AMTOOL, ["sil"]) == ["silence"]
    assert candidates(AMTOOL, ["silence"]) == ["add", "expire", "import", "query", "update"]
    assert candidates(AMTOOL, ["silence", ""]) == ["add", "expire", "import", "query", "update"]
    assert candidates(AMTOOL, ["-o", ""]) == ["simple", "extended", "json"]
    assert candidates(AMTOOL, ["silence", "add", "--dur"]) == ["--duration"]
    assert candidates(TOCSINCTL, ["completion", ""]) == ["bash", "zsh", "fish"]
    assert candidates(TOCSINCTL, ["silence", "add", "--wait", "--com"]) == ["--comment"]
    for shell in SHELLS:
        assert "tocsin-amtool" in script("tocsin-amtool", shell)


def test_bash_takes_the_script(tmp_path: Path) -> None:
    file = tmp_path / "completion"
    file.write_text(script("tocsinctl", "bash"))
    tool = f"{sys.executable} -m tocsin.cli.control"
    program = f"""
tocsinctl() {{ PYTHONPATH={":".join(sys.path)} {tool} "$@"; }}
source {file}
COMP_WORDS=(tocsinctl silence ex) COMP_CWORD=2
_tocsinctl_complete
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["expire", "extend", "export"]


def test_status_and_words_of_both_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert control.main(["nothing"]) == 2
    assert "usage: tocsinctl" in capsys.readouterr().err
    assert control.main(["amtool", "nothing"]) == 1
    assert capsys.readouterr().err == 'amtool: error: expected command but got "nothing"\n\n'
    assert control.main([]) == 2
    assert control.main(["amtool"]) == 0
    assert control.main(["--version"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("tocsinctl ")


def test_little_is_loaded_before_a_command_needs_it() -> None:
    program = (
        "import sys\n"
        "from tocsin.cli.control import main\n"
        "main(['--alertmanager.url=http://127.0.0.1:1', 'alert'])\n"
        "heavy = 'argparse asyncio cryptography google yaml msgspec re2 starlette httpcore'.split()\n"
        "print(*[name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PYTHONPATH": ":".join(sys.path), "HOME": "/nonexistent"},
    )
    assert done.stdout.split() == []
