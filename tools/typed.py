"""``python -m tools.typed``: what the type checkers of the library's users see. ``make typed`` runs it.

pyright counts the public symbols whose type is known without guessing, and checks the examples, strictly; so
does mypy. The library is looked at as it is installed, without the node.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import venv
from pathlib import Path
from typing import Any, Final

import tocsin.gossip
from tools.dist import ROOT, distributions, lay_out

EXAMPLES: Final = ROOT / "examples/gossip"


def completeness() -> float:
    """The share of public symbols of known type, 0 to 1; what is wrong goes to standard output."""
    with tempfile.TemporaryDirectory(prefix="typed-") as scratch:
        environment = Path(scratch, "env")
        venv.create(environment, with_pip=False, symlinks=True)
        (site,) = environment.glob("lib/python3*/site-packages")
        tree = lay_out(distributions()[0], Path(scratch, "tree"))
        (tree / "src/tocsin").rename(site / "tocsin")
        report = _pyright(environment, "--ignoreexternal", "--verifytypes", "tocsin.gossip")[
            "typeCompleteness"
        ]
        for symbol in report["symbols"]:
            for problem in symbol["diagnostics"] if symbol["isExported"] else []:
                print(symbol["name"], problem["message"].replace("\n", " "))
        counts = report["exportedSymbolCounts"]
        return float(counts["withKnownType"] / sum(counts.values()))


def problems() -> list[str]:
    """What strict checkers say of the examples: the programs, and those in the README and the docstring."""
    with tempfile.TemporaryDirectory(prefix="typed-") as scratch:
        _write_examples(Path(scratch))
        return _problems(Path(scratch))


def _write_examples(folder: Path) -> None:
    for path in EXAMPLES.glob("*.py"):
        (folder / path.name).write_text(path.read_text())
    (readme,) = re.findall(r"```python\n(.*?)```", (ROOT / "packaging/README-gossip.md").read_text(), re.S)
    (folder / "of_readme.py").write_text(readme)
    (docstring,) = re.findall(r"(    import asyncio\n.*?main\(\)\)\n)", str(tocsin.gossip.__doc__), re.S)
    (folder / "of_docstring.py").write_text(textwrap.dedent(docstring))
    settings = {"include": ["."], "typeCheckingMode": "strict", "pythonVersion": "3.11"}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))


def _problems(folder: Path) -> list[str]:
    found = _pyright(Path(sys.prefix), "--project", str(folder))["generalDiagnostics"]
    wrong = [f"{each['file']}:{each['range']['start']['line'] + 1}: {each['message']}" for each in found]
    mypy = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return wrong + ([mypy.stdout] if mypy.returncode else [])


def _pyright(environment: Path, *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=environment,
        env=os.environ | {"VIRTUAL_ENV": str(environment), "PATH": f"{environment}/bin:{os.environ['PATH']}"},
    )
    return json.loads(done.stdout)


if __name__ == "__main__":
    share, wrong = completeness(), problems()
    print(*wrong, sep="\n")
    print(f"types known: {share:.2%}; problems in examples: {len(wrong)}")
    sys.exit(bool(wrong) or share < 1)
