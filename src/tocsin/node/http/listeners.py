"""The sockets that the HTTP interface listens on: bound here, or passed by systemd."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping, MutableMapping
from typing import Final

from tocsin.errors import ConfigError
from tocsin.node.config.commandline import listen_address

_FLAG: Final = "--web.listen-address"
_SYSTEMD_FLAG: Final = "--web.systemd-socket"
BACKLOG: Final = 1024
FIRST_PASSED: Final = 3
"""The first descriptor that systemd passes (sd_listen_fds(3))."""


def inherited(environment: MutableMapping[str, str] = os.environ) -> list[socket.socket]:
    """The listening sockets that systemd passed to this process, as sd_listen_fds(3) has it.

    The variables are taken out of ``environment``, so that no child takes them for its own.
    :class:`ConfigError` when none was passed, or when one is not a listening stream socket.
    """
    count = _passed(environment)
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        environment.pop(name, None)
    if not count:
        raise ConfigError(
            _SYSTEMD_FLAG,
            "no socket activation file descriptors found",
            "start the service by its .socket unit, or leave the flag out",
        )
    return [_adopted(number) for number in range(FIRST_PASSED, FIRST_PASSED + count)]


def _passed(environment: Mapping[str, str]) -> int:
    count = environment.get("LISTEN_FDS", "")
    mine = environment.get("LISTEN_PID") == str(os.getpid())
    return int(count) if mine and count.isdecimal() and len(count) <= 4 else 0


def _adopted(number: int) -> socket.socket:
    try:
        os.set_inheritable(number, False)
        one = socket.socket(fileno=number)
        stream = one.type == socket.SOCK_STREAM
        listening = stream and one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise ConfigError(_SYSTEMD_FLAG, f"descriptor {number}: {error.strerror or error}") from None
    if not listening:
        one.detach()
        raise ConfigError(
            _SYSTEMD_FLAG, f"descriptor {number} is not a listening stream socket", "use ListenStream="
        )
    one.setblocking(False)
    return one


def bind(address: str) -> socket.socket:
    """A listening socket on one ``host:port``; :class:`ConfigError` for what cannot be bound."""
    host, port = listen_address(_FLAG, address)
    wildcard = not host
    try:
        [family, kind, protocol, _, place] = socket.getaddrinfo(
            host or "::", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise ConfigError(_FLAG, f"{address}: {error.strerror or error}") from None
    try:
        try:
            return _listener(family, kind, protocol, place, dual=wildcard)
        except OSError:
            if not wildcard or family != socket.AF_INET6:
                raise
            return _listener(socket.AF_INET, kind, protocol, ("0.0.0.0", port), dual=False)  # no IPv6 here
    except OSError as error:
        hint = "another program listens there" if error.errno == errno.EADDRINUSE else ""
        raise ConfigError(_FLAG, f"cannot listen on {address}: {error.strerror or error}", hint) from None


def _listener(
    family: int, kind: int, protocol: int, place: tuple[object, ...], *, dual: bool
) -> socket.socket:
    one = socket.socket(family, kind, protocol)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual else 1)
        one.bind(place)
        one.listen(BACKLOG)
        one.setblocking(False)
    except BaseException:
        one.close()
        raise
    return one
