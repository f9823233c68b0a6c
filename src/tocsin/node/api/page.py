"""The status page: what a person wants to know at a glance. Plain HTML, no scripts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from starlette.responses import Response

from tocsin.alerting.silence import SilenceState
from tocsin.alerting.timestamp import SECOND, format_rfc3339
from tocsin.node.api.backend import Backend, PeerGap, PeerStatus

MAX_MEMBERS: Final = 200
"""Members that are listed; past it only their number is told."""

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --quiet: #888; --good: #1a7f4b; --wait: #a86400;
  --card: #8881; font: 16px/1.5 system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { :root { --good: #4cc38a; --wait: #f1a10d; } }
body { max-width: 52rem; margin: 2.5rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; } .quiet { color: var(--quiet); } a { color: inherit; }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem;
  margin: 1.5rem 0 0; padding: 0; list-style: none; }
.numbers li { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: .75rem 1rem; }
.numbers b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
.ready { color: var(--good); } .settling { color: var(--wait); }
table { border-collapse: collapse; width: 100%; } th { text-align: left; font-weight: 600; }
th, td { padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
code { font-size: .92em; }
"""

_CLEAR_TEXT: Final = """<p class="settling"><b>Cluster traffic is clear text.</b> Whoever reaches the
cluster port can read it, silence alerts and hold notifications back:
use <code>--cluster.tls-config</code>.</p>"""


def status_page(backend: Backend) -> Response:
    """The page for the node as it is now."""
    answer = Response(_page(backend), media_type="text/html")
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
    )
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def _page(backend: Backend) -> str:
    now = backend.now()
    cluster = backend.cluster_status()
    alerts = backend.alerts.counts(now)
    silences = backend.silences.counts(now)
    name = f" &middot; <code>{escape(cluster.name)}</code>" if cluster.name else ""
    numbers = [
        (alerts["firing"], "alerts firing"),
        (alerts["resolved"], "alerts resolved"),
        (silences[SilenceState.ACTIVE], "silences active"),
        (silences[SilenceState.PENDING], "silences pending"),
    ]
    cards = "".join(f"<li><b>{number}</b>{what}</li>" for number, what in numbers)
    state = "not whole" if cluster.gaps and cluster.status == "ready" else cluster.status
    ready = "ready" if backend.ready else "settling"
    links = (("Alerts", "api/v2/alerts"), ("Silences", "api/v2/silences"), ("Status", "api/v2/status"),
             ("Metrics", "metrics"))  # fmt: skip
    navigation = " &middot; ".join(f'<a href="{path}">{title}</a>' for title, path in links)
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Tocsin</title>
<style>{_STYLE}</style></head>
<body>
<h1>Tocsin</h1>
<p class="quiet">version {escape(backend.version.revision or backend.version.version)}{name}
&middot; started {escape(format_rfc3339(backend.started_at // SECOND * SECOND))}</p>
<p>This node is <b class="{ready}">{"ready" if backend.ready else "not ready yet"}</b>;
the cluster is <b class="{"ready" if state == "ready" else "settling"}">{escape(state)}</b>.</p>
{_CLEAR_TEXT if cluster.clear_text else ""}
<ul class="numbers">{cards}</ul>
{_gaps(cluster.gaps)}
{_members(cluster.peers)}
<p class="quiet">{navigation}</p>
</body>
</html>
"""


def _gaps(gaps: Sequence[PeerGap]) -> str:
    """Who should be a member and is not, with the reason: for the morning after."""
    if not gaps:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(gap.name)}</code></td><td>{escape(gap.why or 'not reached yet')}</td></tr>"
        for gap in gaps[:MAX_MEMBERS]
    )
    more = f'<p class="quiet">and {len(gaps) - MAX_MEMBERS} more</p>' if len(gaps) > MAX_MEMBERS else ""
    return f"""<h2 class="settling">{len(gaps)} missing</h2>
<table><tr><th>Peer or source</th><th>Why</th></tr>{rows}</table>{more}"""


def _members(peers: Sequence[PeerStatus]) -> str:
    if not peers:
        return ""
    listed = sorted(peers, key=lambda peer: peer.name)[:MAX_MEMBERS]
    rows = "".join(
        f"<tr><td><code>{escape(peer.name)}</code></td><td><code>{escape(peer.address)}</code></td></tr>"
        for peer in listed
    )
    more = f'<p class="quiet">and {len(peers) - len(listed)} more</p>' if len(peers) > len(listed) else ""
    return f"""<h2>{len(peers)} member{"" if len(peers) == 1 else "s"}</h2>
<table><tr><th>Name</th><th>Address</th></tr>{rows}</table>{more}"""
