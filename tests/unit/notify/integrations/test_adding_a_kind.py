"""A new kind of receiver is one module and one line in the registry: here the guide's example."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]
GUIDE = ROOT / "docs" / "adding-a-receiver.md"
MODULE = GUIDE.read_text().partition("```python\n")[2].partition("```")[0]

PROGRAM = '''
import asyncio, sys
from tocsin.notify.integrations import registry
registry.KINDS += (registry.Registered("toy", "toy_kind"),)  # the line
registry.NAMES += ("toy",)
registry._BY_NAME["toy"] = registry.KINDS[-1]

from tocsin.alerting.notification import Notification
from tocsin.alerting.labels import Labels
from tocsin.node.clock import Clock
from tocsin.node.config import parse_config
from tocsin.node.metrics import Metrics
from tocsin.node.configuration import senders_of
from tests.support.routing import alert

async def main():
    assert "toy_kind" not in sys.modules
    got = []
    async def serve(reader, writer):
        head = await reader.readuntil(b"\\r\\n\\r\\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        got.append(await reader.readexactly(length))
        status = b"200 OK" if len(got) > 1 else b"429 Slow"
        writer.write(b"HTTP/1.1 %b\\r\\nContent-Length: 0\\r\\n\\r\\n" % status)
        writer.close()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    text = f"""
global: {{http_config: {{follow_redirects: false}}}}
route: {{receiver: r}}
receivers:
- name: r
  toy_configs:
  - url: http://127.0.0.1:{port}/hush-hush
  - url: http://127.0.0.1:{port}/hush-hush
    title: second
"""
    config = parse_config(text, path="/etc/am.yml")
    assert "hush" not in config.original and "toy_configs:" in config.original, config.original
    assert not config.receivers[0].integrations[0].http_config.follow_redirects
    clock = Clock()
    senders = senders_of(config, external_url="", clock=clock)
    assert list(senders) == [("r", "toy", 0), ("r", "toy", 1)], list(senders)
    notification = Notification(receiver="r", group_key="k", group_labels=Labels({}), alerts=(alert(a="b"),),
                                now=clock.now(), reason="first notification")
    deadline = clock.now() + 60_000_000_000
    failed = await senders["r", "toy", 0].send(notification, deadline)
    assert not failed.success and failed.retry, failed
    assert (await senders["r", "toy", 1].send(notification, deadline)).success
    assert got == [b'{"title":"1 alert"}\\n', b'{"title":"second"}\\n'], got
    for sender in senders.values():
        await sender.close()
    server.close()
    shown = Metrics(version="1", alertmanager_version="1").render()[0].decode()
    assert 'alertmanager_notifications_total{integration="toy"} 0\\n' in shown

asyncio.run(main())
'''


def test_one_module_and_one_line(tmp_path: Path) -> None:
    (tmp_path / "toy_kind.py").write_text(MODULE)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT / 'src'}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
