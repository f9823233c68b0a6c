"""The snapshot files: Go's format, whole or not at all."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from random import Random

import pytest

from tests.support.vectors import vectors
from tocsin.alerting.matcher import Matcher, MatchType
from tocsin.alerting.silence import Silence, Silences
from tocsin.alerting.timestamp import SECOND
from tocsin.errors import ClosedError, ConfigError
from tocsin.node.store import Store

NOW = 1_800_000_000 * SECOND
HOUR = 3600 * SECOND


def silences() -> Silences:
    return Silences(120 * HOUR, random=Random(1))


def add(state: Silences, value: str) -> str:
    wanted = Silence("", ((Matcher(MatchType.EQUAL, "alertname", value),),), NOW, NOW + HOUR)
    return state.set(wanted, NOW)[0]


def test_silences_survive_a_stop_and_a_start(tmp_path: Path) -> None:
    async def story() -> None:
        first = silences()
        ids = {add(first, "A"), add(first, "B")}
        store = Store(tmp_path / "made" / "on demand")
        size = await store.save("silences", first)
        await store.close()
        assert size == (tmp_path / "made" / "on demand" / "silences").stat().st_size

        second = silences()
        store = Store(tmp_path / "made" / "on demand")
        result = await store.load("silences", second, NOW)
        await store.close()
        assert result.taken == 2
        assert {silence.id for silence in second.query(NOW)} == ids

    asyncio.run(story())


def test_without_a_file_there_is_nothing_to_load(tmp_path: Path) -> None:
    async def story() -> None:
        store = Store(tmp_path)
        assert (await store.load("silences", silences(), NOW)).taken == 0
        await store.close()

    asyncio.run(story())


def test_an_empty_state_is_an_empty_file(tmp_path: Path) -> None:
    async def story() -> None:
        store = Store(tmp_path)
        assert await store.save("silences", silences()) == 0
        await store.close()
        assert (tmp_path / "silences").read_bytes() == b""
        assert os.listdir(tmp_path) == ["silences"]  # noqa: PTH208 - nothing temporary is left

    asyncio.run(story())


def test_a_damaged_file_stops_the_start_and_is_left_as_it_is(tmp_path: Path) -> None:
    async def story() -> None:
        (tmp_path / "silences").write_bytes(b"\xff\xff\xff")
        store = Store(tmp_path)
        with pytest.raises(ConfigError, match=r"silences: is damaged: .*move it away") as caught:
            await store.load("silences", silences(), NOW)
        await store.close()
        assert caught.value.place == str(tmp_path / "silences")
        assert (tmp_path / "silences").read_bytes() == b"\xff\xff\xff"

    asyncio.run(story())


def test_a_folder_in_place_of_the_file_is_one_clear_error(tmp_path: Path) -> None:
    async def story() -> None:
        (tmp_path / "nflog").mkdir()
        store = Store(tmp_path)
        with pytest.raises(ConfigError, match="nflog: cannot be read: Is a directory"):
            await store.load("nflog", silences(), NOW)
        with pytest.raises(ConfigError, match="nflog: cannot be written"):
            await store.save("nflog", silences())
        await store.close()
        assert os.listdir(tmp_path) == ["nflog"]  # noqa: PTH208

    asyncio.run(story())


def test_a_path_that_cannot_be_used_names_the_flag(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match=r"--storage.path: .* cannot be written to: Not a directory"):
        Store(tmp_path / "file" / "data")


def test_a_save_replaces_the_file_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        state = silences()
        add(state, "A")
        store = Store(tmp_path)
        await store.save("silences", state)
        with (tmp_path / "silences").open("rb") as old:
            before = old.read()
            add(state, "B")
            await store.save("silences", state)
            old.seek(0)
            assert old.read() == before  # a reader of the old file keeps the old file
        assert len((tmp_path / "silences").read_bytes()) > len(before)
        await store.close()

    asyncio.run(story())


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    async def story() -> None:
        store = Store(tmp_path)
        await store.close()
        await store.close()
        with pytest.raises(ClosedError):
            await store.save("silences", silences())
        with pytest.raises(ClosedError):
            await store.record("sil", [b"x"])

    asyncio.run(story())


@pytest.mark.parametrize("name", ["disk-025/silences", "disk-028/silences", "disk-033/silences"])
def test_snapshots_of_the_real_alertmanager_load(tmp_path: Path, name: str) -> None:
    [data] = [vector.data for vector in vectors() if vector.case == name]

    async def story() -> None:
        (tmp_path / "silences").write_bytes(data)
        state = silences()
        store = Store(tmp_path)
        result = await store.load("silences", state, NOW)
        await store.close()
        assert result.taken == len(state) > 0
        assert result.refused_count == 0

    asyncio.run(story())
