"""Files with defaults of flags: amtool's, from all the paths where its packages search for them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from tocsin.errors import ConfigError

FILES: Final = (
    "~/.config/amtool/config.yml",
    "~/.config/prometheus/amtool.yml",
    "/etc/amtool/config.yml",
    "/etc/prometheus/amtool.yml",
)
"""The first file that has a flag is used for it. Debian's amtool has the second and the fourth, upstream's
the others."""

_OLD_NAMES: Final = {"comment_required": "require-comment"}


def load_defaults(files: Iterable[str] = FILES) -> Mapping[str, tuple[str, ...]]:
    """Values by the names of flags. :class:`~tocsin.errors.ConfigError` for a file that is not a map."""
    found: dict[str, tuple[str, ...]] = {}
    for file in files:
        path = Path(os.environ.get("HOME", "~") + file[1:] if file.startswith("~") else file)
        if not path.is_file():
            continue
        for name, values in _read(path).items():
            found.setdefault(name, values)
    return found


def _read(path: Path) -> dict[str, tuple[str, ...]]:
    from tocsin.config.yaml import Mapping as MappingNode
    from tocsin.config.yaml import Scalar, Sequence, decode, load, read_bytes

    tree = load(decode(read_bytes(path, pipes=True), str(path)), str(path))
    if tree is None:
        return {}
    if not isinstance(tree, MappingNode):
        raise ConfigError(f"{path}:1:1", "expected a map", "as in alertmanager.url: http://localhost:9093")
    found: dict[str, tuple[str, ...]] = {}
    values: tuple[str, ...]
    for name, (written, node) in tree.entries.items():
        if isinstance(node, Scalar):
            values = (node.text,)
        elif isinstance(node, Sequence) and all(isinstance(item, Scalar) for item in node.items):
            values = tuple(item.text for item in node.items if isinstance(item, Scalar))
        else:
            raise written.mark.error(f"{name}: expected a text", "all values are as on the command line")
        new = _OLD_NAMES.get(name, name)
        if new == name or new not in tree.entries:
            found[new] = values
    return found
