"""``alertmanager.yml``, the whole file as Alertmanager 0.34 knows it.

Each section checks itself; this module checks references between sections. Every error is one line,
``file:line:column: what (hint)``.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tocsin.alerting.duration import format_duration
from tocsin.alerting.inhibit import InhibitRule
from tocsin.alerting.quote import go_quote
from tocsin.alerting.route import Route, RouteOptions, build_route
from tocsin.alerting.timeinterval import TimeInterval
from tocsin.config.emit import emit
from tocsin.config.globals import GlobalConfig
from tocsin.config.matchersyntax import MatcherSyntax
from tocsin.config.readers import file_path, list_of
from tocsin.config.schema import Section, derived, option
from tocsin.config.yaml import Mapping as MappingNode
from tocsin.config.yaml import Mark, Node, Reading, Scalar, decode, load, read_bytes
from tocsin.node.config.observing import EventRecorderConfig, TracingConfig
from tocsin.node.config.receivers import ReceiverConfig
from tocsin.node.config.routing import InhibitSection, RouteSection, check_names, check_root
from tocsin.node.config.timeintervals import NamedIntervalsSection, named_intervals
from tocsin.notify.rendering import TemplateFiles

QUIET: Final = 0.1
MAX_READINGS: Final = 30


def _global(node: Node) -> GlobalConfig:
    """Read ``global``, and make it known to the sections that inherit from it."""
    found = GlobalConfig.read(node)
    node.mark.reading.globals = found
    return found


class AlertmanagerConfig(Section):
    """A whole file: every receiver and time interval that is named exists."""

    global_: GlobalConfig = option(_global, default=GlobalConfig(), name="global", always=True)
    routing: RouteSection | None = option(RouteSection.read, default=None, name="route")
    inhibitions: tuple[InhibitSection, ...] = option(
        list_of(InhibitSection.read), default=(), name="inhibit_rules"
    )
    receivers: tuple[ReceiverConfig, ...] = option(list_of(ReceiverConfig.read), default=())
    templates: tuple[str, ...] = option(list_of(file_path), default=(), always=True)
    """Paths and globs, already resolved against the file's directory."""
    mute_intervals: tuple[NamedIntervalsSection, ...] = option(
        named_intervals("mute time interval"), default=(), name="mute_time_intervals"
    )
    named_intervals: tuple[NamedIntervalsSection, ...] = option(
        named_intervals("time interval"), default=(), name="time_intervals"
    )
    tracing: TracingConfig | None = option(TracingConfig.read, default=None)
    event_recorder: EventRecorderConfig | None = option(EventRecorderConfig.read, default=None)

    route: Route = derived(default=None)
    """The routing tree."""
    inhibit_rules: tuple[InhibitRule, ...] = derived(default=())
    time_intervals: Mapping[str, tuple[TimeInterval, ...]] = derived(default=MappingProxyType({}))
    """``time_intervals`` and the deprecated ``mute_time_intervals``."""
    original: str = derived(default="")
    """The text for ``/api/v2/status``, secrets masked."""
    files: TemplateFiles = derived(default=None)
    """The files that :attr:`templates` names, loaded."""
    hash: int = derived(default=0)
    """The hash of the file's bytes, as in ``alertmanager_config_hash``."""
    warnings: tuple[str, ...] = derived(default=())
    """Warnings about accepted but doubtful parts of the file, one line each."""

    def check(self) -> None:
        """Check references between sections; then build what the domain uses."""
        root = self.routing
        if root is None:
            raise self.mark.error("no routes provided", "add route: with a receiver:")
        check_root(root)
        intervals = self._unique_intervals()
        check_names(root, self._unique_receivers(), intervals)
        self.amend(
            route=build_route(root.build()),
            inhibit_rules=tuple(rule.build() for rule in self.inhibitions),
            time_intervals=MappingProxyType(
                {
                    name: tuple(interval.build() for interval in named.time_intervals)
                    for name, named in intervals.items()
                }
            ),
            original=emit(self.shown()),
        )

    @property
    def used_receivers(self) -> Iterator[ReceiverConfig]:
        """The receivers that a route names, in the file's order. Only these are sent to, and only their files
        are opened."""
        names = {route.options.receiver for route in self.route.walk()}
        return (receiver for receiver in self.receivers if receiver.name in names)

    def all_warnings(self, retention: int) -> Iterator[str]:
        """:attr:`warnings`, and those about routes whose intervals conflict with each other or with
        ``retention`` (``--data.retention``, nanoseconds)."""
        yield from self.warnings
        for route in self.route.walk():
            yield from _interval_warnings(route.options, route.key, retention)

    def _unique_receivers(self) -> set[str]:
        names: set[str] = set()
        for receiver in self.receivers:
            if receiver.name in names:
                raise receiver.at("name").error(
                    f"notification config name {go_quote(receiver.name)} is not unique",
                    "rename one of the receivers",
                )
            names.add(receiver.name)
        return names

    def _unique_intervals(self) -> dict[str, NamedIntervalsSection]:
        found: dict[str, NamedIntervalsSection] = {}
        for what, group in (
            ("mute time interval", self.mute_intervals),
            ("time interval", self.named_intervals),
        ):
            for named in group:
                if named.name in found:
                    raise named.at("name").error(
                        f"{what} {go_quote(named.name)} is not unique", "rename one of them"
                    )
                found[named.name] = named
        return found


def load_config(
    path: str | Path,
    matcher_syntax: MatcherSyntax = MatcherSyntax(),  # noqa: B008 - frozen
    *,
    accept_unserved: bool = False,
    on_bound: Callable[[str], None] = lambda _bound: None,
    pipes: bool = True,
) -> AlertmanagerConfig:
    """The file at ``path`` and its templates. :class:`~tocsin.errors.ConfigError` when one of them cannot be
    read or used.

    ``accept_unserved``: accept keys that Tocsin does not support, with a warning.
    ``on_bound`` is called with the name of each bound that a rendering reaches. ``pipes``: the file may
    be one, as it may for tools; a node, which reads it again at each reload, would wait for ever.
    """
    data = read_bytes(Path(path), pipes=True) if pipes else _read_whole(Path(path))
    return _parse(data, str(path), matcher_syntax, accept_unserved, on_bound)


def _read_whole(path: Path) -> bytes:
    """What the file holds once nothing was written to it for :data:`QUIET` seconds, or after some seconds.

    The first part of a file may be a whole one, in which the last receiver has no integrations.
    """
    data = read_bytes(path)
    for _ in range(MAX_READINGS):
        try:
            age = time.time() - path.stat().st_mtime
        except OSError:
            break
        if not 0 <= age < QUIET:  # A clock that was set back makes nobody wait.
            break
        time.sleep(QUIET)
        before, data = data, read_bytes(path)
        if data == before:
            break
    return data


def parse_config(
    text: str,
    *,
    path: str,
    matcher_syntax: MatcherSyntax = MatcherSyntax(),  # noqa: B008 - frozen
    accept_unserved: bool = False,
) -> AlertmanagerConfig:
    """As :func:`load_config`, of ``text``. ``path`` is named in errors; relative file names are of its
    directory."""
    return _parse(text.encode(), path, matcher_syntax, accept_unserved, lambda _bound: None)


def _parse(
    data: bytes,
    path: str,
    matcher_syntax: MatcherSyntax,
    accept_unserved: bool,
    on_bound: Callable[[str], None],
) -> AlertmanagerConfig:
    warnings: list[str] = []
    reading = Reading(
        warn=warnings.append,
        accept_unserved=accept_unserved,
        globals=GlobalConfig(),
        matcher_syntax=matcher_syntax,
    )
    tree = load(decode(data, path), path, reading)
    if tree is None:
        raise Mark(path, 1, 1).error(
            "no route provided in config", "the least is route: with a receiver:, and receivers:"
        )
    files = TemplateFiles(_globs(tree), on_bound)
    reading.compile = files.check
    found = AlertmanagerConfig.read(_in_order(tree))
    if found.templates:
        _ = files.templates  # A template file that does not parse refuses the configuration.
    found.amend(files=files, hash=config_hash(data), warnings=tuple(warnings))
    return found


def _globs(tree: Node) -> tuple[str, ...]:
    """The globs of ``templates``, which are needed before fields with templates are read."""
    if not isinstance(tree, MappingNode) or "templates" not in tree.entries:
        return ()
    node = tree.entries["templates"][1]
    return () if isinstance(node, Scalar) and node.is_null else list_of(file_path)(node)


def _in_order(tree: Node) -> Node:
    """``global`` first, wherever it stands: others inherit from it."""
    if not isinstance(tree, MappingNode) or "global" not in tree.entries:
        return tree
    return MappingNode(tree.mark, {"global": tree.entries["global"]} | tree.entries, tree.size)


def config_hash(data: bytes) -> int:
    """The first six bytes of the MD5, little-endian: nodes with the same file show the same number."""
    return int.from_bytes(hashlib.md5(data, usedforsecurity=False).digest()[:6], "little")


def _interval_warnings(options: RouteOptions, key: str, retention: int) -> Iterator[str]:
    repeat, group = format_duration(options.repeat_interval), format_duration(options.group_interval)
    if options.repeat_interval > retention:
        yield (
            f"repeat_interval {repeat} of the route {key} is greater than the data retention"
            f" {format_duration(retention)}: notifications can be repeated too often"
        )
    if options.repeat_interval < options.group_interval:
        yield (
            f"repeat_interval {repeat} of the route {key} is less than group_interval {group}:"
            " notifications are repeated at the next group_interval only"
        )
