"""Many receivers are as cheap as their settings are few."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from tests.support.certificates import CertificateAuthority
from tocsin.config.httpclient import HTTPClientConfig, TLSClientConfig
from tocsin.node.clock import Clock
from tocsin.node.config import Notation, load_config
from tocsin.notify.integrations.http import HTTPClient
from tocsin.notify.integrations.sender import make_senders
from tocsin.notify.integrations.tlscontext import TLSContexts
from tocsin.notify.rendering import TemplateFiles, TemplateRenderer


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
    config = load_config(str(file), Notation())

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
