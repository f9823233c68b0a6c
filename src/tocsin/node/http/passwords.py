"""Checks passwords against bcrypt hashes: on a thread, a few at a time; a correct one is checked only
once."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import bcrypt

from tocsin.node.http.bounds import HTTPStatistics

_SCHEME: Final = b"basic "
_LONGEST: Final = 72
"""bcrypt uses no more bytes of a password. Go's implementation cuts there silently, so it is done here."""
_NOBODY: Final = b"." * 22 + b"O" * 31
"""Salt and digest of the hash that stands in for a user who does not exist. An unknown user is refused
whatever the comparison returns."""


class TooManyChecksError(Exception):
    """Too many comparisons are waiting; this one was not begun."""


def parse_basic(header: bytes) -> tuple[str, bytes] | None:
    """User and password of an ``Authorization`` header; None if it is not a Basic one."""
    if header[: len(_SCHEME)].lower() != _SCHEME:
        return None
    try:
        decoded = base64.b64decode(header[len(_SCHEME) :], validate=True)
    except binascii.Error:
        return None
    name, colon, password = decoded.partition(b":")
    return (name.decode("utf-8", "surrogateescape"), password) if colon else None


class PasswordChecker:
    """Compares on one thread, which leaves the other processors to the alerts. A correct password is
    remembered as a keyed digest of user, hash and password: the password itself is not stored, and a changed
    hash is checked anew. A refusal takes as long as the most expensive user's hash, whatever user is named.
    """

    def __init__(
        self,
        statistics: HTTPStatistics,
        *,
        remembered: int = 128,
        waiting: int = 32,
        waiting_per_address: int = 4,
    ) -> None:
        self._statistics = statistics
        self._most_remembered = remembered
        self._most_waiting = waiting
        self._most_waiting_per_address = waiting_per_address
        self._key = os.urandom(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._under_way: dict[bytes, asyncio.Future[bool]] = {}
        self._waiting: Counter[str] = Counter()
        self._thread = ThreadPoolExecutor(1, "password", initializer=_step_back)

    async def check(self, users: Mapping[str, str], name: str, password: bytes, address: str) -> bool:
        """Whether ``name`` is in ``users`` with this password; :class:`TooManyChecksError`."""
        known = name in users
        expected = users[name] if known else _stand_in(users)
        digest = self._digest(name, expected, password)
        counts = self._statistics.password_checks
        if digest in self._right:
            self._right.move_to_end(digest)
            counts["remembered"] += 1
            return True
        under_way = self._under_way.get(digest)
        if under_way is None:
            highest = max(map(_cost, users.values()), default=10)
            under_way = self._begin(digest, expected, password, address, highest)
        matches = await asyncio.shield(under_way)
        good = matches and known
        counts["right" if good else "wrong"] += 1
        if good:
            self._right[digest] = None
            if len(self._right) > self._most_remembered:
                self._right.popitem(last=False)
        return good

    def _digest(self, name: str, expected: str, password: bytes) -> bytes:
        made = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in (name.encode("utf-8", "surrogateescape"), expected.encode(), password):
            made.update(len(part).to_bytes(8, "big") + part)
        return made.digest()

    def _begin(
        self, digest: bytes, expected: str, password: bytes, address: str, highest: int
    ) -> asyncio.Future[bool]:
        statistics = self._statistics
        if (
            len(self._under_way) >= self._most_waiting
            or self._waiting[address] >= self._most_waiting_per_address
        ):
            statistics.password_checks["too_many"] += 1
            raise TooManyChecksError
        work = partial(_matches, password, expected, highest)
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        self._under_way[digest] = future
        self._waiting[address] += 1
        statistics.password_checks_waiting = len(self._under_way)

        def done(_: asyncio.Future[bool]) -> None:
            del self._under_way[digest]
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]
            statistics.password_checks_waiting = len(self._under_way)

        future.add_done_callback(done)
        return future

    def close(self) -> None:
        """Begin no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _step_back() -> None:
    """Lower this thread's priority: on Linux priorities belong to threads."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def _matches(password: bytes, expected: str, highest: int) -> bool:
    """Whether the password is right. A wrong one takes as long as with a hash of the cost ``highest``, each
    step of which takes twice as long: otherwise the time would distinguish a user with a cheap hash from an
    unknown one."""
    password = password[:_LONGEST]
    try:
        right = bcrypt.checkpw(password, expected.encode())
    except ValueError:
        right = False
    if not right:  # What a cost takes, and once more each from it on, is what the next one takes.
        for cost in range(_cost(expected), highest):
            bcrypt.checkpw(password, _nobody(cost).encode())
    return right


def _cost(expected: str) -> int:
    try:
        return int(expected.split("$")[2])
    except (IndexError, ValueError):
        return 10


def _nobody(cost: int) -> str:
    return f"$2b${cost:02d}${_NOBODY.decode()}"


def _stand_in(users: Mapping[str, str]) -> str:
    """A hash of the highest cost among ``users``: ``$2b$10$`` and the rest."""
    return _nobody(max(map(_cost, users.values()), default=10))
