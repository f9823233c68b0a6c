"""``cluster rtt``."""

from __future__ import annotations

from typing import Final

from tocsin.cli.asking import ask, say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import Command
from tocsin.cli.commandline.run import CommandError
from tocsin.client.formats import to_json
from tocsin.client.metrics import by_label
from tocsin.client.terminal import Terminal

METRIC: Final = "alertmanager_cluster_pings_seconds"


def run(invocation: Invocation) -> int:
    """Print how long the node's peers took to answer its pings, on average since it started."""
    answer = ask(invocation).get("/metrics")
    if answer.status != 200:
        raise CommandError(f"/metrics answers {answer.status}")
    text = answer.body.decode("utf-8", "replace")
    sums, counts = by_label(text, f"{METRIC}_sum", "peer"), by_label(text, f"{METRIC}_count", "peer")
    means = {peer: sums.get(peer, 0.0) / count for peer, count in sorted(counts.items()) if count > 0}
    if invocation.output == "json":
        say(
            to_json(
                [{"peer": peer, "pings": int(counts[peer]), "mean": mean} for peer, mean in means.items()]
            )
        )
        return 0
    if not means:
        raise CommandError(f"the node has no {METRIC} of a peer: no peer has answered a ping yet")
    Terminal().table(
        ("PEER", "PINGS", "MEAN"),
        [(peer, f"{counts[peer]:.0f}", f"{mean * 1000:.2f} ms") for peer, mean in means.items()],
        colours=False,
    )
    return 0


COMMAND: Final = Command(
    run,
    description="From the metric alertmanager_cluster_pings_seconds of the node; -o json: in seconds.",
)
