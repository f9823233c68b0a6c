"""The library stands alone: its public names import without any of the node's dependencies."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import subprocess
import sys
import textwrap
import typing
from pathlib import Path

import pytest

import tocsin.gossip
from tests.support.certificates import CertificateAuthority


def test_every_public_name_exists() -> None:
    for name in tocsin.gossip.__all__:
        assert hasattr(tocsin.gossip, name)
    assert list(tocsin.gossip.__all__) == sorted(tocsin.gossip.__all__)


def test_importing_it_imports_none_of_the_nodes_dependencies() -> None:
    program = textwrap.dedent("""
        import sys
        import tocsin.gossip
        print(sorted({name.split(".")[0] for name in sys.modules}))
    """)
    source = Path(tocsin.gossip.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        text=True,
        env={"PYTHONPATH": str(source)},
    )
    loaded = set(ast.literal_eval(done.stdout))
    assert not loaded & {
        "google",
        "re2",
        "yaml",
        "msgspec",
        "starlette",
        "uvicorn",
        "httpx",
        "prometheus_client",
    }


def test_the_example_in_the_docstring_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    authority = CertificateAuthority()
    authority.issue().write(tmp_path, "node")
    (tmp_path / "node.crt").rename(tmp_path / "cert.pem")
    (tmp_path / "node.key").rename(tmp_path / "key.pem")
    (tmp_path / "ca.pem").write_bytes(authority.certificate)
    monkeypatch.chdir(tmp_path)
    found = re.search(
        r"::\n\n(    import asyncio\n.*?asyncio\.run\(main\(\)\)\n)", str(tocsin.gossip.__doc__), re.S
    )
    assert found
    example = textwrap.dedent(found[1]).replace(
        "asyncio.run(main())", "asyncio.run(asyncio.wait_for(main(), 30))"
    )
    exec(compile(example, "example", "exec"), {"asyncio": asyncio})
    assert capsys.readouterr().out == "['alice', 'bob']\nbob heard b'good morning'\n"


def test_everything_that_a_public_signature_names_is_public() -> None:
    """An exhaustive ``match`` over the events, and a typed callback, need no private module."""
    public = set(tocsin.gossip.__all__)
    events = {each.__name__ for each in typing.get_args(tocsin.gossip.Event)}
    assert events <= public
    missing = set()
    for owner in (tocsin.gossip.Gossip, tocsin.gossip.Transport, tocsin.gossip.Stream):
        for name, method in inspect.getmembers(owner, inspect.isfunction):
            if name.startswith("_") and name != "__init__":
                continue
            for annotation in method.__annotations__.values():
                named = set(re.findall(r"\b[A-Z]\w+", str(annotation)))
                missing |= {one for one in named - public if one not in COMMON}
    assert not missing


COMMON = {
    *("Callable", "Collection", "Iterable", "Iterator", "Mapping", "None", "Random", "Self", "TracebackType"),
    *("BaseException", "Certificates", "Outcome", "Scheduler"),
}
"""Of the standard library, a type variable, and what only somebody who writes a transport needs."""


def test_the_packages_own_documentation_is_a_page_that_one_can_read() -> None:
    assert 20 < len(str(tocsin.gossip.__doc__).splitlines()) < 80
