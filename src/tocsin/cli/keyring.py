"""``tocsinctl keyring``: the keys of a cluster whose traffic is sealed with a keyring."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from tocsin.cli.asking import say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import FILE, SECONDS, SWITCH, Argument, Command, Flag, choice
from tocsin.client.formats import to_json
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

SHORTEST = 8
"""Digits of a fingerprint that identify it, if no other begins with them."""


def run_generate(invocation: Invocation) -> int:
    """``tocsinctl keyring generate``."""
    key, file = secrets.token_bytes(int(invocation.text("size"))), invocation.path_of("file")
    if file is not None:
        write_keys(file, [key], new=True)
    if invocation.output == "json":
        written = {"key": encode_key(key)} if file is None else {"file": str(file)}
        say(to_json({**written, "fingerprint": fingerprint(key)}))
    else:
        print(encode_key(key) if file is None else f"{file}: key {fingerprint(key)}")
    return 0


def run_command(invocation: Invocation) -> int:
    """The other commands. Exit status 1 unless every member carried it out."""
    command, file = invocation.path[-1], Path(invocation.text("keyring-file"))
    address, label = invocation.text("address"), invocation.text("label")
    keys = read_keys(file)
    if readable_by_others(file):
        print(f"tocsinctl: {file} can be read by others: chmod 600 it", file=sys.stderr)
    request = Request(command, "", fingerprint=next(iter(invocation.arguments), ""))
    if command == "install":
        request = Request("install", "", key=_new_key(invocation.text("key-file")))
    client = KeyringClient(keys, label=label.encode(), timeout=invocation.value("timeout", float))
    try:
        outcomes, request = asyncio.run(_run(client, address, request, keys, force=invocation.on("force")))
    except NoSharedKeyError:
        raise UserError(
            f"the node at {plain(address)} does not share our key: it has none of those in"
            f" {file}, or another label than {label!r}. If the keys were changed,"
            " that file is out of date: copy the keyring file of a node"
        ) from None
    if invocation.output == "json":
        say(to_json([asdict(outcome) for outcome in outcomes]))
    else:
        _show(outcomes)
    failed = any(outcome.problem for outcome in outcomes)
    if command != "list":
        _follow(file, request, update=invocation.on("update-file"), failed=failed)
    return 1 if failed else 0


async def _run(
    client: KeyringClient, address: str, request: Request, own: Sequence[bytes], *, force: bool
) -> tuple[list[Outcome], Request]:
    members = await client.members(address)
    if request.fingerprint:
        listed = await client.run(members, Request("list", ""))
        known = {key for outcome in listed for key in outcome.keys} | {fingerprint(key) for key in own}
        request = replace(request, fingerprint=_whole(request.fingerprint, known))
        if request.command == "use" and not force:
            _check_everybody_has(listed, request.fingerprint)
    return await client.run(members, request), request


def _whole(start: str, known: Collection[str]) -> str:
    """The fingerprint that begins with ``start``; :class:`UserError` unless there is exactly one."""
    start = start.lower()
    if len(start) < SHORTEST or not set(start) <= set("0123456789abcdef"):
        raise UserError(f"{start!r} is not a fingerprint: give {SHORTEST} hexadecimal digits of it at least")
    if start in known or len(start) == len(fingerprint(b"")):
        return start
    found = sorted(key for key in known if key.startswith(start))
    if len(found) != 1:
        what = "several keys" if found else "no key that a node has"
        raise UserError(f"{start} begins the fingerprint of {what}: give it as keyring list shows it")
    return found[0]


def _check_everybody_has(listed: Sequence[Outcome], key: str) -> None:
    """Refuse to use a key that a node lacks: it could decrypt nothing any more."""
    lacking = [one.name for one in listed if one.problem != NOT_TOCSIN and key not in one.keys]
    if lacking:
        raise UserError(
            f"key {key} is not known to be at {plain(', '.join(lacking))}: install it there first; nothing"
            " was changed (--force goes on without them)"
        )


def _follow(file: Path, request: Request, *, update: bool, failed: bool) -> None:
    """Make the change in the tool's own file too, or warn that the file lacks it."""
    keys = read_keys(file)  # The node may have written the file, if it is the node's own.
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
        print(f"{file}: changed too", file=sys.stderr)
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


_SHARED: Final = (
    Flag("keyring-file", "A keyring file with a key that they share", FILE, required=True, value="FILE"),
    Flag(
        "address",
        "Cluster address of one Tocsin node, which lists the others",
        default="127.0.0.1:9094",
    ),
    Flag("label", "The cluster's --cluster.label"),
    Flag("timeout", "Seconds for each node", SECONDS, default="10"),
)
_CHANGING: Final = (
    *_SHARED,
    Flag("update-file", "Change --keyring-file too, once every member has made the change", SWITCH),
)
_FINGERPRINT: Final = (
    Argument("fingerprint", "As keyring list shows it, 8 digits at least", least=1, most=1),
)

GENERATE: Final = Command(
    run_generate,
    flags=(
        Flag("size", "Bytes", choice("16", "24", "32"), default="32"),
        Flag("file", "Write a new keyring file with it, mode 0600; else the key is printed", FILE),
    ),
)
LIST: Final = Command(run_command, flags=_SHARED)
INSTALL: Final = Command(
    run_command,
    flags=(
        Flag(
            "key-file",
            "Where the new key is, in base64; - for standard input (not on the command line: others see it)",
            FILE,
            required=True,
            value="FILE",
        ),
        *_CHANGING,
    ),
)
USE: Final = Command(
    run_command,
    flags=(*_CHANGING, Flag("force", "Even if a node lacks the key", SWITCH)),
    arguments=_FINGERPRINT,
)
REMOVE: Final = Command(run_command, flags=_CHANGING, arguments=_FINGERPRINT)
