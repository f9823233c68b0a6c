"""What an output is, and the outputs of a configuration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from functools import partial
from typing import Protocol

from tocsin.aio.beside import Beside
from tocsin.dataclass import dataclass
from tocsin.node.config.observing import EventRecorderConfig
from tocsin.node.log import Logger
from tocsin.notify.integrations.statistics import ClientStatistics


@dataclass(slots=True)
class Own:
    """Counters for which Alertmanager has no metric."""

    posts: int = 0
    posts_failed: int = 0
    undelivered: int = 0
    """Events that a webhook did not get after all attempts, or before the end."""
    reloads_failed: int = 0
    """Times that not all outputs of a new configuration could be opened."""
    flushes_forgotten: int = 0
    failures: int = 0
    """Bugs of the recorder that were caught."""


@dataclass(slots=True)
class Statistics:
    """The recorder's counters, over all its configurations."""

    recorded: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Events by kind, output and result (``success``, ``error``)."""
    written_bytes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By kind and output."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Events dropped from a full queue, by kind."""
    unencodable: Counter[str] = field(default_factory=Counter)
    """Events that could not be encoded, by kind; counted once for each output."""
    output_drops: Counter[str] = field(default_factory=Counter)
    """Events dropped by an output's own bound, by output."""
    own: Own = field(default_factory=Own)


@dataclass(frozen=True, slots=True)
class Means:
    """What outputs need to be made."""

    statistics: Statistics
    clients: ClientStatistics
    log: Logger
    thread: Beside
    """The thread on which slow outputs write."""


class Output(Protocol):
    """Where events go."""

    @property
    def name(self) -> str:
        """Its name in metrics and the log, without secrets."""

    async def write(self, lines: Sequence[bytes]) -> Sequence[int | str]:
        """Write encoded events, each without an end of line. Returns for each the bytes written, or the
        error. One call at a time."""

    async def close(self, grace: float) -> None:
        """Write or send accepted events; give up after ``grace`` seconds."""


@dataclass(frozen=True, slots=True)
class Made:
    """An output that can be made. ``name`` is for the log, if it cannot."""

    name: str
    make: Callable[[], Output]
    """OSError or :class:`~tocsin.errors.ConfigError`. Called on a thread."""


def outputs_of(config: EventRecorderConfig, means: Means) -> Iterator[Made]:
    """One for each of the configuration's, in Alertmanager's order. Loads what these outputs need."""
    if config.file_outputs:
        from tocsin.node.eventrecorder.file import FileOutput

        for file in config.file_outputs:
            yield Made(f"file:{file.path}", partial(FileOutput, file.path, means.thread))
    if config.webhook_outputs:
        from tocsin.node.eventrecorder.webhook import WebhookOutput, webhook_name

        for webhook in config.webhook_outputs:
            yield Made(webhook_name(webhook.url), partial(WebhookOutput, webhook, means))
    if config.stdout_outputs:
        from tocsin.node.eventrecorder.file import StdoutOutput

        for _ in config.stdout_outputs:
            yield Made("stdout", partial(StdoutOutput, means.thread))
