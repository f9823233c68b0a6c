"""Log records: Alertmanager's formats, one line each, whatever a peer sends."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tocsin.node.log import MAX_VALUE, Logger, set_up

LOG = Logger("tocsin.test", component="cluster")


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("tocsin")
    before = list(root.handlers), root.level, ours.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


def begin(level: str = "debug", form: str = "logfmt") -> io.StringIO:
    stream = io.StringIO()
    set_up(level, form, stream)
    return stream


def test_logfmt() -> None:
    stream = begin()
    LOG.info("peer joined", peer="a", members=3, settled=True, empty="", spaced="b c")
    assert re.fullmatch(
        r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=INFO source=test_log\.py:\d+ msg=\"peer joined\""
        r' component=cluster peer=a members=3 settled=true empty="" spaced="b c"\n',
        stream.getvalue(),
    )


def test_json() -> None:
    stream = begin(form="json")
    LOG.bind(node="n").warn("slow", seconds=1.5, count=2, ratio=float("inf"), error=ValueError("x"))
    record = json.loads(stream.getvalue())
    assert record["level"] == "WARN"
    assert record["source"].startswith("test_log.py:")
    assert {
        key: record[key] for key in ("msg", "component", "node", "seconds", "count", "ratio", "error")
    } == {
        "msg": "slow",
        "component": "cluster",
        "node": "n",
        "seconds": 1.5,
        "count": 2,
        "ratio": "inf",
        "error": "x",
    }


@pytest.mark.parametrize(("level", "written"), [("debug", 4), ("info", 3), ("warn", 2), ("error", 1)])
def test_the_level(level: str, written: int) -> None:
    stream = begin(level)
    for write in (LOG.debug, LOG.info, LOG.warn, LOG.error):
        write("x")
    assert len(stream.getvalue().splitlines()) == written


def test_a_record_below_the_level_is_not_even_formatted() -> None:
    class Dear:
        def __str__(self) -> str:
            raise AssertionError("formatted")

    begin("info")
    LOG.debug("x", value=Dear())


@settings(max_examples=many(200))
@given(st.text(max_size=40), st.text(max_size=40), st.sampled_from(["logfmt", "json"]))
def test_no_text_ends_the_line_or_forges_a_key(message: str, value: str, form: str) -> None:
    stream = begin(form=form)
    LOG.error(message, peer=value)
    (line,) = re.findall(r".*\n", stream.getvalue())
    assert len(stream.getvalue().splitlines()) == 1
    if form == "json":
        assert json.loads(line)["peer"] == value
    else:
        keys = re.findall(r'(?:^| )([a-z]+)=(?:"(?:[^"\\]|\\.)*"|[^" ]*)', line)
        assert keys == ["time", "level", "source", "msg", "component", "peer"]


def test_a_long_value_is_cut() -> None:
    stream = begin()
    LOG.info("x", value="v" * (MAX_VALUE * 2))
    assert len(stream.getvalue()) < MAX_VALUE + 200


def test_a_value_that_cannot_be_shown_does_not_stop_the_record() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    stream = begin()
    LOG.info("x", value=Broken())
    assert 'value="<Broken: RuntimeError>"' in stream.getvalue()


def test_the_standard_librarys_loggers_and_tracebacks_stay_on_one_line() -> None:
    stream = begin()
    try:
        raise ValueError("a\nb")
    except ValueError:
        logging.getLogger("tocsin.gossip").exception("went %s", "wrong")
    (line,) = stream.getvalue().splitlines()
    assert 'msg="went wrong"' in line
    assert "Traceback" in line


def test_libraries_that_log_urls_are_not_heard() -> None:
    stream = begin("debug")
    logging.getLogger("httpx").info("HTTP Request: POST http://h/?token=hush")
    assert stream.getvalue() == ""
