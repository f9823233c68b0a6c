"""A summary of the node in plain HTML, for browsers without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Final

from tocsin.alerting.silence import SilenceState
from tocsin.alerting.timestamp import SECOND, format_rfc3339
from tocsin.text import plain

if TYPE_CHECKING:
    from tocsin.node.api.backend import Backend, PeerGap, PeerStatus

MAX_MEMBERS: Final = 200
"""Members that are listed; past it only their number is shown."""

_IN_SHADOW: Final = """<p class="settling"><b>This node is in shadow</b> (<code>--dispatch.shadow</code>): it
notifies nobody, and compares what it would send with what the others do.</p>"""
_CLEAR_TEXT: Final = """<p class="settling"><b>Cluster traffic is clear text.</b> Whoever reaches the
cluster port can read it, silence alerts and hold notifications back:
use <code>--cluster.tls-config</code>.</p>"""


def plain_page(backend: Backend) -> str:
    """The body for the node as it is now; ``9-plain.css`` is for it."""
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
    return f"""<main class="no-scripts">
<h1>Tocsin</h1>
<p class="quiet">version {escape(backend.version.revision or backend.version.version)}{name}
&middot; started {escape(format_rfc3339(backend.started_at // SECOND * SECOND))}</p>
<p>This node is <b class="{ready}">{"ready" if backend.ready else "not ready yet"}</b>;
the cluster is <b class="{"ready" if state == "ready" else "settling"}">{escape(state)}</b>.</p>
{_IN_SHADOW if backend.tocsin.shadow is not None else ""}
{_CLEAR_TEXT if cluster.clear_text else ""}
<ul class="numbers">{cards}</ul>
{_gaps(cluster.gaps)}
{_members(cluster.peers)}
<p class="quiet">{navigation}</p>
</main>"""


def _text(of_others: str) -> str:
    """Text of others: it may hold marks that turn the direction of writing."""
    return escape(plain(of_others))


def _gaps(gaps: Sequence[PeerGap]) -> str:
    """The peers that should be members and are not, with the reasons."""
    if not gaps:
        return ""
    rows = "".join(
        f"<tr><td><code>{_text(gap.name)}</code></td><td>{_text(gap.why or 'not reached yet')}</td></tr>"
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
        f"<tr><td><code>{_text(peer.name)}</code></td><td><code>{_text(peer.address)}</code></td></tr>"
        for peer in listed
    )
    more = f'<p class="quiet">and {len(peers) - len(listed)} more</p>' if len(peers) > len(listed) else ""
    return f"""<h2>{len(peers)} member{"" if len(peers) == 1 else "s"}</h2>
<table><tr><th>Name</th><th>Address</th></tr>{rows}</table>{more}"""
