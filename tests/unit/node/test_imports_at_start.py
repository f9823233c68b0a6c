"""What a node has loaded once it serves: what its flags and its file use, and no more."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "src"

CLUSTER = ("tocsin.gossip.core.endpoint", "tocsin.gossip.gossip", "msgpack", "tocsin.node.cluster.cluster")
OTHERS_TRANSPORTS = (
    "tocsin.gossip.transport.tls",
    "tocsin.gossip.transport.dtls",
    "tocsin.gossip.transport.migrating",
)
KEYRING = ("tocsin.node.cluster.keyring.service",)
CERTIFICATES = ("cryptography", "OpenSSL", "tocsin.tls.identity", "tocsin.tls.trust")
DNS = ("dns",)
SENDING = ("httpcore", "h2", "socksio", "aiosmtplib")
TEMPLATES = ("tocsin.gotemplate",)
OWN_API = ("tocsin.node.api.tocsin_v1.api", "tocsin.node.api.tocsin_v1.registry", "tocsin.models")
PAGES = ("tocsin.node.pages.shell", "tocsin.node.pages.assets")
TELLING = (
    "tocsin.node.explaining",
    "tocsin.alerting.explain.knowledge",
    "tocsin.alerting.explain.messages",
    "tocsin.alerting.explain.explanation",
    "tocsin.alerting.record.codec",
    "tocsin.alerting.record.making",
    "tocsin.alerting.record.model",
)
"""What tells of alerts, and what makes records."""
RECORDING = (
    "tocsin.alerting.eventrecorder",
    "tocsin.node.eventrecorder.recorder",
    "tocsin.node.eventrecorder.file",
    "tocsin.node.eventrecorder.webhook",
)

PLAIN = "route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n"
WEBHOOK = PLAIN + "    webhook_configs:\n      - url: http://127.0.0.1:9/\n"

PROGRAM = """
import asyncio, sys
from tocsin.node.app import start
from tocsin.node.config.arguments import parse_flags
from tocsin.node.prepared import prepare

async def main():
    node = await start(prepare(parse_flags(sys.argv[1:], version="")))
    print(*sys.modules)
    await node.stop()

asyncio.run(main())
"""

ASKED = """
import asyncio, sys, threading
from tocsin.node.api.app import create_app
from tocsin.node.app import start
from tocsin.node.config.arguments import parse_flags
from tocsin.node.prepared import prepare

PATHS = [
    "events", "status", "cluster", "cluster/members", "cluster/connections", "facets", "history/alerts",
    "history/notifications", "history/silences", "intervals", "receivers", "routes", "routes/test", "explain",
    "openapi.json", "alerts/worst", "", "static/0/main.js",
]
answered, seen = [], []

class Watch:
    def find_spec(self, name, path, target=None):
        on_loop = threading.current_thread() is threading.main_thread()
        seen.append(("loop:" if on_loop else "thread:") + name)

async def ask(app, name):
    whole = asyncio.Event()
    path = f"/{name}" if name[:6] in ("", "static") else f"/api/tocsin/v1/{name}"

    async def send(message):
        if message["type"] == "http.response.start":
            answered.append(f"{path}={message['status']}")
        elif name == "events" or not message.get("more_body"):
            whole.set()

    async def receive():
        await whole.wait()
        return {"type": "http.disconnect"}

    query = b"filter=alertname%3DA" if name == "explain" else b""
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query, "headers": []}
    asking = asyncio.create_task(app(scope, receive, send))
    await whole.wait()
    asking.cancel()

async def main():
    node = await start(prepare(parse_flags(sys.argv[1:], version="")))
    app = create_app(node)
    sys.meta_path.insert(0, Watch())
    for name in PATHS:
        await ask(app, name)
    print(*answered, *seen)
    await node.stop()

asyncio.run(main())
"""


def loaded(tmp_path: Path, configuration: str, *flags: str, program: str = PROGRAM) -> set[str]:
    """The modules of a process that serves; or what else the program says."""
    file = tmp_path / "alertmanager.yml"
    file.write_text(configuration)
    always = (
        f"--config.file={file}",
        f"--storage.path={tmp_path / 'data'}",
        "--web.listen-address=127.0.0.1:0",
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *always, *flags],
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
    unwanted = (
        *CLUSTER,
        *OTHERS_TRANSPORTS,
        *CERTIFICATES,
        *DNS,
        *SENDING,
        *TEMPLATES,
        *OWN_API,
        *PAGES,
        *TELLING,
        *RECORDING,
    )
    assert not among(unwanted, modules)
    kinds = {name for name in modules if name.startswith("tocsin.notify.integrations.")}
    assert not among((f"tocsin.notify.integrations.{kind}" for kind in ("slack", "email", "webhook")), kinds)


def test_a_cluster_in_clear_text_loads_its_own_transport_only(tmp_path: Path) -> None:
    modules = loaded(tmp_path, PLAIN, "--cluster.listen-address=127.0.0.1:0")
    assert among((*CLUSTER, "tocsin.gossip.transport.udp"), modules) == {
        *CLUSTER,
        "tocsin.gossip.transport.udp",
    }
    assert not among((*OTHERS_TRANSPORTS, *KEYRING, *CERTIFICATES, *DNS, *OWN_API, *TELLING), modules)


def test_an_event_recorder_loads_the_outputs_that_it_has(tmp_path: Path) -> None:
    configuration = PLAIN + "event_recorder: {file_outputs: [{path: events}]}\n"
    flags = ("--cluster.listen-address=", "--enable-feature=event-recorder")
    modules = loaded(tmp_path, configuration, *flags)
    assert among(RECORDING[:2], modules) == {*RECORDING[:2]}  # The file is opened beside all else.
    assert not among(("tocsin.node.eventrecorder.webhook", *SENDING), modules)


@pytest.mark.parametrize("flags", [("--cluster.listen-address=",), ("--cluster.listen-address=127.0.0.1:0",)])
def test_what_sends_is_loaded_with_the_first_notification(tmp_path: Path, flags: tuple[str, ...]) -> None:
    modules = loaded(tmp_path, WEBHOOK, *flags)
    assert among(("tocsin.notify.integrations.webhook",), modules)
    assert not among(("tocsin.notify.integrations.slack", *SENDING, *CERTIFICATES), modules)


def test_what_the_own_api_needs_is_loaded_by_its_first_requests_beside_the_event_loop(tmp_path: Path) -> None:
    said = loaded(tmp_path, WEBHOOK, "--cluster.listen-address=", program=ASKED)
    assert {each for each in said if "=" in each and not each.endswith("=200")} == {"/static/0/main.js=404"}
    by_thread, by_loop = (
        {each for each in said if each.startswith(f"{name}:")} for name in ("thread", "loop")
    )
    assert {f"thread:{name}" for name in (*OWN_API, *PAGES, *TELLING[:1])} <= by_thread
    assert by_loop == set()
