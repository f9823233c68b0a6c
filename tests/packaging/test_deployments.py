"""Every flag in the examples of deployments is one that the node takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tocsin.node.config.arguments import parse_flags

EXAMPLES = Path(__file__).parents[2] / "examples"


def read(name: str) -> Any:
    return yaml.safe_load((EXAMPLES / name).read_text())


def of_operator() -> list[str]:
    extra = read("kubernetes/alertmanager.yaml")["spec"]["additionalArgs"]
    return [f"--{each['name']}={each['value']}" for each in extra]


def of_chart() -> list[str]:
    return [f"--{name}={value}" for name, value in read("kubernetes/values.yaml")["extraArgs"].items()]


def of_compose() -> list[str]:
    services = read("compose/compose.yml")["services"]
    commands = [service["command"] for service in services.values() if "command" in service]
    assert len(commands) == 3
    return list(commands[0])


@pytest.mark.parametrize("flags", [of_operator, of_chart, of_compose])
def test_flags_are_taken(flags: Any) -> None:
    parsed = parse_flags(flags(), version="")
    assert str(parsed.cluster_tls_config).endswith("tls.yml")


def test_containers_are_restricted() -> None:
    node = read("compose/compose.yml")["services"]["node1"]
    assert node["read_only"]
    assert node["cap_drop"] == ["ALL"]
    security = read("kubernetes/values.yaml")["securityContext"]
    assert security["readOnlyRootFilesystem"]
    assert security["runAsNonRoot"]
    containerfile = (EXAMPLES.parent / "packaging/container/Containerfile").read_text()
    assert "USER 65534:65534" in containerfile


def test_the_image_has_the_paths_of_alertmanagers() -> None:
    """What mounts files into Alertmanager's image finds them here too."""
    containerfile = (EXAMPLES.parent / "packaging/container/Containerfile").read_text()
    assert "VOLUME /alertmanager\n" in containerfile
    assert (
        'CMD ["--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"]'
        in containerfile
    )
