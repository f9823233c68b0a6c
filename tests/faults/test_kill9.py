"""A few of the trials of :mod:`tests.faults.kill9`; ``make kill9`` runs a thousand."""

from __future__ import annotations

from pathlib import Path

from tests.faults.kill9 import trials

TRIALS = 15


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    with trials(tmp_path, seed=4) as running:
        for figures in running.run(10 * TRIALS):
            assert not figures.losses, "\n".join(figures.losses)
            seen = figures.silences_acknowledged > 10 * TRIALS and figures.entries_told > 0
            if figures.trials >= TRIALS and seen:
                break
        assert figures.silences_acknowledged > 10 * TRIALS
        assert figures.entries_told > 0
