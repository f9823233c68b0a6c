"""Explain beside a real Alertmanager: the stories of docs/explain.md, each with what must be in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.node import NodeKind
from tests.support.sink import WebhookSink
from tests.support.tocsin_node import TOCSIN
from tools.transcripts import FLAGS, STORIES, Play


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, ours: NodeKind) -> Iterator[Play]:
    if ours is not TOCSIN:
        pytest.skip("Alertmanager explains nothing")
    folder: Path = tmp_path_factory.mktemp("explain")
    with WebhookSink() as flaky, Cluster(folder, flags=FLAGS) as cluster:
        yield Play(cluster, flaky)


@pytest.mark.parametrize("story", list(STORIES.values()), ids=list(STORIES))
def test_the_story_is_told(stage: Play, story: Callable[[Play], str]) -> None:
    assert story(stage)
