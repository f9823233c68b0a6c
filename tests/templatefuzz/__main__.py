"""``python -m tests.templatefuzz --count 20000 --seed 1 AMTOOL`` shows what differs.

Every case is made from the seed and its number, so that ``--first N --count 1`` makes it again. ``--keep``
adds what differs to cases.jsonl, which every test run compares.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from tests.templatefuzz.compare import Case, Outcome, by_amtool, here, templates
from tests.templatefuzz.generate import Generator

FOUND = Path(__file__).with_name("cases.jsonl")


def make(seed: int, number: int) -> Case:
    """The case of that number."""
    random = Random(f"{seed}/{number}")
    generator = Generator(random)
    kind = random.choice(("text", "text", "html"))
    return Case(kind, generator.template(kind), generator.data())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("amtool", type=Path)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="add what differs to cases.jsonl")
    arguments = parser.parse_args()
    os.environ["TZ"] = "UTC"
    time.tzset()
    loaded = templates()
    counts: Counter[str] = Counter()
    differ = 0
    with ThreadPoolExecutor(arguments.jobs) as pool:
        last = arguments.first + arguments.count
        for start in range(arguments.first, last, 500):
            cases = [make(arguments.seed, number) for number in range(start, min(start + 500, last))]
            real = pool.map(lambda case: by_amtool(arguments.amtool, case), cases)
            for number, (case, theirs) in enumerate(zip(cases, real, strict=True), start):
                ours = here(loaded, case)
                counts[theirs.error or "rendered"] += 1
                if ours.error == "bound":
                    counts["past a bound here"] += 1
                elif ours != theirs:
                    differ += 1
                    tell(number, case, ours, theirs)
                    if arguments.keep:
                        with FOUND.open("a") as file:
                            file.write(case.told() + "\n")
            print(f"{start + len(cases)} ...", file=sys.stderr, flush=True)
    total = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    print(f"{arguments.count} cases of seed {arguments.seed}: {differ} differ ({total})")
    return 1 if differ else 0


def tell(number: int, case: Case, ours: Outcome, theirs: Outcome) -> None:
    """Show a difference."""
    print(f"-- {number}, {case.kind}: {case.text!r}")
    print(f"   amtool: {theirs.error} {theirs.told or theirs.output!r}")
    print(f"   here:   {ours.error} {ours.told or ours.output!r}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
