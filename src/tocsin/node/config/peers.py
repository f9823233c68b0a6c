"""Parses ``--cluster.peer`` and files of peers."""

from __future__ import annotations

import ipaddress
import json
from typing import Any, Final

import yaml

from tocsin.errors import ConfigError
from tocsin.gossip.address import Address
from tocsin.gossip.discovery.resolve import literal
from tocsin.gossip.discovery.sources import MAX_ENTRIES, File, Literal, Name, Service, Source
from tocsin.node.config.commandline import split_host_port

FLAG: Final = "--cluster.peer"
MAX_FILE_BYTES: Final = 1024 * 1024
_DNS: Final = "dns+"
_SERVICE: Final = "dnssrv+"
_FILE: Final = "file:"


def parse_peer(text: str, place: str = FLAG) -> Source:
    """``host:port``, ``dns+name:port``, ``dnssrv+_service._proto.name`` or ``file:path``.

    :class:`ConfigError` that names ``place``.
    """
    if text.startswith(_FILE):
        path = text.removeprefix(_FILE)
        if not path:
            raise ConfigError(place, f"no path in {text!r}", "write file:path")
        return File(path)
    if text.startswith(_SERVICE):
        return Service(_service(place, text))
    dns = text.startswith(_DNS)
    host, port = split_host_port(place, text.removeprefix(_DNS))
    known = literal(host)
    if known is not None:
        if dns:
            raise ConfigError(place, f"{host!r} is an address, not a name", f"leave out {_DNS}")
        return Literal(Address(known, port))
    if not host or len(host) > 253 or any(one.isspace() or one in "/+@" for one in host):
        raise ConfigError(place, f"{host!r} is not a host name", "write host:port")
    return Name(host, port, dns)


def _service(place: str, text: str) -> str:
    name = text.removeprefix(_SERVICE)
    labels = name.removesuffix(".").split(".")
    if len(labels) < 3 or not all(labels) or not all(one.startswith("_") for one in labels[:2]):
        raise ConfigError(place, f"no service in {text!r}", f"write {_SERVICE}_service._proto.name")
    return name


def parse_peer_file(path: str, data: bytes) -> tuple[Source, ...]:
    """The peers in a file: one a line, ``#`` begins a comment; by the ending ``.json``, ``.yml`` or ``.yaml``
    a list of groups with ``targets``, as Prometheus's file discovery has them.

    :class:`ConfigError` with the location of the first invalid peer: then none of the file is used.
    """
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(path, f"is larger than {MAX_FILE_BYTES} bytes", "list fewer peers")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise ConfigError(path, "is not UTF-8", "write one peer a line") from None
    if path.endswith((".json", ".yml", ".yaml")):
        entries = _groups(path, text)
    else:
        lines = [line.partition("#")[0].strip() for line in text.splitlines()]
        entries = [(f"{path}:{number}", line) for number, line in enumerate(lines, 1) if line]
    if len(entries) > MAX_ENTRIES:
        raise ConfigError(path, f"lists {len(entries)} peers, more than {MAX_ENTRIES}", "list fewer peers")
    return tuple(dict.fromkeys([_entry(place, entry) for place, entry in entries]))


def _entry(place: str, text: str) -> Source:
    source = parse_peer(text, place)
    if isinstance(source, File):
        raise ConfigError(place, "a file of peers names another file", "put its peers here")
    return source


def _groups(path: str, text: str) -> list[tuple[str, str]]:
    hint = "write a list of groups: [{targets: [host:port, ...]}, ...]"
    try:
        # Without constructors a YAML file is text and lists only: 12:30 stays what was written.
        found: Any = json.loads(text) if path.endswith(".json") else yaml.load(text, yaml.CBaseLoader)  # noqa: S506
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        detail = str(error).splitlines()[0] if str(error) else "nested too deeply"
        raise ConfigError(path, f"cannot be read: {detail}", hint) from None
    if found in (None, ""):  # An empty file.
        found = []
    entries = []
    for number, group in enumerate(found if isinstance(found, list) else [None]):
        targets = group.get("targets") if isinstance(group, dict) else None
        if not isinstance(targets, list) or not all(isinstance(target, str) for target in targets):
            raise ConfigError(f"{path}, group {number}", "has no list of targets", hint)
        entries += [(f"{path}, group {number}", target) for target in targets]
    return entries


def parse_dns_server(text: str) -> tuple[str, int]:
    """``ip`` or ``ip:port`` of a DNS server; :class:`ValueError`."""
    try:
        return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))), 53
    except ValueError:
        pass
    try:
        host, port = split_host_port("--cluster.dns-server", text)
    except ConfigError:
        host, port = "", 0
    if literal(host) is None or not port:
        raise ValueError(f"{text!r} is not an address of a DNS server: write ip or ip:port")
    return host, port
