"""What an attack must not do."""

from __future__ import annotations

from tests.faults.hostile_receivers.attacks import Attack
from tests.faults.hostile_receivers.play import OTHERS, Result


def problems(attack: Attack, result: Result) -> list[str]:
    """For people; empty if it cost its own attempt only, and was told."""
    found = []
    outcome = result.outcome
    if result.others != OTHERS:
        found.append(f"{result.others} of {OTHERS} others got through")
    if result.left:
        found.append(f"{result.left} connections are left")
    if outcome.success == bool(attack.error):
        found.append(f"it ended with {outcome.error or 'success'}")
    elif attack.error:
        if attack.error not in outcome.error:
            found.append(f"the error is {outcome.error!r}")
        if outcome.retry != attack.retry:
            found.append(f"it is {'' if outcome.retry else 'not '}tried again: {outcome.error}")
        if "hush" in outcome.error:
            found.append("the error tells a secret")
    if attack.bound and not result.counted.get(attack.bound):
        found.append(f"{attack.bound} is not counted: {result.counted}")
    if not attack.bound and result.counted:
        found.append(f"{result.counted} are counted")
    return found
