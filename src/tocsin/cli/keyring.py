"""``tocsinctl keyring``: the keys of a cluster whose traffic is sealed with a keyring."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.client.keyring import NOT_TOCSIN, KeyringClient, Outcome
from tocsin.errors import ConfigError, UserError
from tocsin.node.cluster.keyring.commands import MemberLine, Request
from tocsin.node.cluster.keyring.keyfile import (
    decode_key,
    encode_key,
    fingerprint,
    read_keys,
    readable_by_others,
    write_keys,
)

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

DEFAULT_ADDRESS = "127.0.0.1:9094"


def add_commands(commands: Subparsers) -> None:
    """Add ``keyring`` and its own commands to ``tocsinctl``."""
    keyring = commands.add_parser(
        "keyring",
        help="the keys of a cluster that runs with --cluster.keyring-file",
        description="Change the keys of a whole cluster while it runs: install the new one everywhere, use "
        "it, remove the old one. Keys are named by their fingerprints.",
        allow_abbrev=False,
    )
    verbs = keyring.add_subparsers(metavar="COMMAND", required=True)
    generate = verbs.add_parser("generate", help="make a key", allow_abbrev=False)
    generate.add_argument("--size", type=int, choices=(16, 24, 32), default=32, help="bytes (default: 32)")
    generate.add_argument(
        "--file", type=Path, help="write a new keyring file with it, mode 0600; else print the key"
    )
    generate.set_defaults(run=run_generate)
    _verb(verbs, "list", "show which node has which keys")
    install = _verb(verbs, "install", "give every node a further key to open with")
    install.add_argument(
        "--key-file",
        required=True,
        metavar="FILE",
        help="where the new key is, in base64; - for standard input (not on the command line: others see it)",
    )
    for name, text in (
        ("use", "have every node seal with a key"),
        ("remove", "have every node forget a key"),
    ):
        verb = _verb(verbs, name, text)
        verb.add_argument("fingerprint", metavar="FINGERPRINT", help="as tocsinctl keyring list shows it")
        if name == "use":
            verb.add_argument("--force", action="store_true", help="even if a node lacks the key")


def _verb(verbs: Subparsers, name: str, text: str) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=text, description=f"{text.capitalize()}.", allow_abbrev=False)
    verb.add_argument(
        "--keyring-file",
        type=Path,
        required=True,
        metavar="FILE",
        help="a keyring file with a key they share",
    )
    verb.add_argument(
        "--address",
        default=DEFAULT_ADDRESS,
        help="cluster address of one Tocsin node, which tells who else there is (default: %(default)s)",
    )
    verb.add_argument("--label", default="", help="the cluster's --cluster.label")
    verb.add_argument(
        "--timeout", type=float, default=10.0, metavar="SECONDS", help="for each node (default: %(default)s)"
    )
    verb.set_defaults(run=run_command, command=name)
    return verb


def run_generate(arguments: argparse.Namespace) -> int:
    """``tocsinctl keyring generate``."""
    key = secrets.token_bytes(arguments.size)
    if arguments.file is None:
        print(encode_key(key))
        return 0
    write_keys(arguments.file, [key], new=True)
    print(f"{arguments.file}: key {fingerprint(key)}")
    return 0


def run_command(arguments: argparse.Namespace) -> int:
    """The other commands. Exit status 1 unless every member carried it out."""
    keys = read_keys(arguments.keyring_file)
    if readable_by_others(arguments.keyring_file):
        print(f"tocsinctl: {arguments.keyring_file} can be read by others: chmod 600 it", file=sys.stderr)
    request = Request(arguments.command, "", fingerprint=getattr(arguments, "fingerprint", ""))
    if arguments.command == "install":
        request = Request("install", "", key=_new_key(arguments.key_file))
    client = KeyringClient(keys, label=arguments.label.encode(), timeout=arguments.timeout)
    outcomes = asyncio.run(_run(client, arguments, request))
    _show(outcomes)
    return 1 if any(outcome.problem for outcome in outcomes) else 0


async def _run(client: KeyringClient, arguments: argparse.Namespace, request: Request) -> list[Outcome]:
    members = await client.members(arguments.address)
    if request.command == "use" and not arguments.force:
        await _check_everybody_has(client, members, request.fingerprint)
    return await client.run(members, request)


async def _check_everybody_has(client: KeyringClient, members: Sequence[MemberLine], key: str) -> None:
    """A node that lacks the key could read nothing any more."""
    lacking = [
        outcome.name
        for outcome in await client.run(members, Request("list", ""))
        if outcome.problem != NOT_TOCSIN and key not in outcome.keys
    ]
    if lacking:
        raise UserError(
            f"key {key} is not known to be at {', '.join(lacking)}: install it there first; nothing was "
            "changed (--force goes on without them)"
        )


def _new_key(file: str) -> bytes:
    try:
        text = sys.stdin.read(4096) if file == "-" else Path(file).read_text()[:4096]
    except (OSError, ValueError) as error:
        raise ConfigError(file, f"cannot be read: {error}", "give a file with one key in base64") from None
    try:
        return decode_key(text)
    except UserError as error:
        raise ConfigError(file, f"what is in it {error}", "tocsinctl keyring generate makes a key") from None


def _show(outcomes: Sequence[Outcome]) -> None:
    rows = [("NODE", "ADDRESS", "KEYS, THE PRIMARY FIRST", "RESULT")]
    for outcome in sorted(outcomes, key=lambda one: one.name):
        switches = [
            f"verify-{name} is off"
            for name, on in (("incoming", outcome.verify_incoming), ("outgoing", outcome.verify_outgoing))
            if not on
        ]
        result = outcome.problem or ", ".join(["done", *switches])
        rows.append((outcome.name, outcome.address, " ".join(outcome.keys) or "-", result))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print("  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3]]))
