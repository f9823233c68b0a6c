"""What a node has loaded once it serves: what its flags and its file use, and no more."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "src"

CLUSTER = ("tocsin.gossip.core.endpoint", "tocsin.gossip.driver", "msgpack", "tocsin.node.cluster.cluster")
OTHERS_TRANSPORTS = (
    "tocsin.gossip.transport.tls",
    "tocsin.gossip.transport.dtls",
    "tocsin.gossip.transport.migrating",
)
CERTIFICATES = ("cryptography", "OpenSSL", "tocsin.tls.identity", "tocsin.tls.trust")
DNS = ("dns",)
SENDING = ("httpcore", "h2", "socksio", "aiosmtplib")
TEMPLATES = ("tocsin.gotemplate",)

PLAIN = "route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n"
WEBHOOK = PLAIN + "    webhook_configs:\n      - url: http://127.0.0.1:9/\n"

PROGRAM = """
import asyncio, sys
from tocsin.node.app import Node
from tocsin.node.config.flags import parse_flags

async def main():
    node = Node(parse_flags(sys.argv[1:], version=""))
    await node.start()
    print(*sys.modules)
    await node.stop()

asyncio.run(main())
"""


def loaded(tmp_path: Path, configuration: str, *flags: str) -> set[str]:
    """The modules of a process that serves."""
    file = tmp_path / "alertmanager.yml"
    file.write_text(configuration)
    always = (
        f"--config.file={file}",
        f"--storage.path={tmp_path / 'data'}",
        "--web.listen-address=127.0.0.1:0",
    )
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *always, *flags],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(SOURCE)},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def among(names: Iterable[str], modules: set[str]) -> set[str]:
    return {name for name in names if any(one == name or one.startswith(f"{name}.") for one in modules)}


def test_a_node_alone_without_receivers_loads_neither_cluster_nor_clients(tmp_path: Path) -> None:
    modules = loaded(tmp_path, PLAIN, "--cluster.listen-address=")
    assert "tocsin.node.api.app" in modules
    unwanted = (*CLUSTER, *OTHERS_TRANSPORTS, *CERTIFICATES, *DNS, *SENDING, *TEMPLATES)
    assert not among(unwanted, modules)
    kinds = {name for name in modules if name.startswith("tocsin.notify.integrations.")}
    assert not among((f"tocsin.notify.integrations.{kind}" for kind in ("slack", "email", "webhook")), kinds)


def test_a_cluster_in_clear_text_loads_its_own_transport_only(tmp_path: Path) -> None:
    modules = loaded(tmp_path, PLAIN, "--cluster.listen-address=127.0.0.1:0")
    assert among((*CLUSTER, "tocsin.gossip.transport.udp"), modules) == {
        *CLUSTER,
        "tocsin.gossip.transport.udp",
    }
    assert not among((*OTHERS_TRANSPORTS, *CERTIFICATES, *DNS), modules)


@pytest.mark.parametrize("flags", [("--cluster.listen-address=",), ("--cluster.listen-address=127.0.0.1:0",)])
def test_what_sends_is_loaded_with_the_first_notification(tmp_path: Path, flags: tuple[str, ...]) -> None:
    modules = loaded(tmp_path, WEBHOOK, *flags)
    assert among(("tocsin.notify.integrations.webhook",), modules)
    assert not among(("tocsin.notify.integrations.slack", *SENDING, *CERTIFICATES), modules)
