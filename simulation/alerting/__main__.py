"""``python -m simulation.alerting --seed N``: run, or replay, stories of an alerting cluster."""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from simulation.alerting.lone import play_lone, tell_lone
from simulation.alerting.several import SEVERAL, play_several
from simulation.alerting.story import KINDS, play, tell

LONE = "lone"


def main() -> int:
    """Exit status 0 when the stories ended well, 1 when an invariant broke."""
    parser = argparse.ArgumentParser(prog="python -m simulation.alerting", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stories", type=int, default=1, help="how many, from the seed on")
    parser.add_argument("--kind", choices=(*KINDS, LONE, SEVERAL), default="", help="default: by the seed")
    parser.add_argument("--without-intents", action="store_true", help="nodes share only their logs")
    arguments = parser.parse_args()
    if arguments.kind in (LONE, SEVERAL):
        return _again(arguments.kind, range(arguments.seed, arguments.seed + arguments.stories))
    totals: dict[str, Counter[str]] = {}
    for seed in range(arguments.seed, arguments.seed + arguments.stories):
        outcome = play(tell(seed, arguments.kind), with_intents=not arguments.without_intents)
        total = totals.setdefault(outcome.story.kind, Counter())
        total.update(
            stories=1,
            attempts=outcome.attempts,
            accepted=outcome.accepted,
            duplicates=len(outcome.duplicates),
            excused=outcome.excused,
            missed=len(outcome.missed),
            wrong=len(outcome.wrong),
        )
        for wrong in [*outcome.missed, *outcome.duplicates, *outcome.wrong]:
            print(f"{outcome.story.replay}: {wrong}", file=sys.stderr)
    for kind, total in sorted(totals.items()):
        print(f"{kind:12}", ", ".join(f"{name} {count}" for name, count in total.items()))
    return int(any(total["duplicates"] or total["missed"] or total["wrong"] for total in totals.values()))


def _again(kind: str, seeds: range) -> int:
    """One node, or several, with alerts that come back, judged by an oracle."""
    wrong = 0
    for seed in seeds:
        complaints = (play_lone if kind == LONE else play_several)(tell_lone(seed))
        wrong += bool(complaints)
        for complaint in complaints:
            print(complaint, file=sys.stderr)
    print(f"{kind:12} stories {len(seeds)}, wrong {wrong}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
