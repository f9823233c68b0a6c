"""The keyring file: serf's form, told clearly when it is none, replaced in one step, never shown."""

from __future__ import annotations

import base64
import json
import logging
import os
from pathlib import Path

import pytest

from tocsin.errors import ConfigError, StorageError
from tocsin.gossip.wire.keyring import MAX_KEYS, fingerprint
from tocsin.node.cluster.keyring.keyfile import make_keyring, read_keys, readable_by_others, write_keys
from tocsin.node.config.arguments import parse_flags

KEYS = [bytes(range(16)), bytes(range(32)), bytes(range(24))]


def text(*keys: bytes) -> str:
    return json.dumps([base64.b64encode(key).decode() for key in keys])


def test_what_is_written_is_read_again_and_only_the_owner_may(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    write_keys(path, KEYS)
    assert read_keys(path) == KEYS
    assert path.stat().st_mode & 0o777 == 0o600
    assert not readable_by_others(path)
    path.chmod(0o640)
    assert readable_by_others(path)
    write_keys(path, KEYS[:1])
    assert not readable_by_others(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_as_serf_writes_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "serf.json"
    path.write_text('[\n  "AAECAwQFBgcICQoLDA0ODw==",\n  "EBESExQVFhcYGRobHB0eHw=="\n]')
    assert read_keys(path) == [bytes(range(16)), bytes(range(16, 32))]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("{}", "is not a list"),
        ("[]", "is not a list"),
        ('"AAECAwQFBgcICQoLDA0ODw=="', "is not a list"),
        ("[1]", "key 1"),
        ('["AAECAwQFBgcICQoLDA0ODw==", "secret?"]', "key 2: is not base64"),
        ('["c2VjcmV0"]', "key 1: has 6 bytes"),
        (text(*(bytes([number]) * 16 for number in range(MAX_KEYS + 1))), "at most"),
        ("[" * 60_000, "is not JSON"),
        ("[" * 100_000, "more than 65536 bytes"),
    ],
)
def test_a_bad_file_is_one_clear_error_that_shows_none_of_it(
    tmp_path: Path, content: str, problem: str
) -> None:
    path = tmp_path / "keyring.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=problem) as caught:
        read_keys(path)
    assert str(path) in str(caught.value)
    for secret in ("secret", "c2VjcmV0", "AAECAwQFBgcICQoLDA0ODw"):
        assert secret not in str(caught.value)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tocsinctl keyring generate"):
        read_keys(tmp_path / "none.json")


def test_a_link_stays_and_what_it_names_is_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    write_keys(real, KEYS[:1])
    link.symlink_to(real)
    write_keys(link, KEYS)
    assert link.is_symlink()
    assert read_keys(real) == KEYS


def test_a_write_that_fails_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keyring.json"
    write_keys(path, KEYS[:1])

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write_keys(path, KEYS)
    assert read_keys(path) == KEYS[:1]
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_replaces_none(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    write_keys(path, KEYS[:1], new=True)
    with pytest.raises(StorageError, match="exists"):
        write_keys(path, KEYS, new=True)
    assert read_keys(path) == KEYS[:1]
    assert list(tmp_path.iterdir()) == [path]


def test_a_node_warns_of_a_file_that_others_may_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "keyring.json"
    write_keys(path, KEYS)
    flags = parse_flags(["--cluster.transport=udp", f"--cluster.keyring-file={path}"])
    with caplog.at_level(logging.WARNING):
        kept = make_keyring(flags)
        assert kept is not None
        assert kept.keyring.keys == KEYS
        assert kept.keyring.version == 1
        assert caplog.records == []
        path.chmod(0o644)
        make_keyring(flags)
    assert "chmod 600" in caplog.text
    assert not any(base64.b64encode(key).decode() in caplog.text for key in KEYS)


def test_a_roll_out_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "keyring.json"
    write_keys(path, KEYS)
    arguments = ["--cluster.transport=udp", f"--cluster.keyring-file={path}"]
    with caplog.at_level(logging.WARNING):
        kept = make_keyring(parse_flags([*arguments, "--no-cluster.keyring-verify-incoming"]))
    assert kept is not None
    assert (kept.keyring.verify_incoming, kept.keyring.verify_outgoing) == (False, True)
    assert "rolled out" in caplog.text
    assert fingerprint(KEYS[0]) not in caplog.text
