"""The secrets of one integration: read when they are used, and masked in every error."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tocsin.config.schema import Section
from tocsin.config.texts import SECRET_TEXT, MaskedURL, Secret
from tocsin.files import read_regular
from tocsin.notify.integrations.json import escape

MAX_SECRET_BYTES: Final = 64 * 1024
"""Size of a file that holds a secret."""
REMEMBERED: Final = 64
"""Secrets read from files that are still masked: the latest ones."""
SHORTEST: Final = 3
"""Characters of a secret from which on it is masked: a shorter one is found in any sentence."""


UNMISTAKABLE: Final = 8
"""Characters of a secret from which on it is masked within words too; a shorter one only as a word of its
own."""


class Secrets:
    """Masks the secrets of a section in errors, and reads those that are in files."""

    def __init__(self, config: Section) -> None:
        self._given = frozenset(piece for found in _secrets_of(config) for piece in _pieces(found))
        self._read: deque[str] = deque(maxlen=REMEMBERED)

    async def read(self, value: str, file: str, *, strip: bool = True) -> str:
        """``value``, or, if there is a file, what it holds now, without the space around it if ``strip``.

        ``OSError`` or ``ValueError`` when it cannot be read, is too long or is not UTF-8.
        """
        if not file:
            return value
        found = await asyncio.to_thread(_read, file)
        self.add(found)
        return found.strip() if strip else found

    def add(self, *values: str) -> None:
        """Mask these too: texts derived from secrets, or tokens that a server has issued."""
        for value in values:
            if value in self._given or value in self._read:
                continue  # Its pieces are too: they came with it, and those that came first go first.
            for piece in _pieces(value):
                if piece not in self._read:
                    self._read.append(piece)

    def mask(self, text: str) -> str:
        """``text`` without any of the secrets."""
        for piece in sorted({*self._given, *self._read}, key=len, reverse=True):
            if piece not in text:
                continue
            if len(piece) >= UNMISTAKABLE:
                text = text.replace(piece, SECRET_TEXT)
            else:
                text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(piece)}(?![A-Za-z0-9])", SECRET_TEXT, text)
        return text


def why(error: OSError | ValueError) -> str:
    """Why a file could not be read, without its content."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) if type(error) is ValueError else type(error).__name__


def _read(file: str) -> str:
    return read_regular(file, MAX_SECRET_BYTES).decode()


def _secrets_of(value: Any) -> Iterable[str]:
    if isinstance(value, Secret):
        yield str(value)
    elif isinstance(value, MaskedURL):
        yield value.password
    elif isinstance(value, Section):
        for name in value.options:
            yield from _secrets_of(value[name])
    elif isinstance(value, tuple):
        for item in value:
            yield from _secrets_of(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _secrets_of(item)


def _pieces(secret: str) -> Iterable[str]:
    """A secret, each of its lines, and the part of a URL after the host: an error may hold only that."""
    found = [secret, *secret.split("\n")]
    if "://" in secret:
        authority, slash, rest = secret.partition("://")[2].partition("/")
        found.append(authority.rpartition("@")[0].partition(":")[2])
        found.append(slash + rest)
        found.append(rest)
    for piece in map(str.strip, found):
        if len(piece) >= SHORTEST:
            yield piece
            within_json = escape(json.dumps(piece, ensure_ascii=False)[1:-1])
            if within_json != piece:
                yield within_json
