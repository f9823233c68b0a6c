"""Who plays against whom. Each needs the real programs: see ``tests/support/alertmanager.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.stories.play import Setting
from tests.support.alertmanager import alertmanager
from tests.support.tocsin_node import TOCSIN


def _one() -> Setting:
    return Setting("one", (TOCSIN,), (alertmanager("0.33"),))


def _three() -> Setting:
    return Setting("three", (TOCSIN,) * 3, (alertmanager("0.33"),) * 3)


def _mixed() -> Setting:
    theirs = alertmanager("0.33")
    return Setting("mixed", (TOCSIN, theirs, TOCSIN), (theirs,) * 3)


def _sane() -> Setting:
    """Alertmanager against itself: what differs here is no difference."""
    theirs = alertmanager("0.33")
    return Setting("sane", (theirs,), (theirs,))


def _sane_three() -> Setting:
    """Three Alertmanagers against three: in how many stories chance makes them differ from themselves."""
    theirs = alertmanager("0.33")
    return Setting("sane-three", (theirs,) * 3, (theirs,) * 3)


SETTINGS: Final[dict[str, Callable[[], Setting]]] = {
    "one": _one,
    "three": _three,
    "mixed": _mixed,
    "sane": _sane,
    "sane-three": _sane_three,
}
