"""The figures kept (results.json), shown, and written into docs/performance.md between two marks."""

from __future__ import annotations

import json
import math
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.row import Figure, Outcome, Row, change, noise
from tests.support import alertmanager
from tocsin import __version__

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results.json"
DOCUMENT = ROOT / "docs" / "performance.md"
COMMAND = "make bench"
_BEGIN, _END = "<!-- begin: made by make bench -->", "<!-- end: made by make bench -->"
_KINDS = ("alertmanager", "tocsin")


@dataclass(slots=True)
class Results:
    """All rows' figures, the newest of each, and the profile."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    profile: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    earlier: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What rows that were measured in this run had been before."""

    @classmethod
    def load(cls) -> Results:
        """What an earlier run kept."""
        if not RESULTS.exists():
            return cls()
        data = json.loads(RESULTS.read_text())
        return cls(data["rows"], data.get("profile", {}), data.get("seconds", 0.0))

    def save(self) -> None:
        """Keep it."""
        data = {
            "machine": machine(),
            "rows": self.rows,
            "profile": self.profile,
            "seconds": round(self.seconds, 1),
        }
        RESULTS.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")

    def add(
        self, row: Row, outcomes: Mapping[str, Outcome], *, quick: bool, notes: Sequence[str], seconds: float
    ) -> None:
        """Take in what was measured; a kind that was not measured keeps its figures if both are of a kind."""
        old = self.rows.get(row.name, {})
        self.earlier[row.name] = old
        keep = old.get("kinds", {}) if old.get("quick") == quick else {}
        kinds = dict(keep)
        for kind, outcome in outcomes.items():
            kinds[kind] = {
                "figures": {
                    figure.key: _plain(figure.summary(outcome.samples[figure.key]))
                    for figure in row.figures
                    if outcome.samples.get(figure.key)
                },
                "samples": {
                    key: [_plain(v) for v in values[:1000]] for key, values in outcome.samples.items()
                },
                "problem": outcome.problem,
            }
        self.rows[row.name] = {
            "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "quick": quick,
            "seconds": round(seconds, 1),
            "load": round(os.getloadavg()[0], 2),
            "notes": list(notes),
            "kinds": kinds,
        }

    def change(self, row: Row, figure: Figure) -> str:
        """Whether Tocsin's figure is better or worse than what was last kept; empty where that cannot be
        said, and between quick and whole runs."""
        old, new = self.earlier.get(row.name, {}), self.rows.get(row.name, {})
        if not old or old.get("quick") != new.get("quick"):
            return ""
        kept = [one.get("kinds", {}).get("tocsin", {}) for one in (old, new)]
        values = [one.get("figures", {}).get(figure.key, math.nan) for one in kept]
        if any(value is not None and math.isnan(value) for value in values):
            return ""
        before, now = (math.inf if value is None else value for value in values)
        spread = [
            noise([math.inf if value is None else value for value in one["samples"].get(figure.key, [])])
            for one in kept
        ]
        return change(before, now, math.hypot(*spread), at_least=figure.target.at_least)

    def figure(self, row: Row, figure: Figure, kind: str) -> float | None:
        """A figure; infinite if it was waited for in vain; None if it was not measured."""
        found = self.rows.get(row.name, {}).get("kinds", {}).get(kind, {}).get("figures", {})
        if figure.key not in found:
            return None
        return math.inf if found[figure.key] is None else float(found[figure.key])


def _plain(value: float) -> float | None:
    """JSON has no infinity."""
    return round(value, 6) if math.isfinite(value) else None


def machine() -> dict[str, str]:
    """What the figures depend on, without saying whose machine it is."""
    model = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    found = {
        "cores": str(os.cpu_count()),
        "processor": model[1] if model else platform.machine(),
        "memory": f"{int(memory[1]) / 2**20:.0f} GiB" if memory else "unknown",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "Python": f"{platform.python_version()} ({sys.implementation.name})",
        "Tocsin": __version__,
    }
    for package in ("uvicorn", "cryptography", "protobuf", "msgspec"):
        found[package] = version(package)
    if not alertmanager.why_not():
        kind = alertmanager.alertmanager("0.33")
        found["Alertmanager"] = _alertmanager_version(kind.command[0])
    return found


def _alertmanager_version(binary: str) -> str:
    answer = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"version ([0-9.]+)", answer.stdout + answer.stderr)
    return found[1] if found else "unknown"


# -- texts


def number(value: float | None, unit: str) -> str:
    """A figure as a person reads it."""
    if value is None:
        return "not measured"
    if math.isinf(value):
        return "not in the time watched"
    size = abs(value)
    text = f"{value:,.0f}" if size >= 100 or value == int(value) else f"{value:.3g}"
    return f"{text} {unit}".strip()


def ratio(ours: float | None, theirs: float | None) -> str:
    """Ours as a multiple of theirs."""
    if ours is None or theirs is None or theirs == 0 or math.isinf(ours) or math.isinf(theirs):
        return "-"
    return f"{ours / theirs:.2g}" if ours / theirs < 10 else f"{ours / theirs:,.0f}"


def verdict(figure: Figure, ours: float | None, theirs: float | None) -> str:
    """Whether the target is met."""
    met = figure.target.met(ours, theirs)
    return "" if met is None else "yes" if met else "**no**"


def table(rows: Sequence[Row], results: Results) -> list[str]:
    """The figures as Markdown."""
    lines = [
        "| what | Alertmanager | Tocsin | Tocsin / Alertmanager | target | met |",
        "| --- | ---: | ---: | ---: | --- | --- |",
    ]
    for row in rows:
        for figure in row.figures:
            theirs, ours = (results.figure(row, figure, kind) for kind in _KINDS)
            cells = (
                figure.title,
                number(theirs, figure.unit),
                number(ours, figure.unit),
                ratio(ours, theirs),
                _target_text(figure),
                verdict(figure, ours, theirs),
            )
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def _target_text(figure: Figure) -> str:
    text = str(figure.target)
    return f"{text} {figure.unit}".strip() if figure.target.limit is not None or figure.target.plus else text


def show(row: Row, results: Results) -> None:
    """One row, on the terminal."""
    for figure in row.figures:
        theirs, ours = (results.figure(row, figure, kind) for kind in _KINDS)
        print(
            f"{figure.title:72} {number(theirs, figure.unit):>24} {number(ours, figure.unit):>24}"
            f"  x{ratio(ours, theirs):8} {_target_text(figure):12} {verdict(figure, ours, theirs):6}"
            f" {results.change(row, figure)}".rstrip(),
            flush=True,
        )


def profile_table(results: Results) -> list[str]:
    """The profiles as Markdown."""
    lines: list[str] = []
    for one in results.profile.get("nodes", []):
        lines += [
            "",
            f"{one['role']}: {one['cpu']:.0%} of a core, {one['samples']} samples.",
            "",
            "| own time | with callees | where |",
            "| ---: | ---: | --- |",
        ]
        lines += [f"| {own:.1%} | {total:.1%} | `{where}` |" for where, own, total in one["top"]]
    return lines


def show_profile(results: Results) -> None:
    """The profiles, on the terminal."""
    print(f"profile at {results.profile['rate']:.0f} silences a second")
    print("\n".join(profile_table(results)), flush=True)


def _circumstances(results: Results, row: Row) -> str:
    """When a row was measured, and how busy the machine was: rows may come from different runs."""
    one = results.rows.get(row.name)
    return f"{one['at']}, load {one['load']}" if one else "not measured"


def _range(measured: Sequence[Mapping[str, Any]], key: str) -> str:
    values = [one[key] for one in measured]
    return f"{min(values)} to {max(values)}"


def write(results: Results, rows: Sequence[Row]) -> None:
    """Put the figures into docs/performance.md; what is outside of the marks stays."""
    facts = machine()
    measured = [results.rows[row.name] for row in rows if row.name in results.rows]
    quick = any(one["quick"] for one in measured)
    lines = [
        _BEGIN,
        "",
        f"Measured {_range(measured, 'at')} by `{COMMAND}`"
        + (" (some rows with `--quick`)" if quick else "")
        + ", on one machine: "
        + ", ".join(f"{name} {value}" for name, value in facts.items())
        + f". Load average while it ran: {_range(measured, 'load')}.",
        "",
        *table(rows, results),
        "",
        "What each row does:",
        "",
        *(f"- **{row.name}** ({_circumstances(results, row)}): {row.how}" for row in rows),
    ]
    notes = [f"- {note}" for one in measured for note in one["notes"]]
    if notes:
        lines += ["", "Notes of the run:", "", *notes]
    problems = [
        f"- {row.name}, {kind}: {one['problem']}"
        for row in rows
        for kind, one in results.rows.get(row.name, {}).get("kinds", {}).items()
        if one["problem"]
    ]
    if problems:
        lines += ["", "What could not be measured:", "", *problems]
    if results.profile:
        lines += [
            "",
            f"### Profile at {results.profile['rate']:,.0f} silences a second",
            *profile_table(results),
        ]
    lines += ["", _END]
    text = DOCUMENT.read_text() if DOCUMENT.exists() else f"# Performance\n\n{_BEGIN}\n{_END}\n"
    before, _, rest = text.partition(_BEGIN)
    DOCUMENT.write_text(before + "\n".join(lines) + rest.partition(_END)[2])
