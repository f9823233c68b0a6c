"""``alertmanager.yml``, the whole file as Alertmanager 0.33 knows it, into the domain's configuration.

Reading is in two steps: the sections (:mod:`.routing`, :mod:`.receivers`, :mod:`.globals`,
:mod:`.timeintervals`) check what each says by itself; here is what they say of each other. Every error is
one line, ``file:line:column: what (mend)``.
"""

# ruff: noqa: RUF009 - an option is a field, as dataclasses.field() is

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tocsin.alerting.config import AlertmanagerConfig, GlobalConfig
from tocsin.alerting.quote import go_quote
from tocsin.alerting.route import build_route
from tocsin.node.config.emit import emit
from tocsin.node.config.globals import GlobalSection, read_global
from tocsin.node.config.httpclient import http_client_config, resolve_files, resolver
from tocsin.node.config.matchers import Notation
from tocsin.node.config.receivers import ReceiverSection, read_receivers
from tocsin.node.config.routing import InhibitSection, RouteSection, check_names, check_root, one_route
from tocsin.node.config.schema import Section, list_of, option, refused, section, text
from tocsin.node.config.timeintervals import NamedIntervalsSection, named_intervals
from tocsin.node.config.yaml import Mark, load, read_file


@dataclass(kw_only=True)
class ConfigSection(Section):
    """The top level."""

    global_: GlobalSection = option(read_global, GlobalSection(), name="global", always=True)
    route: RouteSection | None = option(one_route, None)
    inhibit_rules: tuple[InhibitSection, ...] = option(list_of(section(InhibitSection)), ())
    receivers: tuple[ReceiverSection, ...] = option(read_receivers, ())
    templates: tuple[str, ...] = option(list_of(text), (), always=True)
    mute_time_intervals: tuple[NamedIntervalsSection, ...] = option(named_intervals("mute time interval"), ())
    time_intervals: tuple[NamedIntervalsSection, ...] = option(named_intervals("time interval"), ())
    tracing: Any = option(refused("tracing is not offered by this version", "remove the section"), None)
    event_recorder: Any = option(
        refused("event_recorder is not offered by this version", "remove the section"), None
    )


_read = section(ConfigSection)


def load_config(path: str | Path, notation: Notation = Notation()) -> AlertmanagerConfig:  # noqa: B008 - frozen
    """The file at ``path``. :class:`~tocsin.errors.ConfigError` when it cannot be read or used."""
    return parse_config(read_file(Path(path)), path=str(path), notation=notation)


def parse_config(text: str, *, path: str, notation: Notation = Notation()) -> AlertmanagerConfig:  # noqa: B008
    """As :func:`load_config`, of ``text``. ``path`` is named in errors; relative file names are of its
    directory."""
    start = Mark(path, 1, 1)
    tree = load(text, path)
    if tree is None:
        raise start.error(
            "no route provided in config", "the least is route: with a receiver:, and receivers:"
        )
    config = _read(tree)
    root = config.route
    if root is None:
        raise config.mark.error("no routes provided", "add route: with a receiver:")
    check_root(root)
    intervals = _unique_intervals(config)
    check_names(root, _unique_receivers(config), intervals)

    _resolve_files(config, str(Path(path).parent))
    http = http_client_config(config.global_.http_config)
    route = build_route(root.build(notation))
    inhibit_rules = tuple(rule.build(notation) for rule in config.inhibit_rules)
    _fill_in_http(config)
    return AlertmanagerConfig(
        route=route,
        receivers=tuple(receiver.build(http) for receiver in config.receivers),
        inhibit_rules=inhibit_rules,
        time_intervals=MappingProxyType(
            {
                name: tuple(interval.build() for interval in named.time_intervals)
                for name, named in intervals.items()
            }
        ),
        global_=GlobalConfig(resolve_timeout=config.global_.resolve_timeout, http=http),
        templates=config.templates,
        original=emit(config.shown()),
    )


def _resolve_files(config: ConfigSection, directory: str) -> None:
    """Names of files are relative to the configuration's own folder, and are shown as they are used."""
    config.templates = tuple(map(resolver(directory), config.templates))
    resolve_files(config.global_.http_config, directory)
    for receiver in config.receivers:
        for webhook in receiver.webhook_configs:
            if webhook.http_config is not None:
                resolve_files(webhook.http_config, directory)


def _fill_in_http(config: ConfigSection) -> None:
    """A webhook without an ``http_config`` is shown with the global one, which is what it uses."""
    for receiver in config.receivers:
        for webhook in receiver.webhook_configs:
            webhook.http_config = webhook.http_config or config.global_.http_config


def _unique_receivers(config: ConfigSection) -> set[str]:
    names: set[str] = set()
    for receiver in config.receivers:
        if receiver.name in names:
            raise receiver.at("name").error(
                f"notification config name {go_quote(receiver.name)} is not unique",
                "rename one of the receivers",
            )
        names.add(receiver.name)
    return names


def _unique_intervals(config: ConfigSection) -> dict[str, NamedIntervalsSection]:
    found: dict[str, NamedIntervalsSection] = {}
    for what, group in (
        ("mute time interval", config.mute_time_intervals),
        ("time interval", config.time_intervals),
    ):
        for named in group:
            if named.name in found:
                raise named.at("name").error(
                    f"{what} {go_quote(named.name)} is not unique", "rename one of them"
                )
            found[named.name] = named
    return found
