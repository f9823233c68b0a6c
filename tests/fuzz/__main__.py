"""Coverage-guided fuzzing of every target, in a process of its own each; ``--jobs`` at the same time.

    python -m tests.fuzz --seconds 60                    all targets share the time
    python -m tests.fuzz --seconds 600 --target stream   one
    python -m tests.fuzz --seconds 900 --keep            new inputs that reach more go into corpus.jsonl
    python -m tests.fuzz --target stream --input FILE    one input, to see what it does

A find ends its target, is kept in ``--finds`` and makes the exit status 1. Without atheris (it has no build
for this Python) the reason is printed and the exit status is 0.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

KEPT = 12
"""Inputs of a target that ``--keep`` adds at most."""
MEMORY_MIB = 2048
_MEMORY = Path("/dev/shm")
"""Where files are synced at no cost, on Linux."""
SLOWEST = 25
"""Seconds that one input may take; the machine may be busy."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a target's run has shown."""

    name: str
    executions: int
    coverage: int
    features: int
    find: str
    """What was raised and where to see it; empty if nothing was."""


def fuzz_one(name: str, arguments: list[str], log: Path, find: Path) -> NoReturn:
    """In a process of its own."""
    atheris = import_module("atheris")
    from tests.fuzz.targets import TARGETS

    output = os.open(log, os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    tempfile.tempdir = str(log.parent)
    target = TARGETS[name]

    def once(data: bytes) -> None:
        try:
            target.function(data)
        except target.errors:
            pass
        except Exception:
            find.write_bytes(data)
            raise

    atheris.Setup([f"fuzz-{name}", *arguments], once)
    atheris.Fuzz()
    os._exit(0)


def fork(name: str, arguments: list[str], log: Path, find: Path) -> int:
    """Run :func:`fuzz_one`, and wait; the exit status. Instrumenting takes long and is done once, before."""
    child = os.fork()
    if not child:
        try:
            fuzz_one(name, arguments, log, find)
        finally:
            os._exit(70)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run(name: str, seconds: float, options: argparse.Namespace) -> Result:
    """Fuzz one target for so long."""
    from tests.fuzz import corpus
    from tests.fuzz.targets import TARGETS

    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        inputs = Path(folder) / "corpus"
        inputs.mkdir()
        seeds = corpus.seeds(name)
        for number, data in enumerate(seeds):
            (inputs / f"seed-{number:04d}").write_bytes(data)
        options.finds.mkdir(parents=True, exist_ok=True)
        log = Path(folder) / "log"
        arguments = [
            str(inputs),
            f"-max_total_time={max(1, round(seconds))}",
            f"-seed={options.seed}",
            f"-max_len={TARGETS[name].max_length}",
            f"-timeout={SLOWEST}",
            f"-rss_limit_mb={MEMORY_MIB}",
            f"-artifact_prefix={options.finds}/{name}-",
            "-print_final_stats=1",
        ]
        status = fork(name, arguments, log, options.finds.absolute() / f"{name}.input")
        text = log.read_text(errors="replace")
        find = ""
        if status:
            kept = options.finds / f"{name}.log"
            kept.write_text(text)
            find = f"status {status}: {_reason(text)} (see {kept})"
        elif options.keep:
            fresh = sorted(inputs.glob("[!s]*"), key=lambda file: (file.stat().st_size, file.name))
            corpus.keep(name, [file.read_bytes() for file in _spread(fresh, KEPT)])
        return Result(
            name,
            _last(r"stat::number_of_executed_units:\s+(\d+)", text) or _last(r"^#(\d+)", text),
            _last(r"cov: (\d+)", text),
            _last(r"ft: (\d+)", text),
            find,
        )


def _spread(files: list[Path], count: int) -> list[Path]:
    """Some of them, small and large."""
    small = [file for file in files if file.stat().st_size <= 1024]
    return small[:: max(1, len(small) // count)][:count]


def _last(pattern: str, text: str) -> int:
    found = re.findall(pattern, text, re.MULTILINE)
    return int(found[-1]) if found else 0


def _reason(text: str) -> str:
    found = re.findall(r"^(?:\w+\.)*\w+(?:Error|Exception)\b.*$|^==\d+== ERROR.*$", text, re.MULTILINE)
    return str(found[0])[:200] if found else "unknown"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="fuzz every parser")
    parser.add_argument("--seconds", type=float, default=60.0, help="of this machine's time, all in all")
    parser.add_argument("--target", action="append", default=[], help="only this one (repeatable)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at the same time")
    parser.add_argument("--seed", type=int, default=1, help="of the fuzzer's choices")
    parser.add_argument("--keep", action="store_true", help="add new inputs to corpus.jsonl")
    parser.add_argument("--finds", type=Path, default=Path(".fuzz"), help="folder for what was found")
    parser.add_argument("--input", type=Path, help="run this one file through the target, and nothing else")
    options = parser.parse_args()

    instrument = find_spec("atheris") is not None and options.input is None
    with import_module("atheris").instrument_imports(include=["tocsin"]) if instrument else nullcontext():
        from tests.fuzz import targets

    names = options.target or list(targets.TARGETS)
    if unknown := [name for name in names if name not in targets.TARGETS]:
        parser.error(f"no such target: {', '.join(unknown)}; there are {', '.join(targets.TARGETS)}")
    if options.input is not None:
        for name in names:
            targets.run(name, options.input.read_bytes())
        return 0
    if not instrument:
        print(f"fuzzing skipped: atheris is not installed for Python {sys.version.split()[0]}")
        return 0
    began = time.monotonic()
    each = options.seconds * options.jobs / len(names)
    with ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(lambda name: run(name, each, options), names))
    print(f"\n{'target':<18}{'executions':>12}{'coverage':>10}{'features':>10}  find")
    for one in results:
        print(f"{one.name:<18}{one.executions:>12,}{one.coverage:>10,}{one.features:>10,}  {one.find or '-'}")
    total = sum(one.executions for one in results)
    print(f"{total:,} executions in {time.monotonic() - began:.0f} s, seed {options.seed}")
    return 1 if any(one.find for one in results) else 0


if __name__ == "__main__":
    sys.exit(main())
