"""The two distributions: what is in each, and that each works where nothing else is installed."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from tests.unit.test_architecture import imports, within
from tocsin import __version__
from tools import dist

ROOT = Path(__file__).parents[2]
README = ROOT / "packaging/README-gossip.md"
LIBRARY, NODE = dist.distributions()


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=\[]", line)[0] for line in requirements}


def files(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in found if "__pycache__" not in path.parts}


def test_the_library_needs_msgpack_and_cryptography_and_nothing_else() -> None:
    assert names(LIBRARY.project["dependencies"]) == {"msgpack", "cryptography"}


def test_the_node_needs_the_library_of_the_same_version() -> None:
    assert f"tocsin-gossip=={__version__}" in NODE.project["dependencies"]
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    both = names(NODE.project["dependencies"]) | names(LIBRARY.project["dependencies"])
    assert both == names(wanted) | {"tocsin-gossip"}


def test_no_file_is_in_both_and_none_is_missing(tmp_path: Path) -> None:
    library = files(dist.lay_out(LIBRARY, tmp_path / "library") / "src")
    node = files(dist.lay_out(NODE, tmp_path / "node") / "src")
    assert not library & node
    assert library | node == files(ROOT / "src")


def test_the_library_imports_nothing_that_is_not_in_it() -> None:
    own = {f"tocsin.{name.removesuffix('.py')}" for name in dist.LIBRARY}
    wrong = [
        str(each)
        for each in imports()
        if any(within(each.importer, module) for module in own)
        and within(each.module, "tocsin")
        and each.module != "tocsin"
        and not any(within(each.module, module) for module in own)
    ]
    assert not wrong


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of both."""
    out = tmp_path_factory.mktemp("dist")
    dist.build(out)
    return out


@pytest.mark.slow
def test_the_same_tree_gives_the_same_bytes(built: Path, tmp_path: Path) -> None:
    dist.build(tmp_path)
    assert len(digests(tmp_path)) == 4
    assert digests(tmp_path) == digests(built)


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.mark.slow
def test_a_wheel_and_an_sdist_hold_the_same_modules(built: Path) -> None:
    for each in (LIBRARY, NODE):
        with tarfile.open(built / f"{each.stem}.tar.gz") as archive:
            source = {member.name.partition("/src/")[2] for member in archive.getmembers()} - {""}
        with zipfile.ZipFile(built / f"{each.stem}-py3-none-any.whl") as packed:
            assert {name for name in packed.namelist() if ".dist-info/" not in name} == source


def environment(folder: Path, requirement: str, *, found: Path) -> Path:
    """A fresh environment with ``requirement``; its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin/python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", "--find-links", str(found), requirement], check=True, timeout=600)
    return python


def run(python: Path, program: str) -> str:
    done = subprocess.run(
        [str(python), "-I", "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def example() -> str:
    """The program in the README of the library."""
    found = re.search(r"```python\n(.*?)```", README.read_text(), re.S)
    assert found
    return found[1]


def test_the_example_in_the_readme_of_the_library_works() -> None:
    assert run(Path(sys.executable), example()) == "['alice', 'bob']\n"


@pytest.mark.slow
def test_the_library_alone_runs_its_example(built: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "env", f"tocsin-gossip=={__version__}", found=built)
    listed = "from importlib.metadata import distributions as d; print(*(one.name.lower() for one in d()))"
    of_these = {"cffi", "pycparser", "typing-extensions"}  # cryptography's own
    assert set(run(python, listed).replace("_", "-").split()) - of_these == {
        "tocsin-gossip",
        "msgpack",
        "cryptography",
    }
    assert run(python, example()) == "['alice', 'bob']\n"


@pytest.mark.slow
def test_the_node_alone_brings_the_library_and_checks_a_configuration(built: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "env", f"tocsin=={__version__}", found=built)
    assert run(python, example()) == "['alice', 'bob']\n"
    command = [str(python.parent / "tocsin-amtool"), "check-config", str(ROOT / "examples/alertmanager.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "SUCCESS" in done.stdout, done.stderr
