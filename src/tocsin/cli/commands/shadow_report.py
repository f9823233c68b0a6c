"""``shadow report``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from tocsin.cli.asking import ask, say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import SWITCH, Command, Flag
from tocsin.client.formats import to_json
from tocsin.client.tables import rows

if TYPE_CHECKING:
    from tocsin.models.shadow import ShadowCounts, ShadowDifference, ShadowReport


def run(invocation: Invocation) -> int:
    """Print what the node has found. Exit status 1 if anything differs, or if nothing was compared."""
    from tocsin.client.tocsin import as_json, get
    from tocsin.models.shadow import ShadowReport

    query = [(name, invocation.text(name)) for name in ("receiver", "limit") if invocation.text(name)]
    found = get(ask(invocation), "/shadow", ShadowReport, query)
    if invocation.output == "json":
        say(to_json(as_json(found)))
    else:
        say(text(found))
    return status(found, allow_late=invocation.on("allow-late"))


def status(found: ShadowReport, *, allow_late: bool) -> int:
    """The exit status; not 0 before anything was compared, as a script may go on after 0."""
    counts = found.counts
    differs = counts.missing or counts.extra or (counts.late and not allow_late)
    return int(bool(differs) or not _compared(found))


def _compared(found: ShadowReport) -> bool:
    return bool(found.since and (found.counts.agreed or found.differs))


def text(found: ShadowReport) -> str:
    """The report for people, in lines."""
    return "".join(f"{line}\n" for line in _lines(found))


def _lines(found: ShadowReport) -> Iterator[str]:
    if not found.since:
        yield f"{found.node or 'this node'} is in shadow, and has not begun to compare: it settles"
        return
    yield f"{found.node or 'this node'} in shadow, compared from {_clock(found.since)} to {_clock(found.now)}"
    yield f"notifications agree if they are not further apart than group_interval and {found.allowance:g} s"
    yield ""
    if not found.receivers:
        yield "Nothing was notified, and nothing would have been."
    else:
        body = [(each.receiver, *_numbers(each.counts)) for each in found.receivers]
        table = rows(("Receiver", "Agreed", "Late", "Missing", "Extra"), body)
        yield from [line.rstrip() for line in table.splitlines()]
    if found.pending:
        yield f"{found.pending} wait for those of the other side"
    if found.not_compared:
        yield f"{found.not_compared} could not be compared: this node was alone, or past a bound"
    for each in found.differences:
        yield ""
        yield from _difference(each)
    left_out = found.counts.late + found.counts.missing + found.counts.extra - len(found.differences)
    if left_out > 0:
        yield ""
        yield f"and {left_out} older; --limit shows those that are kept"
    yield ""
    yield _verdict(found)


def _numbers(counts: ShadowCounts) -> tuple[str, ...]:
    return str(counts.agreed), str(counts.late), str(counts.missing), str(counts.extra)


def _difference(each: ShadowDifference) -> Iterator[str]:
    when = [
        f"this node {_clock(each.ours)}" if each.ours else "this node would not have notified",
        f"the others {_clock(each.theirs)}" if each.theirs else "the others did not notify",
    ]
    told = f"{each.firing} firing, {each.resolved} resolved"
    yield f"{each.result.upper()} {each.integration} ({told})"
    yield f"  group {each.group_key}"
    yield f"  {'; '.join(when)}"
    yield f"  {each.why}"
    for alert in each.alerts:
        yield f"    {alert}"
    if each.more:
        yield f"    and {each.more} more alerts"


def _verdict(found: ShadowReport) -> str:
    counts = found.counts
    if not _compared(found):
        return "Nothing was compared so far: this says nothing yet."
    if not found.differs:
        return f"No difference: {counts.agreed} agreed."
    parts = [f"{number} {what}" for what, number in (
        ("missing (the others did not send what this node would have)", counts.missing),
        ("extra (the others sent what this node would not have)", counts.extra),
        ("late", counts.late),
    ) if number]  # fmt: skip
    return f"They differ: {', '.join(parts)}; {counts.agreed} agreed."


def _clock(moment: str) -> str:
    return moment.partition(".")[0] + "Z"


COMMAND: Final = Command(
    run,
    flags=(
        Flag("receiver", "Only this receiver", value="NAME", short="r"),
        Flag("limit", "Differences that are printed, the newest", default="100", value="N"),
        Flag("allow-late", "What is late is no difference for the exit status", SWITCH),
    ),
    description="""\
For a node that runs with --dispatch.shadow: what it would have sent, compared with what the others have.

    shadow report
    shadow report --receiver=pager --allow-late -o json

The exit status is 1 if anything is missing, extra or late, or if nothing was compared so far. docs/shadow.md
says what that means, and what to do about it.""",
)
