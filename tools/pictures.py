"""Takes the pictures of docs/images: a cluster with a night on call, seen on desk and phone, light and dark.

    python -m tools.pictures docs/images [--only alerts]

With TOCSIN_PEERS set one of the three nodes is a real Alertmanager.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support import alertmanager
from tests.support.browser import started_browser, why_not
from tests.support.cluster import Cluster
from tests.support.eventually import eventually
from tests.support.node import Node
from tests.support.sink import WebhookSink
from tests.support.tocsin_node import TOCSIN
from tocsin.certificates import CertificateFolder
from tools import oncall

YEAR = timedelta(days=365)
SIZES = {"desk": (1440, 900), "phone": (390, 844)}
FORM = (
    "silences/new?filter=%7Balertname%3D%22HighRequestLatency%22%2C%20service%3D~%22search%7Ccatalogue%22%7D"
    "&comment=Index%20is%20rebuilt&creator=ana"
)
PAGES = {  # the address, and what is there once all of the page is
    "alerts": ("alerts", "article.alert"),
    "alert": ("alerts/FINGERPRINT", ".verdict"),
    "silences": ("silences", "article.silence"),
    "silence": (FORM, ".preview li"),
    "routes": (
        "routes?labels=alertname%3D%22OrdersLate%22%2Cteam%3D%22batch%22%2Cseverity%3D%22warning%22",
        ".week",
    ),
    "receivers": ("receivers", ".receiver"),
    "cluster": ("cluster", "[aria-label=Connections]"),
}


def main() -> int:
    """The command."""
    summary = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m tools.pictures", description=summary)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", action="append", choices=list(PAGES))
    given = parser.parse_args()
    if reason := why_not():
        print(f"pictures: {reason}", file=sys.stderr)
        return 3
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, WebhookSink() as sink, Cluster(Path(folder)) as cluster:
        node = _cluster(cluster, sink)
        _take(node, given.folder, given.only or list(PAGES))
    return 0


def _cluster(cluster: Cluster, sink: WebhookSink) -> Node:
    certificates = CertificateFolder(cluster.folder / "site")  # that last, as a site's do
    certificates.initialise("Example CA", now=datetime.now(UTC), lifetime=2 * YEAR)
    third = TOCSIN if alertmanager.why_not() else alertmanager.alertmanager("0.33")
    for number, kind in enumerate((TOCSIN, TOCSIN, third), start=1):
        name = f"oncall-{number}"
        node = Node(
            kind,
            name,
            cluster.folder / name,
            config=oncall.CONFIG.replace("WEBHOOK", sink.url),
            tls=certificates.issue(name, ("127.0.0.1", "::1"), now=datetime.now(UTC), lifetime=YEAR),
            peers=[peer.cluster_address for peer in cluster.nodes],
            peer_name=name,
        )
        cluster.nodes.append(node)
        node.start()
    cluster.wait_whole()
    for node in cluster.nodes:
        oncall.post(node.url, with_silences=node is cluster.nodes[0])
    first = cluster.nodes[0]
    eventually(lambda: sink.of_alert("PaymentProviderTimeouts"), "the first notification")
    return first


def _take(node: Node, folder: Path, names: list[str]) -> None:
    told = next(a for a in node.api.alerts() if a["labels"]["alertname"] == "PaymentProviderTimeouts")
    with started_browser() as browser:
        for scheme in ("light", "dark"):
            for size, (width, height) in SIZES.items():
                context = browser.new_context(
                    viewport={"width": width, "height": height}, color_scheme=scheme
                )
                page = context.new_page()
                for name in names:
                    path, drawn = PAGES[name]
                    page.goto(f"{node.url}/#/{path.replace('FINGERPRINT', told['fingerprint'])}")
                    page.wait_for_selector(drawn, state="attached", timeout=120_000)
                    page.wait_for_timeout(1500)
                    page.screenshot(path=folder / f"page-{name}-{size}-{scheme}.png")
                context.close()


if __name__ == "__main__":
    sys.exit(main())
