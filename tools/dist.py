"""``python -m tools.dist`` builds both distributions into ``dist``: ``tocsin-gossip`` and ``tocsin``.

Both are made of ``src/tocsin``, each of its own modules, so that they install beside each other. For each a
tree with a pyproject.toml of its own is laid out. The sdist is made of that, and the wheel of the sdist. The
same commit gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tocsin import __version__

ROOT: Final = Path(__file__).resolve().parents[1]
LIBRARY: Final = (
    "__init__.py",
    "aio",
    "bounded",
    "dataclass.py",
    "errors.py",
    "files.py",
    "gossip",
    "machine.py",
    "py.typed",
    "sources.py",
    "text.py",
    "tls",
)
"""Of ``src/tocsin``, what ``tocsin.gossip`` imports: the library. All else is the node's."""
LIBRARY_NEEDS: Final = ("msgpack", "cryptography")
LIBRARY_EXTRAS: Final = {"dns": ("dnspython",), "dtls": ("pyOpenSSL",)}
LIBRARY_NAME: Final = "tocsin-gossip"
EPOCH: Final = "1577836800"
"""What files in an archive are dated, unless ``SOURCE_DATE_EPOCH`` says otherwise: 2020-01-01."""


@dataclass(frozen=True)
class Distribution:
    """What becomes one sdist and one wheel. ``project`` is the table of that name in its pyproject.toml."""

    project: Mapping[str, Any]
    readme: Path
    modules: Sequence[str]

    @property
    def stem(self) -> str:
        """What its files' names begin with."""
        return f"{str(self.project['name']).replace('-', '_')}-{__version__}"


def distributions() -> tuple[Distribution, Distribution]:
    """The library and the node, as the tree's pyproject.toml says."""
    of_tree = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    common = {key: of_tree[key] for key in ("requires-python", "license", "license-files", "classifiers")}
    common |= {"version": __version__, "readme": "README.md"}
    wanted = {_name(line): line for line in of_tree["dependencies"]}
    extras = of_tree["optional-dependencies"]
    wanted |= {_name(line): line for line in extras["dtls"]}
    library = common | {
        "name": LIBRARY_NAME,
        "description": "hashicorp/memberlist's gossip protocol for asyncio, wire-compatible.",
        "keywords": ["asyncio", "gossip", "memberlist", "membership", "serf", "swim"],
        "dependencies": [wanted[name] for name in LIBRARY_NEEDS],
        "optional-dependencies": {
            extra: [wanted[name] for name in names] for extra, names in LIBRARY_EXTRAS.items()
        },
    }
    node = common | {
        "name": of_tree["name"],
        "description": of_tree["description"],
        "keywords": of_tree["keywords"],
        "dependencies": [
            f"{LIBRARY_NAME}=={__version__}",
            *(line for name, line in wanted.items() if name not in {*LIBRARY_NEEDS, "pyOpenSSL"}),
        ],
        "optional-dependencies": {
            "dtls": [f"{LIBRARY_NAME}[dtls]=={__version__}"],
            "tracing": extras["tracing"],
        },
        "scripts": of_tree["scripts"],
    }
    rest = sorted(path.name for path in (ROOT / "src/tocsin").iterdir() if path.name not in LIBRARY)
    return (
        Distribution(library, ROOT / "packaging/README-gossip.md", LIBRARY),
        Distribution(node, ROOT / "README.md", [name for name in rest if name != "__pycache__"]),
    )


def lay_out(distribution: Distribution, tree: Path) -> Path:
    """Write the tree that the sdist is made of into the new folder ``tree``."""
    package = tree / "src/tocsin"
    package.mkdir(parents=True)
    for name in distribution.modules:
        source = ROOT / "src/tocsin" / name
        if source.is_dir():
            shutil.copytree(source, package / name, ignore=shutil.ignore_patterns("__pycache__", "*.py[co]"))
        else:
            shutil.copy(source, package / name)
    shutil.copy(distribution.readme, tree / "README.md")
    for name in ("LICENSE", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tree)
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]
    (tree / "pyproject.toml").write_text(
        _table("build-system", build)
        + _table("project", distribution.project)
        + _table("tool.hatch.build.targets.wheel", {"packages": ["src/tocsin"]})
    )
    return tree


def build(out: Path) -> list[Path]:
    """Build both into ``out``; the files that are there then."""
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for distribution in distributions():
        with tempfile.TemporaryDirectory(prefix="dist-") as scratch:
            _hatchling(lay_out(distribution, Path(scratch, "tree")), "sdist", out)
            sdist = out / f"{distribution.stem}.tar.gz"
            with tarfile.open(sdist) as archive:
                archive.extractall(scratch, filter="data")
            _hatchling(Path(scratch, distribution.stem), "wheel", out)
        made += [sdist, out / f"{distribution.stem}-py3-none-any.whl"]
    return made


def _hatchling(tree: Path, target: str, out: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out.resolve())],
        cwd=tree,
        check=True,
        stdout=subprocess.DEVNULL,
        env={"SOURCE_DATE_EPOCH": EPOCH} | os.environ,
    )


def _name(requirement: str) -> str:
    return requirement.partition(">")[0].partition("[")[0]


def _table(name: str, values: Mapping[str, Any]) -> str:
    """One table of TOML, and its tables after it. Strings and lists of them are written as in JSON."""
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    tables = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in plain.items()]
    head = [f"[{name}]\n"] if lines else []
    return "".join(
        [*head, *lines, "\n" if lines else "", *(_table(f"{name}.{k}", v) for k, v in tables.items())]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="build the distributions")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    for path in build(parser.parse_args().out):
        print(path)
