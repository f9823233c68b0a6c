"""Files that others keep are regular ones of a bounded size: nothing else is waited for."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tocsin.config.httpclient import TLSClientConfig
from tocsin.errors import ConfigError
from tocsin.files import read_regular
from tocsin.node.cluster.keyring.keyfile import read_keys
from tocsin.node.config import load_config
from tocsin.node.config.webconfig import read_web_file
from tocsin.notify.integrations.secrets import Secrets
from tocsin.notify.integrations.tlscontext import tls_context
from tocsin.notify.template.loading import load_templates


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))


def holes(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 30)


def secret(path: Path) -> object:
    return asyncio.run(Secrets(TLSClientConfig()).read("", str(path)))


READERS: dict[str, Callable[[Path], object]] = {
    "configuration": lambda path: load_config(path, pipes=False),
    "web configuration": read_web_file,
    "template": lambda path: load_templates([str(path)]),
    "keyring": read_keys,
    "authorities of a receiver": lambda path: tls_context(TLSClientConfig(ca_file=str(path))),
    "secret of a receiver": secret,
}


@pytest.fixture
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # The path of a socket is short.
    assert tmp_path.is_dir()


@pytest.mark.parametrize("kind", [pipe, folder, device, listening, holes])
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.usefixtures("_here")
def test_what_is_no_file_of_a_usual_size_is_refused_at_once(
    tmp_path: Path, kind: Callable[[Path], None], reader: str
) -> None:
    path = tmp_path / "it"
    kind(path)
    with pytest.raises((ConfigError, OSError)) as refused:
        READERS[reader](path)
    assert str(refused.value).count(str(path)) == 1
    assert "\n" not in str(refused.value)


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "secret").write_text("s3cret")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "secret").symlink_to("..data/secret")
    assert read_regular(tmp_path / "secret", 6) == b"s3cret"


def test_the_bound_is_kept_for_a_file_that_grows(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b"1234567")
    with pytest.raises(OSError, match="more than 6 bytes"):
        read_regular(tmp_path / "it", 6)


def test_nothing_is_in_the_null_device() -> None:
    assert read_regular(os.devnull, 6) == b""


def test_a_tool_reads_from_a_pipe(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"route: {receiver: r}\nreceivers: [{name: r}]\n")
    os.close(writing)
    try:
        assert load_config(f"/dev/fd/{reading}").route
    finally:
        os.close(reading)
