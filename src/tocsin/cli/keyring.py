"""``tocsinctl keyring``: the keys of a cluster whose traffic is sealed with a keyring."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.client.keyring import NOT_TOCSIN, KeyringClient, NoSharedKeyError, Outcome
from tocsin.errors import ConfigError, UserError
from tocsin.node.cluster.keyring.commands import Request
from tocsin.node.cluster.keyring.keyfile import (
    decode_key,
    encode_key,
    fingerprint,
    read_keys,
    readable_by_others,
    write_keys,
)
from tocsin.text import plain

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

DEFAULT_ADDRESS = "127.0.0.1:9094"
SHORTEST = 8
"""Digits of a fingerprint that stand for it, if no other begins so."""


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
        verb.add_argument(
            "fingerprint", metavar="FINGERPRINT", help="as tocsinctl keyring list shows it, 8 digits at least"
        )
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
    if name != "list":
        verb.add_argument(
            "--update-file",
            action="store_true",
            help="make the same change to --keyring-file once every member has made it",
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
    try:
        outcomes, request = asyncio.run(_run(client, arguments, request, keys))
    except NoSharedKeyError:
        raise UserError(
            f"the node at {plain(arguments.address)} does not share our key: it has none of those in"
            f" {arguments.keyring_file}, or another label than {arguments.label!r}. If the keys were changed,"
            " that file is out of date: copy the keyring file of a node"
        ) from None
    _show(outcomes)
    failed = any(outcome.problem for outcome in outcomes)
    if arguments.command != "list":
        _follow(arguments.keyring_file, request, update=arguments.update_file, failed=failed)
    return 1 if failed else 0


async def _run(
    client: KeyringClient, arguments: argparse.Namespace, request: Request, own: Sequence[bytes]
) -> tuple[list[Outcome], Request]:
    members = await client.members(arguments.address)
    if request.fingerprint:
        listed = await client.run(members, Request("list", ""))
        known = {key for outcome in listed for key in outcome.keys} | {fingerprint(key) for key in own}
        request = replace(request, fingerprint=_whole(request.fingerprint, known))
        if request.command == "use" and not arguments.force:
            _check_everybody_has(listed, request.fingerprint)
    return await client.run(members, request), request


def _whole(start: str, known: Collection[str]) -> str:
    """The fingerprint that begins so; :class:`UserError` unless it is one and no more."""
    start = start.lower()
    if len(start) < SHORTEST or not set(start) <= set("0123456789abcdef"):
        raise UserError(f"{start!r} is no fingerprint: give {SHORTEST} hexadecimal digits of it at least")
    if start in known or len(start) == len(fingerprint(b"")):
        return start
    found = sorted(key for key in known if key.startswith(start))
    if len(found) != 1:
        what = "several keys" if found else "no key that a node has"
        raise UserError(f"{start} begins the fingerprint of {what}: give it as keyring list shows it")
    return found[0]


def _check_everybody_has(listed: Sequence[Outcome], key: str) -> None:
    """A node that lacks the key could read nothing any more."""
    lacking = [one.name for one in listed if one.problem != NOT_TOCSIN and key not in one.keys]
    if lacking:
        raise UserError(
            f"key {key} is not known to be at {plain(', '.join(lacking))}: install it there first; nothing"
            " was changed (--force goes on without them)"
        )


def _follow(file: Path, request: Request, *, update: bool, failed: bool) -> None:
    """Make the change in the tool's own file too, or say that it lacks it."""
    keys = read_keys(file)  # The node whose file it is may have written it.
    wanted = list(keys)
    key = request.key or next((one for one in keys if fingerprint(one) == request.fingerprint), b"")
    if request.command == "install" and key not in keys:
        wanted.append(key)
    elif request.command == "use" and key:
        wanted = [key, *(one for one in keys if one != key)]
    elif request.command == "remove" and key and len(keys) > 1:
        wanted.remove(key)
    if request.command == "use" and not key:
        print(f"tocsinctl: {file} lacks the key: copy the keyring file of a node", file=sys.stderr)
    if wanted == keys:
        return
    if update and not failed:
        if file.stat().st_uid != os.geteuid():
            raise UserError(f"{file} belongs to another user, and was not changed")
        write_keys(file, wanted)
        print(f"{file}: changed too")
    else:
        why = "not every member has made the change" if update else "--update-file changes it"
        print(
            f"tocsinctl: {file} is as it was, and the next command needs a key of the nodes ({why})",
            file=sys.stderr,
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
        result = plain(outcome.problem) or ", ".join(["done", *switches])
        keys = plain(" ".join(outcome.keys)) or "-"
        rows.append((plain(outcome.name), plain(outcome.address), keys, result))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print("  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3]]))
