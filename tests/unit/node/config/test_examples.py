"""The examples are loaded as a person would load them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tocsin.errors import ConfigError
from tocsin.node.config import load_config
from tocsin.node.config.arguments import parse_flags
from tocsin.node.config.tls import load_cluster_tls
from tocsin.notify.integrations.registry import NAMES

EXAMPLES = Path(__file__).parents[4] / "examples"


def test_the_configuration() -> None:
    config = load_config(EXAMPLES / "alertmanager.yml")
    assert [receiver.name for receiver in config.receivers] == ["everything", "pager"]
    assert len(config.route.children) == 2


@pytest.mark.parametrize("path", sorted((EXAMPLES / "receivers").glob("*.yml")), ids=lambda path: path.stem)
def test_a_receiver(path: Path) -> None:
    [receiver] = load_config(path).receivers
    [integration] = receiver.integrations
    assert path.stem.partition("-")[0] == integration.kind


def test_every_kind_of_receiver_has_one() -> None:
    kinds = {path.stem.partition("-")[0] for path in (EXAMPLES / "receivers").glob("*.yml")}
    assert kinds == set(NAMES)


def test_the_tls_file_needs_only_its_certificates() -> None:
    with pytest.raises(ConfigError, match=r"tls\.yml:4:14: .*cert\.pem cannot be read"):
        load_cluster_tls(EXAMPLES / "tls.yml")


def test_the_recipes_command_line() -> None:
    (command,) = re.findall(r"^tocsin --config.*?(?=^```)", (EXAMPLES / "README.md").read_text(), re.S | re.M)
    flags = parse_flags(shlex.split(command.replace("\\\n", ""))[1:])
    assert len(flags.cluster_peer) == 2
