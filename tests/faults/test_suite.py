"""A few of the faults of :mod:`tests.faults.suite`, held for seconds; ``make faults`` runs them all."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.faults.suite.__main__ import NO_NAMESPACES

FAULTS = ("each-alone", "loss-one-way", "killed", "stopped-long", "disk-full", "clocks-apart")


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lost_and_everybody_notified(fault: str) -> None:
    command = [sys.executable, "-m", "tests.faults.suite", "--short", "--cluster=tocsin", "--seed=4"]
    done = subprocess.run([*command, f"--only={fault}"], capture_output=True, text=True, check=False)
    if done.returncode == NO_NAMESPACES:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
