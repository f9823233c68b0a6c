"""``python -m tools.metrics`` writes docs/metrics.md: what each of Tocsin's own metrics means."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path
from typing import Final

from tocsin.node.metrics.own import PREFIX, meanings

PAGE: Final = Path(__file__).resolve().parents[1] / "docs/metrics.md"

_HEAD: Final = """\
# Metrics of Tocsin's own

Alertmanager's metrics are here by their names ([compatibility.md](compatibility.md)), so rules and dashboards
for Alertmanager go on working. These are beside them. `HELP` says the same; `python -m tools.metrics` writes
this page from it. "Grows" means for longer than some node takes to start. To wake somebody few are needed:
the mixin of Alertmanager, and from here `tocsin_journal_failing`, `tocsin_cluster_whole`,
`tocsin_tls_certificate_expiry_timestamp_seconds` and `tocsin_tls_last_reload_successful`.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for part, listed in groupby(meanings().items(), key=lambda each: _part(each[0])):
        parts += [f"\n## {part}\n\n", "| metric | what | worry when | hint |\n| --- | --- | --- | --- |\n"]
        parts += [
            f"| `{name}` | {one.what} | {one.worry or 'never by itself'} | {_linked(one.look)} |\n"
            for name, one in listed
        ]
    return "".join(parts)


def _part(name: str) -> str:
    first, second, *_ = name.removeprefix(PREFIX).split("_")
    if (first, second) in {("anti", "entropy"), ("event", "loop"), ("transport", "dtls"), ("web", "config")}:
        return f"{first} {second}"
    return {"build": "node", "notification": "node", "resyncs": "replication"}.get(first, first)


def _linked(text: str) -> str:
    return re.sub(r"\bdocs/([a-z0-9-]+\.md)", r"[\1](\1)", text)


if __name__ == "__main__":
    PAGE.write_text(page())
