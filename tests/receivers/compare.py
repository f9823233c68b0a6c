"""What differs between a capture and what a daemon did."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from typing import Any

from tests.receivers.captures import Capture

AGENTS = ("Alertmanager/", "Go-http-client", "aws-sdk-go")
"""A User-Agent that begins so says which program it is, and counts for nothing else."""
ENDS = ("QUIT", "RSET", "NOOP", "*")
"""Said in SMTP or not: it changes nothing."""


@dataclass(frozen=True)
class Result:
    """One step: what came, and how the metrics rose."""

    requests: list[dict[str, Any]]
    metrics: dict[str, Any]


def differences(capture: Capture, results: list[Result]) -> list[str]:
    """For people; empty if all is equal."""
    found: list[str] = []
    for number, (step, result) in enumerate(zip(capture.steps, results, strict=True)):
        where = f"step {number}"
        wanted = [comparable(request) for request in step.requests]
        got = [comparable(request) for request in result.requests]
        if len(wanted) != len(got):
            found.append(f"{where}: {len(wanted)} requests wanted, {len(got)} came")
        for index, (one, other) in enumerate(zip(wanted, got, strict=False)):
            if one != other:
                found.append(f"{where}, request {index}:\n{_shown(one, other)}")
        if step.metrics != result.metrics:
            found.append(f"{where}, metrics:\n{_shown(step.metrics, result.metrics)}")
    return found


def comparable(request: dict[str, Any]) -> dict[str, Any]:
    """A request without what another program may do otherwise."""
    made = dict(request)
    headers = made.get("headers")
    if isinstance(headers, dict):
        made["headers"] = {name: value for name, value in headers.items() if name != "referer"}
        if headers.get("user-agent", "").startswith(AGENTS) or "user-agent" not in headers:
            made["headers"]["user-agent"] = "any"
    if "smtp" in made:
        made["smtp"] = [line for line in made["smtp"] if line not in ENDS]
    return made


def _shown(wanted: dict[str, Any], got: dict[str, Any]) -> str:
    one, other = (
        json.dumps(each, indent=1, ensure_ascii=False, sort_keys=True).splitlines() for each in (wanted, got)
    )
    lines = list(difflib.unified_diff(one, other, "wanted", "got", n=0, lineterm=""))[2:]
    return "\n".join("    " + line[:600] for line in lines[:40] if not line.startswith("@@"))
