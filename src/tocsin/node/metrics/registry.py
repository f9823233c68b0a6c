"""The registry. Counters are plain integers that are read at each scrape, so that counting costs no more;
only durations are observed as they happen.
"""

from __future__ import annotations

import dataclasses
import logging
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import prometheus_client
from prometheus_client import CollectorRegistry, Histogram, Summary
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from tocsin.alerting.steps import Steps, finish
from tocsin.node.gonames import goarch
from tocsin.node.metrics.exposition import exposing
from tocsin.node.metrics.families import FAMILIES, FEATURE_LABELS, TIMINGS, Family
from tocsin.node.metrics.own import PREFIX, help_of
from tocsin.node.metrics.process import MoreOfTheProcess

Values: TypeAlias = "float | Mapping[Any, float]"
"""One number, or numbers by the value of the one label, or by the values of all labels."""
Reader: TypeAlias = Callable[[], Values]
Timer: TypeAlias = "Histogram | Summary"

_log = logging.getLogger(__name__)


class Metrics:
    """All metrics of one node."""

    def __init__(self, *, version: str, alertmanager_version: str = "", features: Iterable[str] = ()) -> None:
        """``version`` is Tocsin's own; ``alertmanager_version`` is shown by ``alertmanager_build_info``.

        ``features`` are those of ``--enable-feature``: some add labels.
        """
        self.registry = CollectorRegistry()
        self._hidden: frozenset[str] = frozenset()
        labels = {
            name: more for feature in features for name, more in FEATURE_LABELS.get(feature, {}).items()
        }
        self._families = {
            family.name: dataclasses.replace(family, labels=labels[family.name], known=())
            if family.name in labels
            else family
            for family in FAMILIES
        }
        self._readers: dict[str, Reader] = {}
        self._counting: dict[str, Callable[[], Steps[Values]]] = {}
        self._statistics: list[tuple[str, Callable[[], Any], frozenset[str]]] = []
        self._timers: dict[str, Timer] = {}
        self._children: dict[tuple[str, tuple[str, ...]], Timer] = {}
        self._summaries: dict[str, tuple[str, Callable[[], tuple[int, float]]]] = {}
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        for timing in TIMINGS:
            timer: Timer
            if timing.name in labels:
                timing = dataclasses.replace(timing, labels=labels[timing.name], known=())
            if timing.buckets:
                timer = Histogram(
                    timing.name, timing.help, timing.labels, buckets=timing.buckets, registry=None
                )
            else:
                timer = Summary(timing.name, timing.help, timing.labels, registry=None)
            for values in timing.known:
                timer.labels(*values)
            self._timers[timing.name.removeprefix("alertmanager_")] = timer
        self._build = {
            "version": alertmanager_version or version,
            "revision": version,
            "branch": "tocsin",
            "goversion": f"python{platform.python_version()}",
            "goos": sys.platform,
            "goarch": goarch(),
            "tags": "tocsin",
        }
        self.registry.register(_Reads(self._collect))
        prometheus_client.ProcessCollector(registry=self.registry)
        self._process = MoreOfTheProcess()
        self.registry.register(self._process)
        prometheus_client.GCCollector(registry=self.registry)

    def watch(self, name: str, read: Reader) -> None:
        """Show ``alertmanager_<name>``, or ``name`` if that is one of Tocsin's own, as ``read()`` says, from
        now on. ``KeyError``: no such family."""
        full = name if name.startswith("tocsin_") else f"alertmanager_{name}"
        if full not in self._families:
            raise KeyError(name)
        self._readers[full] = read

    def watch_counted(self, name: str, count: Callable[[], Steps[Values]]) -> None:
        """:meth:`watch` of what has to be counted, in steps, before each scrape."""
        self.watch(name, dict)
        self._counting[name] = count

    def watch_statistics(self, prefix: str, read: Callable[[], Any], *, gauges: Iterable[str] = ()) -> None:
        """Show every field of a dataclass of counters as ``tocsin_<prefix>_<field>[_total]``.

        A field is a number, or a mapping from a reason (or kind) to numbers, which becomes the label
        ``reason``. ``read()`` gives the object of the moment or ``None``. ``gauges``: fields that go down
        too.
        """
        self._statistics.append((prefix, read, frozenset(gauges)))

    def watch_summary(self, name: str, read: Callable[[], tuple[int, float]]) -> None:
        """Show the timing ``alertmanager_<name>``, a summary, as ``read()`` says: how many, and their sum."""
        self._summaries[name] = (self._timers.pop(name)._documentation, read)

    def hide(self, names: Iterable[str]) -> None:
        """Do not show ``alertmanager_<name>``; a name that ends with ``_`` stands for all that begin so.

        This node has no source for them, and rules that compare them with others would fire.
        """
        self._hidden |= {f"alertmanager_{name}" for name in names}

    def timer(self, name: str, *labels: str) -> Timer:
        """The child of the timing ``alertmanager_<name>`` that belongs to the labels' values: call
        ``observe(seconds)`` on it.
        """
        key = name, labels
        found = self._children.get(key)
        if found is None:
            timer = self._timers[name]
            found = self._children[key] = timer.labels(*labels) if labels else timer
        return found

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The metrics and their content type: OpenMetrics where the ``Accept`` header asks for it, else
        text."""
        return finish(self.rendering(accept))

    def rendering(self, accept: str = "") -> Steps[tuple[bytes, str]]:
        """:meth:`render` in steps."""
        for name, count in self._counting.items():
            values: Values = {}
            try:
                values = yield from count()
            except Exception:  # As below: it must not hide the others.
                _log.exception("a metric cannot be counted: %s", name)
            self.watch(name, lambda values=values: values)  # type: ignore[misc]
        answer = yield from exposing(self.registry, accept)
        self._process.served += 1
        return answer

    def _collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("alertmanager_build_info", "1, with the version.", labels=list(self._build))
        build.add_metric(list(self._build.values()), 1)
        yield build
        own = GaugeMetricFamily("tocsin_build_info", help_of("tocsin_build_info"), labels=["version"])
        own.add_metric([self._build["revision"]], 1)
        yield own
        for family in self._families.values():
            if self._shown(family.name):
                yield from _with_samples([_family_metric(family, self._read(family))])
        for name, timer in self._timers.items():
            if self._shown(f"alertmanager_{name}"):
                yield from _with_samples(timer.collect())
        for name, (text, read_summary) in self._summaries.items():
            count, total = read_summary()
            yield SummaryMetricFamily(f"alertmanager_{name}", text, count_value=count, sum_value=total)
        for prefix, read, gauges in self._statistics:
            yield from _statistics_metrics(prefix, read(), gauges)

    def _shown(self, name: str) -> bool:
        if name == "alertmanager_cluster_enabled":
            return True
        return not any(
            name == hidden or (hidden.endswith("_") and name.startswith(hidden)) for hidden in self._hidden
        )

    def _read(self, family: Family) -> Values:
        reader = self._readers.get(family.name)
        if reader is None:
            return {} if family.labels else 0
        try:
            return reader()
        except Exception:
            # A value that cannot be read must not hide the others.
            _log.exception("a metric cannot be read: %s", family.name)
            return {} if family.labels else float("nan")


def _with_samples(families: Iterable[Metric]) -> Iterator[Metric]:
    """A family whose label values are not known yet is not shown, as in Alertmanager."""
    return (family for family in families if family.samples)


class _Reads(Collector):
    def __init__(self, collect: Callable[[], Iterator[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterator[Metric]:
        return self._collect()

    def describe(self) -> Iterable[Metric]:
        """Nothing to compare at registration: reading values then would be too early."""
        return ()


def _metric(
    name: str, kind: str, text: str, labels: Iterable[str]
) -> GaugeMetricFamily | CounterMetricFamily:
    made = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
    return made(name, text, labels=list(labels))


def _family_metric(family: Family, values: Values) -> Metric:
    text = help_of(family.name) if family.name.startswith(PREFIX) else family.help
    metric = _metric(family.name, family.kind, text, family.labels)
    if not isinstance(values, Mapping):
        metric.add_metric([], values)
        return metric
    shown: dict[tuple[str, ...], float] = dict.fromkeys(family.known, 0)
    for key, value in values.items():
        shown[(key,) if isinstance(key, str) else tuple(key)] = value
    for labels, value in shown.items():
        metric.add_metric(list(labels), value)
    return metric


def _statistics_metrics(prefix: str, statistics: Any, gauges: frozenset[str]) -> Iterator[Metric]:
    if statistics is None:
        return
    for field in dataclasses.fields(statistics):
        value = getattr(statistics, field.name)
        kind = "gauge" if field.name in gauges else "counter"
        name = f"tocsin_{prefix}_{field.name}{'_total' if kind == 'counter' else ''}"
        text = help_of(name)
        if isinstance(value, Mapping):
            metric = _metric(name, kind, text, ("reason",))
            for reason, count in sorted(value.items()):
                metric.add_metric([reason if isinstance(reason, str) else "/".join(map(str, reason))], count)
            yield metric
        elif isinstance(value, int | float):
            metric = _metric(name, kind, text, ())
            metric.add_metric([], value)
            yield metric
