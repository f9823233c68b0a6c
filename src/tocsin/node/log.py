"""Logging in the two formats of Alertmanager: logfmt and JSON, one record a line.

``time=… level=INFO source=cluster.py:149 msg="peer joined" component=cluster peer=a``. Values are quoted and
escaped as Go's slog does, so that text from a peer can neither end the line nor forge a key. A record below
the level costs one comparison.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final, TextIO

from tocsin.alerting.quote import go_quote

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
MAX_VALUE: Final = 8192
"""Characters of one value; the rest is cut, so that a peer's text cannot fill a disk with one record."""

_NAMES: Final = {
    logging.DEBUG: "DEBUG",
    logging.INFO: "INFO",
    logging.WARNING: "WARN",
    logging.ERROR: "ERROR",
    logging.CRITICAL: "ERROR",
}
_FIELDS: Final = "fields"
# httpx logs each request's URL at INFO, and a receiver's URL is a secret.
_QUIET: Final = ("httpx", "httpcore", "uvicorn", "uvicorn.error", "uvicorn.access", "asyncio")


class Logger:
    """``log.info("peer joined", peer=name)``. The values' names are the keys in the record."""

    __slots__ = ("_fields", "_logger")

    def __init__(self, name: str, **fields: object) -> None:
        """``name`` of the standard library's logger; ``fields`` go with every record
        (``component="cluster"``)."""
        self._logger = logging.getLogger(name)
        self._fields = fields

    def bind(self, **fields: object) -> Logger:
        """A logger that adds these fields."""
        return Logger(self._logger.name, **self._fields, **fields)

    def is_enabled_for(self, level: int) -> bool:
        """Whether a record of the standard library's ``level`` would be written."""
        return self._logger.isEnabledFor(level)

    def debug(self, message: str, /, **values: object) -> None:
        """For debugging."""
        if self._logger.isEnabledFor(logging.DEBUG):
            self._write(logging.DEBUG, message, values)

    def info(self, message: str, /, **values: object) -> None:
        """For operators: what happens in normal operation."""
        if self._logger.isEnabledFor(logging.INFO):
            self._write(logging.INFO, message, values)

    def warn(self, message: str, /, **values: object) -> None:
        """Something is wrong, and the node goes on with it."""
        if self._logger.isEnabledFor(logging.WARNING):
            self._write(logging.WARNING, message, values)

    def error(self, message: str, /, **values: object) -> None:
        """Something failed."""
        if self._logger.isEnabledFor(logging.ERROR):
            self._write(logging.ERROR, message, values)

    def _write(self, level: int, message: str, values: dict[str, object]) -> None:
        self._logger.log(level, "%s", message, extra={_FIELDS: {**self._fields, **values}}, stacklevel=3)


class LogfmtFormatter(logging.Formatter):
    """``key=value`` pairs."""

    def format(self, record: logging.LogRecord) -> str:
        pairs = _pairs(record, _time(record, "milliseconds"))
        return " ".join(f"{_key(name)}={_quoted(_text(value))}" for name, value in pairs)


class JSONFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        pairs = _pairs(record, _time(record, "microseconds"))
        return json.dumps(
            {
                name: value if isinstance(value, bool | int) else _number_or_text(value)
                for name, value in pairs
            },
            separators=(",", ":"),
        )


def set_up(level: str = "info", form: str = "logfmt", stream: TextIO | None = None) -> None:
    """Send all logging to ``stream`` (standard error). ``level`` and ``form`` as in ``--log.level``,
    ``--log.format``.

    Replaces what was set up before. Libraries log from warnings on: their messages may hold anything.
    """
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JSONFormatter() if form == "json" else LogfmtFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("tocsin").setLevel(LEVELS[level])
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _pairs(record: logging.LogRecord, time: str) -> list[tuple[str, object]]:
    try:
        message = record.getMessage()
    except Exception:
        message = str(record.msg)
    pairs: list[tuple[str, object]] = [
        ("time", time),
        ("level", _NAMES.get(record.levelno, record.levelname)),
        ("source", f"{record.filename}:{record.lineno}"),
        ("msg", message),
    ]
    pairs += getattr(record, _FIELDS, {}).items()
    if record.exc_info and record.exc_info[1] is not None:
        pairs.append(("err", repr(record.exc_info[1])))
        pairs.append(("stack", logging.Formatter().formatException(record.exc_info)))
    return pairs


def _time(record: logging.LogRecord, precision: str) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def _text(value: object) -> str:
    if isinstance(value, str):
        text: str = value
    elif isinstance(value, bool):
        text = "true" if value else "false"
    else:
        text = _shown(value)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}…"


def _number_or_text(value: object) -> float | str:
    """JSON has no infinity."""
    return value if isinstance(value, float) and isfinite(value) else _text(value)


def _shown(value: Any) -> str:
    try:
        return str(value)
    except Exception as error:
        return f"<{type(value).__name__}: {type(error).__name__}>"


def _key(name: str) -> str:
    return name if name.isidentifier() else _quoted(name)


def _quoted(text: str) -> str:
    """The text as it is where that is safe, else as a Go string literal."""
    if text and text.isprintable() and not any(mark in text for mark in ' ="'):
        return text
    return go_quote(text)
