"""Files of tests on routing and muting, for ``tocsinctl test``.

::

    config: alertmanager.yml             # relative to the file
    tests:
      - name: a database pages at night
        time: 2026-01-05T03:00:00Z       # default: now
        silences:
          - [team=ops, 'host=~"db.+"']   # in force at the time
        alerts:                          # all of them fire
          - labels: {alertname: Down, team: db, severity: page}
            receivers: [db-pager]        # where it is routed, in the tree's order
            group: {alertname: Down}     # of the first of them
          - labels: {alertname: Slow, team: db, severity: warning}
            muted: inhibited             # silenced, inhibited, time interval, or false: nothing mutes it
            told: []                     # receivers that are notified of it
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher, parse_matcher
from tocsin.alerting.outlook import NamedSilence, Outlook, Outlooks
from tocsin.alerting.timestamp import SECOND, parse_rfc3339
from tocsin.config.readers import list_of, map_of, parsed, text
from tocsin.config.schema import Section, option
from tocsin.config.yaml import Node, Reading, decode, load, read_bytes
from tocsin.dataclass import dataclass
from tocsin.errors import ConfigError

REASONS: Final = ("silenced", "inhibited", "time interval")


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one test. ``problems`` is empty when it passed."""

    file: str
    place: str
    name: str
    problems: tuple[str, ...]


def _muted(node: Node) -> str:
    """``false``, ``true``, or a reason."""
    found = text(node)
    if found not in ("true", "false", *REASONS):
        raise node.mark.error(f"{found!r} mutes nothing", f"true, false, {', '.join(REASONS)}")
    return found


class AlertSection(Section):
    """An alert that fires, and its expected outcome; absent keys are not checked."""

    labels: dict[str, str] = option(map_of(text), default={})
    receivers: tuple[str, ...] | None = option(list_of(text), default=None)
    told: tuple[str, ...] | None = option(list_of(text), default=None)
    muted: str = option(_muted, default="")
    group: dict[str, str] | None = option(map_of(text), default=None)

    def check(self) -> None:
        """An alert has labels."""
        if not self.labels:
            raise self.mark.error("an alert without labels", "labels: {alertname: DiskFull}")


class TestSection(Section):
    """One test."""

    name: str = option(text, default="")
    time: int | None = option(parsed(parse_rfc3339, hint="as 2026-01-05T03:00:00Z"), default=None)
    silences: tuple[tuple[Matcher, ...], ...] = option(list_of(list_of(parsed(parse_matcher))), default=())
    alerts: tuple[AlertSection, ...] = option(list_of(AlertSection.read), default=())

    def check(self) -> None:
        """There is an alert to test."""
        if not self.alerts:
            raise self.mark.error("a test without alerts", "alerts: [{labels: {...}, receivers: [...]}]")


class FileSection(Section):
    """A whole file."""

    config: str = option(text, default="")
    tests: tuple[TestSection, ...] = option(list_of(TestSection.read), default=())


def check_file(path: Path, now: int, *, config: str = "") -> Iterator[Result]:
    """The result of each test in the file. ``config`` overrides the file's own.

    :class:`~tocsin.errors.ConfigError` where a file cannot be read or used.
    """
    from tocsin.node.config import load_config

    tree = load(decode(read_bytes(path, pipes=True), str(path)), str(path), Reading())
    if tree is None:
        raise ConfigError(f"{path}:1:1", "no tests", "config: alertmanager.yml and tests: [...]")
    file = FileSection.read(tree)
    if not file.tests:
        raise file.mark.error("no tests", "tests: [{name: ..., alerts: [...]}]")
    if not (config or file.config):
        raise file.mark.error("no configuration", "config: alertmanager.yml, or --config.file")
    tested = load_config(config or path.parent / file.config, accept_unserved=True)
    for number, test in enumerate(file.tests, 1):
        at = test.time if test.time is not None else now
        labels = [Labels(alert.labels) for alert in test.alerts]
        silences = [NamedSilence(f"silence {n}", one) for n, one in enumerate(test.silences, 1)]
        outlooks = Outlooks(tested, [_firing(one, at) for one in labels], silences)
        problems = [
            f"{one}: {problem}"
            for alert, one in zip(test.alerts, labels, strict=True)
            for problem in _compare(alert, outlooks.of(one, at))
        ]
        name = test.name or f"test {number}"
        yield Result(str(path), str(test.mark), name, tuple(problems))


def _firing(labels: Labels, now: int) -> Alert:
    return Alert(labels=labels, annotations=Labels(), starts_at=now - SECOND, ends_at=0, updated_at=now)


def _compare(wanted: AlertSection, found: Outlook) -> Iterator[str]:
    receivers = tuple(each.receiver for each in found.destinations)
    if wanted.receivers is not None and wanted.receivers != receivers:
        yield f"wanted the receivers {_listed(wanted.receivers)}, got {_listed(receivers)}"
    if wanted.told is not None and wanted.told != found.notified:
        yield f"wanted {_listed(wanted.told)} to be notified, got {_listed(found.notified)}"
    reasons = {found.muted(each) for each in found.destinations}
    shown = " or ".join(sorted(each or "not muted" for each in reasons))
    if wanted.muted == "true" and "" in reasons:
        yield f"wanted it muted, got {shown}"
    elif wanted.muted == "false" and reasons != {""}:
        yield f"wanted it not muted, got {shown}"
    elif wanted.muted in REASONS and wanted.muted not in reasons:
        yield f"wanted it {wanted.muted}, got {shown}"
    if wanted.group is not None and Labels(wanted.group) != found.destinations[0].group:
        yield f"wanted the group {Labels(wanted.group)}, got {found.destinations[0].group}"


def _listed(names: tuple[str, ...]) -> str:
    return f"[{', '.join(names)}]"
