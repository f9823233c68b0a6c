"""Alertmanager's own acceptance tests: what each scenario asks for, and which test here asks for the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_SCENARIOS: Final = (
    ("AddAlerts", "values beyond ASCII in classic mode", "`test_parser_modes.py`"),
    (
        "AlertGetReturnsCurrentAlertStatus",
        "active, silenced, inhibited as soon as it is so",
        "`test_acceptance.py`: `test_the_api_says_…`",
    ),
    ("FilterAlertRequest", "all filters together", "the same; `test_api_interop.py`"),
    ("ClusterDeduplication", "one notification by three nodes", "`test_notifications.py`"),
    ("ClusterVSInstance", "a cluster sends what one node does", "`make stories`, `--nodes three`"),
    (
        "Inhibiting, AlwaysInhibiting, EmptyInhibitionRule",
        "sources that come and end, end together; an empty rule",
        "`test_acceptance.py`: `inhibit`, `together`, the stage's file",
    ),
    (
        "MergeAlerts, MergeAlertsWithEndsAt",
        "earliest start, newest annotations, latest end",
        "`merge`, `merge_of_ones_that_last`",
    ),
    ("Repeat", "repeated while it fires", "`merge_of_ones_that_last`; stories"),
    ("Retry", "one of two receivers fails for a while", "`retry`"),
    ("Batching", "what comes within the waits goes together", "`batches`"),
    ("Resolved", "ends by `resolve_timeout`", "`ended`"),
    ("ResolvedFilter", "`send_resolved: false` knows of ends", "`filtered`"),
    ("ColdStart", "`--dispatch.start-delay`, and a reload", "`test_the_start_delay_…`"),
    ("Reload", "no second notification after a reload", "`reload`"),
    ("WebhookTimeout", "`timeout` ends an attempt, the next is made", "`hung`"),
    (
        "AddSilence, Silencing, SilenceDelete",
        "made, mutes, is deleted",
        "`silence`; `test_silences.py`, `test_api_interop.py`",
    ),
    (
        "AddUTF8Alerts, CannotAddUTF8AlertsInClassicMode, the same of silences",
        "names in each mode",
        "`test_parser_modes.py`",
    ),
    ("SendAlertsToUTF8Route", "a route by such a name", "`utf8`"),
    ("WebWithPrefix", "all below `--web.route-prefix`", "`test_all_is_served_below_a_prefix`"),
    ("those of `test/cli`", "amtool's commands", "`test_amtool.py`, `test_amtool_equality.py`"),
)
"""Its names (of 0.34, in ``test/with_api_v2/acceptance``), what it asks for, our test."""


def acceptance() -> Iterator[str]:
    """The section of the page."""
    yield "\n## Alertmanager's own acceptance tests\n\n"
    yield "What each scenario in its `test/with_api_v2/acceptance` (0.34) asks for, and the test here\n"
    yield "that asks so. Those of `test_acceptance.py` run on a real one, too (`pytest -m slow`).\n\n"
    yield "| scenario | what it asks for | test here |\n| --- | --- | --- |\n"
    for row in _SCENARIOS:
        yield f"| {' | '.join(row)} |\n"
