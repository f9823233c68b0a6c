"""Jira: one issue for each group of alerts, found again by a label, updated, closed and reopened."""

from __future__ import annotations

import json
import re
from typing import Any, Final
from urllib.parse import quote, urlsplit

from tocsin.alerting.notification import Notification
from tocsin.alerting.quote import go_quote
from tocsin.alerting.timestamp import SECOND
from tocsin.config.readers import list_of, map_of, template
from tocsin.config.readers import text as plain
from tocsin.config.scalars import boolean, duration, show_duration
from tocsin.config.scalars import url as any_url
from tocsin.config.schema import Section, option
from tocsin.config.texts import MaskedURL, Template
from tocsin.config.values import any_templates
from tocsin.config.yaml import Node, Reader, Scalar
from tocsin.dataclass import dataclass
from tocsin.notify.integrations.answer import MAX_ANSWER_BYTES
from tocsin.notify.integrations.base import (
    HTTPIntegrationConfig,
    Kind,
    NotifyError,
    Render,
    RetryRule,
    Services,
    fires,
    group_hash,
)
from tocsin.notify.integrations.json import encode, escape, sorted_maps
from tocsin.notify.integrations.truncate import in_characters
from tocsin.notify.integrations.url import joined

MAX_SUMMARY: Final = 255
"""Characters."""
MAX_DESCRIPTION: Final = 32_767
"""Characters."""
_HEADERS: Final = (("Content-Type", "application/json"), ("Accept-Language", "en"))


class UpdatedText(Section):
    """A text of an issue: written as a template alone, or as a map."""

    template: str = option(template, default=Template(""))
    enable_update: bool | None = option(boolean, default=None)
    """``false``: set when the issue is created, and not changed afterwards."""

    @property
    def updated(self) -> bool:
        """Whether an existing issue gets it too."""
        return self.enable_update is not False


def _default(what: str) -> UpdatedText:
    return UpdatedText(template=Template(f'{{{{ template "jira.default.{what}" . }}}}'))


def _updated_text(default: UpdatedText) -> Reader[UpdatedText]:
    def read(node: Node) -> UpdatedText:
        if isinstance(node, Scalar):
            return UpdatedText(template=template(node))
        found = UpdatedText.read(node)
        return found if found.has("template") else found.replaced(template=default.template)

    return read


_SUMMARY: Final = _default("summary")
_DESCRIPTION: Final = _default("description")


class JiraConfig(HTTPIntegrationConfig, kind="jira"):
    """One of ``jira_configs``."""

    api_url: str = option(any_url, default=MaskedURL(""), inherit="jira_api_url")
    api_type: str = option(plain, default="auto")
    project: str = option(template, default=Template(""))
    summary: UpdatedText = option(_updated_text(_SUMMARY), default=_SUMMARY, null=UpdatedText())
    description: UpdatedText = option(_updated_text(_DESCRIPTION), default=_DESCRIPTION, null=UpdatedText())
    labels: tuple[str, ...] = option(list_of(template), default=())
    priority: str = option(template, default=Template('{{ template "jira.default.priority" . }}'))
    issue_type: str = option(template, default=Template(""))
    reopen_transition: str = option(plain, default="")
    resolve_transition: str = option(plain, default="")
    wont_fix_resolution: str = option(plain, default="")
    reopen_duration: int = option(duration, default=0, show=show_duration)
    fields: dict[str, Any] = option(map_of(any_templates), default={})
    """Fields of the issue, which override the keys above. Each text in a value is a template, whose result is
    read as YAML."""

    def check(self) -> None:
        """A project, a type of issue, and where Jira is."""
        if not self.project:
            raise self.mark.error("missing project in jira_config", "add project:")
        if not self.issue_type:
            raise self.mark.error("missing issue_type in jira_config", "add issue_type:")
        if self.api_type not in ("auto", "cloud", "datacenter"):
            raise self.at("api_type").error(
                f"unknown api_type {self.api_type!r}", "write auto, cloud or datacenter"
            )
        if not self.api_url:
            raise self.mark.error("no api_url, and no jira_api_url in global", "add api_url:")

    @property
    def minutes(self) -> int:
        """``reopen_duration`` as Jira counts it."""
        return self.reopen_duration // (60 * SECOND)


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue that was found. ``done`` is None when Jira did not return its status."""

    key: str
    done: bool | None


class JiraNotifier:
    """Searches for the group's issue, creates or updates it, and makes its transition. 5xx and 429 are
    retried; a request without an answer is not, since an issue may have been created.
    """

    retry: Final = RetryRule(codes=frozenset((429,)))
    retry_unanswered: Final = False

    def __init__(self, config: JiraConfig, services: Services) -> None:
        self._config, self._services = config, services
        self._http = services.http(config.http_config)

    async def notify(self, notification: Notification) -> None:
        """Bring the group's issue up to date."""
        config, firing, group = self._config, fires(notification), group_hash(notification)
        project = await self._services.compose(notification, lambda render: render.text(config.project))
        found = await self._search(search_for(config, project, group, firing=firing))
        if found is None and not firing:
            return
        body = await self._services.compose(
            notification,
            lambda render: issue_body(config, render, project, group, update=found is not None),
        )
        if found is None:
            await self._call("failed to create the issue", "POST", "issue", body)
            return
        path = f"issue/{quote(found.key, safe='')}"
        await self._call("failed to update the issue", "PUT", path, body)
        transition = config.reopen_transition if firing else config.resolve_transition
        if transition and found.key and found.done is firing:
            await self._move(path, found.key, transition)

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()

    async def _search(self, jql: str) -> Issue | None:
        body = encode({"fields": ["status"], "jql": jql, "maxResults": 2})
        what = "failed to look up existing issues"
        return _first_issue(_read(await self._call(what, "POST", self._search_path(), body), what), what)

    def _search_path(self) -> str:
        kind = self._config.api_type
        cloud = kind == "cloud" or (
            kind == "auto"
            and urlsplit(self._config.api_url).netloc.rpartition("@")[2].endswith("atlassian.net")
        )
        return "search/jql" if cloud else "search"

    async def _move(self, path: str, key: str, name: str) -> None:
        what = f"failed to move the issue {key} by {name!r}"
        path += "/transitions"
        offered = _read(await self._call(what, "GET", path), what).get("transitions")
        for each in offered if isinstance(offered, list) else ():
            if isinstance(each, dict) and each.get("name") == name:
                await self._call(what, "POST", path, encode({"transition": {"id": str(each.get("id", ""))}}))
                return
        raise NotifyError(f"{what}: it has no such transition now")

    async def _call(self, what: str, method: str, path: str, body: bytes = b"") -> bytes:
        url = joined(self._config.api_url, path)
        if path == "search/jql":
            url = url.replace("/rest/api/2/", "/rest/api/3/", 1)
        url += "/" * path.endswith("/")
        try:
            answer = await self._http.request(
                method, url, body, headers=_HEADERS, retry=self.retry_unanswered
            )
            answer.check(self.retry)
        except NotifyError as failure:
            raise NotifyError(f"{what}: {failure}", retry=failure.retry, reason=failure.reason) from None
        return answer.body


def search_for(config: JiraConfig, project: str, group: str, *, firing: bool) -> str:
    """The JQL that finds the group's issue: an open one, or one that may be reopened."""
    resolution = config.wont_fix_resolution
    jql = ""
    if resolution:
        # An open issue has no resolution, and != alone would exclude it.
        jql += f"(resolution is EMPTY or resolution != {go_quote(resolution)}) and "
    if firing and config.reopen_transition and config.minutes > 0:
        jql += f"(resolutiondate is EMPTY OR resolutiondate >= -{config.minutes}m) and "
    else:
        jql += "statusCategory != Done and "
    label = go_quote(_label(group))
    return jql + f"project={go_quote(project)} and labels={label} order by status ASC,resolutiondate DESC"


def issue_body(config: JiraConfig, render: Render, project: str, group: str, *, update: bool) -> bytes:
    """The JSON of the issue; :class:`NotifyError` for a description that must be JSON and is not."""
    summary = in_characters(render.text(config.summary.template), MAX_SUMMARY)
    fields: dict[str, bytes] = {
        "project": encode({"key": project}),
        "issuetype": encode({"name": kind} if (kind := render.text(config.issue_type)) else {}),
        "labels": encode(sorted([*[render.text(label) for label in config.labels], _label(group)])),
    }
    own = {name: encode(sorted_maps(render.copy(value))) for name, value in config.fields.items()}
    if config.summary.updated or not update:
        fields["summary"] = encode(summary)
    description = _description(config, render.text(config.description.template))
    if description and (config.description.updated or not update):
        fields["description"] = description
    priority = render.text(config.priority)
    if priority:
        fields["priority"] = encode({"name": priority})
    fields |= own
    pairs = [encode(name).rstrip() + b":" + fields[name].rstrip(b"\n") for name in sorted(fields)]
    return b'{"fields":{' + b",".join(pairs) + b"}}\n"


def _description(config: JiraConfig, rendered: str) -> bytes:
    """The description: text, or for version 3 of Jira's API a document in JSON (ADF)."""
    rendered = in_characters(rendered, MAX_DESCRIPTION)
    if not urlsplit(config.api_url).path.rstrip("/").endswith("/3"):
        return encode(rendered) if rendered else b""
    rendered = rendered.strip()
    if not rendered:
        return b""
    try:
        json.loads(rendered, parse_int=str, parse_float=str, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise NotifyError(
            "description: Jira's API 3 takes a document in JSON, and this is none"
            f" (of more than {MAX_DESCRIPTION} characters the end is cut)"
        ) from None
    return escape(_SPACE.sub(r"\1", rendered)).encode("utf-8", "replace")


_SPACE: Final = re.compile(r'("(?:[^"\\]|\\.)*")|[ \t\r\n]+')


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _label(group: str) -> str:
    return f"ALERT{{{group}}}"


def _read(body: bytes, what: str) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        cut = f", or longer than {MAX_ANSWER_BYTES} bytes" if len(body) >= MAX_ANSWER_BYTES else ""
        raise NotifyError(f"{what}: Jira's answer is not JSON{cut}") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise NotifyError(f"{what}: Jira's answer is not a JSON object")
    return found


def _first_issue(found: dict[str, Any], what: str) -> Issue | None:
    issues = found.get("issues")
    if not issues:
        return None
    first = issues[0] if isinstance(issues, list) else None
    key = first.get("key", "") if isinstance(first, dict) else None
    if not isinstance(first, dict) or not isinstance(key, str):
        raise NotifyError(f"{what}: Jira's answer holds no issue where one should be")
    status: Any = first
    for name in ("fields", "status"):
        status = status.get(name) if isinstance(status, dict) else None
    if not isinstance(status, dict):
        return Issue(key, None)
    category = status.get("statusCategory")
    return Issue(key, isinstance(category, dict) and category.get("key") == "done")


KIND: Final = Kind(JiraConfig, JiraNotifier)
