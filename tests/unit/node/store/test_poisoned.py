"""A journal full of costly patterns: a start reads none of them, the first look-up does."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.support.stores import HOUR, NOW, Disk, silence
from tocsin.alerting import regex
from tocsin.alerting.labels import Labels
from tocsin.alerting.silence import make_matcher_sets, validate
from tocsin.alerting.silence.validate import MAX_ANNOTATIONS

PATTERNS = {
    "large once compiled": [rf"{number}\pL{{20}}|hit" for number in range(8)],
    "many groups": ["(a?)" * 300 + f"{number}|hit" for number in range(8)],
    "groups with names": [f"(?P<name{number}>a+)|hit" for number in range(8)],
    "small, and many": [f"[a-z]+{number}-[0-9]+.*|hit" for number in range(200)],
    "not to be joined": [f"{number}.)|(?:hit" for number in range(8)],
    "that may be nothing": [f"(?:x{number}.*)?|hit" for number in range(8)],
}


def live(folder: Path, story: Callable[[Disk], Awaitable[None]] | None = None) -> Disk:
    async def run() -> Disk:
        disk = Disk(folder)
        await disk.open()
        if story is not None:
            await story(disk)
        await disk.store.close()
        return disk

    return asyncio.run(run())


@pytest.mark.parametrize("patterns", list(PATTERNS.values()), ids=list(PATTERNS))
def test_a_start_compiles_nothing(tmp_path: Path, patterns: list[str]) -> None:
    async def fill(disk: Disk) -> None:
        for pattern in patterns:
            sets = make_matcher_sets([[(1, "text", pattern), (3, "other", pattern), (0, "plain", "x")]])
            await disk.changes.set(replace(silence("x"), matcher_sets=sets))
        await disk.store.save("sil")

    held = live(tmp_path, fill).held()
    gc.collect()  # what somebody holds is read no more
    before = regex.engines_made(), regex.compiled_size()
    disk = live(tmp_path)
    assert (regex.engines_made(), regex.compiled_size()) == before
    assert disk.held() == held
    assert len(held) == len(patterns)
    labels = Labels({"text": "hit", "other": "miss", "plain": "x"})
    assert len(disk.silences.mutes(labels, NOW + HOUR // 2)) == len(patterns)
    assert regex.engines_made() > before[0]
    assert disk.silences.mutes(Labels({"text": "miss"}), NOW + HOUR // 2) == ()


def test_what_no_version_of_ours_has_kept_matches_nothing() -> None:
    with regex.trusting():
        broken = regex.compile("(")
    assert not broken.match("(")
    assert not broken.excludes("(")
    assert not broken.affords("(")


def test_what_is_past_a_bound_that_was_not_there_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fill(disk: Disk) -> None:
        annotations = {f"name{number}": "x" for number in range(MAX_ANNOTATIONS + 1)}
        await disk.changes.set(replace(silence("large"), annotations=annotations))
        await disk.changes.set(silence("usual"))
        await disk.store.save("sil")

    with monkeypatch.context() as earlier:
        earlier.setattr(validate, "MAX_ANNOTATIONS", 2 * MAX_ANNOTATIONS)
        assert len(live(tmp_path, fill).held()) == 2
    disk = live(tmp_path)
    assert len(disk.held()) == 1
    assert disk.store.statistics is not None
    assert disk.store.statistics.entries_refused == 1
    assert "past a bound" in caplog.text
