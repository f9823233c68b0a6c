"""Many receivers are as cheap as their settings are few."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.certificates import CertificateAuthority
from tocsin.config.httpclient import HTTPClientConfig, TLSClientConfig
from tocsin.node.clock import Clock
from tocsin.node.config import MatcherSyntax, load_config
from tocsin.notify.integrations.http import HTTPClient
from tocsin.notify.integrations.sender import make_senders
from tocsin.notify.integrations.tlscontext import TLSContexts
from tocsin.notify.rendering import TemplateFiles, TemplateRenderer

ROOT = Path(__file__).parents[4]


def test_a_hundred_webhooks_load_the_systems_authorities_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading them takes some 20 ms and 1 MB: for each receiver, a reload would hold the loop for seconds."""
    loaded = 0
    original = ssl.create_default_context

    def counted(cafile: str | None = None, cadata: str | None = None) -> ssl.SSLContext:
        nonlocal loaded
        loaded += 1
        return original(cafile=cafile, cadata=cadata)

    monkeypatch.setattr(ssl, "create_default_context", counted)
    file = tmp_path / "alertmanager.yml"
    hooks = "".join(f"    - url: http://127.0.0.1:9/{number}\n" for number in range(100))
    file.write_text(f"route: {{receiver: a}}\nreceivers:\n- name: a\n  webhook_configs:\n{hooks}")
    config = load_config(str(file), MatcherSyntax())

    async def story() -> None:
        keyed = [
            (("a", "webhook", index), each) for index, each in enumerate(config.receivers[0].integrations)
        ]
        senders = make_senders(
            keyed, renderer=TemplateRenderer(TemplateFiles(), "http://node"), clock=Clock()
        )
        assert len(senders) == 100
        for sender in senders.values():
            await sender.close()
        assert loaded == 0, "nothing was sent yet"
        contexts, tls = TLSContexts(), TLSClientConfig()
        contexts.check(tls)
        first = await asyncio.gather(*(contexts.current(tls) for _ in range(100)))
        assert len(set(map(id, first))) == 1

    asyncio.run(story())
    assert loaded == 1


def test_equal_settings_share_a_context_and_others_do_not(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_bytes(CertificateAuthority().certificate)
    contexts = TLSContexts()
    plain = contexts.get(TLSClientConfig())
    assert contexts.get(TLSClientConfig()) is plain
    assert contexts.get(TLSClientConfig(server_name="elsewhere")) is plain  # said with each request
    own = contexts.get(TLSClientConfig(ca_file=str(authority)))
    assert own is not plain
    assert contexts.get(TLSClientConfig(insecure_skip_verify=True)).verify_mode is ssl.CERT_NONE
    assert plain.verify_mode is ssl.CERT_REQUIRED

    async def story() -> None:
        await HTTPClient(HTTPClientConfig(), contexts=contexts).close()

    asyncio.run(story())


PROGRAM = """
import sys
from pathlib import Path
from tocsin.node.clock import Clock
from tocsin.node.config import parse_config
from tocsin.node.configuration import senders_of

def loaded(kind, item):
    text = f"route: {{receiver: r}}\\nreceivers: [{{name: r, {kind}_configs: [{item}]}}]\\n"
    senders_of(parse_config(text, path="/etc/am.yml"), external_url="", clock=Clock())
    return "tocsin.gotemplate" in sys.modules

assert not loaded("webhook", "{url: 'http://127.0.0.1:9/'}")
assert loaded("slack", "{api_url: 'http://127.0.0.1:9/'}")
"""


def test_templates_are_loaded_with_the_senders_and_only_if_there_are_any() -> None:
    """It takes some tenths of a second: the first notification would hold the loop up for it."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr


ATTEMPTS = """
import asyncio, sys
from importlib import import_module
from tests.support.integrations import CLOCK, notification_of
from tocsin.alerting.timestamp import SECOND
from tocsin.node.config import parse_config
from tocsin.node.configuration import senders_of

TEXT = '''
route: {receiver: r}
receivers:
- name: r
  email_configs: [{to: a@example.org, from: b@example.org, smarthost: "127.0.0.1:9", require_tls: false}]
  slack_configs: [{api_url: "http://127.0.0.1:9/", channel: c}]
'''

async def story():
    for sender in senders_of(parse_config(TEXT, path="/etc/am.yml"), external_url="", clock=CLOCK).values():
        assert sender.needs - sys.modules.keys(), "loaded before the first alert"
        for module in sender.needs:
            import_module(module)
        before = sys.modules.copy()
        outcome = await sender.send(notification_of(), CLOCK.now() + 60 * SECOND)
        assert "connect" in outcome.error, outcome
        more = {name.partition(".")[0] for name in sys.modules.keys() - before.keys()}
        assert more <= {"encodings", "stringprep"}, more

asyncio.run(story())
"""


def test_a_sender_names_what_its_first_attempt_would_take_long_to_load() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPTS],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
