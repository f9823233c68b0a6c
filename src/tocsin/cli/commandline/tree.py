"""The commands of a program as a tree. A command's module is loaded when its flags are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from tocsin.cli.commandline.model import Command, Entry, Flag, Program


class Node:
    """A group, or, with ``entry``, a command."""

    __slots__ = ("_command", "children", "entry", "group_flags", "help", "own_flags", "path")

    def __init__(self, path: tuple[str, ...], help_: str, *, own_flags: bool) -> None:
        self.path = path
        self.help = help_
        self.entry: Entry | None = None
        self.children: dict[str, Node] = {}
        self.group_flags: tuple[Flag, ...] = ()
        self.own_flags = own_flags
        self._command: Command | None = None

    @property
    def command(self) -> Command | None:
        """The command; None for a group."""
        if self._command is None and self.entry is not None:
            module, _, name = self.entry.module.partition(":")
            found: Command = import_module(f"tocsin.cli.{module}").__dict__[name or "COMMAND"]
            self._command = found._replace(flags=self._of_program(found.flags))
        return self._command

    @property
    def flags(self) -> tuple[Flag, ...]:
        """Its own flags, without those of its parents."""
        command = self.command
        return self.group_flags if command is None else command.flags

    @property
    def default(self) -> Node | None:
        """The command that runs where the group alone is named."""
        for child in self.children.values():
            if child.entry is not None and child.entry.default:
                return child
        return None

    def walk(self) -> Iterator[Node]:
        """All commands below, in the registry's order."""
        for child in self.children.values():
            if child.entry is not None:
                yield child
            yield from child.walk()

    def _of_program(self, flags: tuple[Flag, ...]) -> tuple[Flag, ...]:
        if self.own_flags:
            return flags
        return tuple(
            flag._replace(required=flag.required or flag.required_by_amtool) for flag in flags if not flag.own
        )


def build_tree(program: Program) -> Node:
    """The root: the program itself."""
    own = not program.as_amtool
    root = Node((), program.help, own_flags=own)
    root.group_flags = program.flags
    groups = {group.path: group for group in program.groups}
    for entry in program.entries:
        at = root
        for depth, name in enumerate(entry.path, 1):
            path = entry.path[:depth]
            if name not in at.children:
                group = groups.get(path)
                at.children[name] = Node(path, group.help if group else "", own_flags=own)
                at.children[name].group_flags = group.flags if group else ()
            at = at.children[name]
        at.entry, at.help = entry, entry.help
    return root
