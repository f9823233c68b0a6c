"""``make hostile-receivers``: attack a node's receivers in every known way, and tell what it costs.

    python -m tests.faults.hostile_receivers --only mail --write docs/bad-receivers.md

Ends with 0 if every attack costs its own attempt only, and is told as it should be.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from tests.faults.hostile_receivers.attacks import ATTACKS, Attack
from tests.faults.hostile_receivers.check import problems
from tests.faults.hostile_receivers.play import OTHERS, Result, play_all

HEAD = """# Receivers that behave badly

Each row is an attempt at a server that behaves so, while five notifications go to another.
`make hostile-receivers` plays them and writes this page; `tests/faults/test_hostile_receivers.py` plays them
in every test run. An attempt that only time can end had ten seconds here; a node gives `group_interval`, at
least ten. All of them let the five through, and left no connection open.

| server | how the attempt ends | tried again | counted |
| --- | --- | --- | --- |
"""
FOOT = """
Counted is `tocsin_receivers_bounds_reached_total` by `reason`, and what is cut
`tocsin_receivers_truncated_total`, which the log tells too. Bounds: 64 KiB, {pieces} pieces and {seconds:g} s
of an answer, 256 KiB before it, 10 redirects, 64 requests of an integration at a time, 16 mails, 32 KiB of a
reply to a mail.
"""


def main() -> int:
    """Play, check, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="PART", help="of an attack's name")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the table, as a page")
    arguments = parser.parse_args()
    rows, bad, longest = [], 0, 0.0
    attacks = [attack for attack in ATTACKS if arguments.only in attack.name]
    results = asyncio.run(play_all(attacks))
    for attack in attacks:
        result = results[attack.name]
        found = problems(attack, result)
        bad += bool(found)
        longest = max(longest, result.lag)
        rows.append(row(attack, result))
        took = f"{result.seconds:.1f} s, lag {result.lag * 1e3:.0f} ms"
        print(f"{attack.name}: {'; '.join(found) or 'well'} ({took})")
    good = f"{len(rows) - bad} of {len(rows)} as they should be"
    print(f"{good}, {OTHERS} others each, longest lag {longest * 1e3:.0f} ms")
    if arguments.write:
        from tocsin.notify.integrations.http import MAX_ANSWER_SECONDS, MAX_PIECES

        arguments.write.write_text(
            HEAD + "\n".join(rows) + "\n" + FOOT.format(pieces=f"{MAX_PIECES:,}", seconds=MAX_ANSWER_SECONDS)
        )
    return 1 if bad else 0


def row(attack: Attack, result: Result) -> str:
    """Of the table."""
    outcome = result.outcome
    error = outcome.error.replace("|", "\\|").replace("\n", " ")
    at = error.find("127.0.0.1:")
    while at >= 0:
        port = error[at + 10 :]
        error = error[:at] + "HOST" + port[len(port) - len(port.lstrip("0123456789")) :]
        at = error.find("127.0.0.1:")
    told = "through" if outcome.success else f"`{error[:120]}`"
    again = "" if outcome.success else "yes" if outcome.retry else "no"
    return f"| {attack.name} | {told} | {again} | {', '.join(sorted(result.counted))} |"


if __name__ == "__main__":
    sys.exit(main())
