"""``cluster forget``."""

from __future__ import annotations

from typing import Any, Final

from tocsin.cli.asking import say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import Argument, Command
from tocsin.cli.peering import PEERS, nodes_of
from tocsin.client.peers import Nodes
from tocsin.errors import TocsinError


def run(invocation: Invocation) -> int:
    """Have every node forget a peer. Exit status 1 if one refused or did not answer, or none had lost it."""
    from tocsin.client.formats import to_json
    from tocsin.client.terminal import Terminal

    nodes = nodes_of(invocation)
    first = nodes.view(nodes.settings.url)
    peer = invocation.arguments[0]
    rows = [_forget(nodes, url, peer) for url in (nodes.settings.url, *nodes.others(first))]
    if invocation.output == "json":
        say(to_json(rows))
    else:
        table = [(row["url"], row["result"], ", ".join(row["addresses"]) or row["problem"]) for row in rows]
        Terminal().table(("NODE", "RESULT", "WHAT"), table, colours=False)
    results = [row["result"] for row in rows]
    if "forgotten" not in results and not {"refused", "no answer"} & {*results}:
        invocation.warn(f"no node that was asked misses a peer with the name or address {peer!r}")
    return 0 if "forgotten" in results and not {"refused", "no answer"} & {*results} else 1


def _forget(nodes: Nodes, url: str, peer: str) -> dict[str, Any]:
    from tocsin.client.api import ApiError
    from tocsin.client.tocsin import post
    from tocsin.models.cluster import Forgotten

    addresses: tuple[str, ...] = ()
    result, problem = "forgotten", ""
    try:
        addresses = post(nodes.api(url), "/cluster/forget", {"peer": peer}, Forgotten).addresses
    except ApiError as error:
        problem = str(error)
        result = "refused"
        if error.status == 404 and error.reason.endswith("is missing here"):
            result = "not missing"
        elif error.status == 404:
            result, problem = (
                "cannot",
                "an Alertmanager, which forgets after --cluster.reconnect-timeout only",
            )
    except TocsinError as error:
        result, problem = "no answer", str(error)
    return {"url": url, "result": result, "addresses": list(addresses), "problem": problem}


COMMAND: Final = Command(
    run,
    flags=(PEERS,),
    arguments=(Argument("peer", "Its name, or its cluster address", least=1, most=1),),
    description="""\
A node that has died is dialled and counted as missing for --cluster.reconnect-timeout (6h), and for as long
as --cluster.peer or discovery names it. This has every Tocsin node forget it at once:

    cluster forget am3
    cluster forget 192.0.2.3:9094

It comes back if it joins by itself, if discovery lists it anew, or with a node that starts again with it
among its --cluster.peer; and if it is still listed and answers after all, for which it is dialled every five
minutes. A member that is alive is not forgotten: stop it first. An Alertmanager has no such
call.""",
)
