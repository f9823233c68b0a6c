"""The contract of a resource: what it takes and answers is declared, what it does is a function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from http import HTTPStatus
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

from tocsin.alerting.matcher import Matcher, ParserMode
from tocsin.alerting.timestamp import Nanoseconds, parse_rfc3339
from tocsin.dataclass import dataclass
from tocsin.errors import UserError
from tocsin.models.base import Query
from tocsin.node.api.backend import Backend
from tocsin.node.api.requests import purse, read_matchers
from tocsin.node.api.statistics import AnswerStatistics
from tocsin.node.api.steps import run_steps

Q = TypeVar("Q", bound=Query)
B = TypeVar("B")
A = TypeVar("A")

_NAMES: Final = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    503: "unavailable",
    504: "timeout",
}


def name_of(status: int) -> str:
    """``error`` of a :class:`~tocsin.models.base.Problem`."""
    return _NAMES.get(status, "internal" if status >= 500 else HTTPStatus(status).name.lower())


class RefusedError(UserError):
    """The request is refused. ``status``: of HTTP; ``place``: the part of the request that is wrong."""

    def __init__(self, status: int, message: str, place: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.place = place


@dataclass(frozen=True, slots=True)
class Context:
    """What a resource is made with."""

    backend: Backend
    mode: ParserMode
    resources: Sequence[AnyResource]
    read_only: bool = False
    """Only alerts are taken."""
    statistics: AnswerStatistics = field(default_factory=AnswerStatistics)


@dataclass(frozen=True, slots=True)
class Call(Generic[Q, B]):
    """A request, read: ``path`` has the parts of the path that are in braces."""

    query: Q
    body: B
    path: Mapping[str, str]
    headers: Mapping[str, str]
    mode: ParserMode
    creator: str = ""
    """The caller's name; empty: not known."""
    address: str = ""
    """The caller's address."""

    async def matchers(self, texts: Sequence[str]) -> list[Matcher]:
        """Those of the parameter ``filter``, read in small steps. Raises RefusedError."""
        if "" in texts:
            raise RefusedError(400, 'an empty matcher, where name="value" is due', "query filter")
        try:
            return await run_steps(read_matchers(texts, self.mode, purse()))
        except ValueError as error:
            raise RefusedError(400, f'{error} (as in team="db" or team=~"a|b")', "query filter") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource(Generic[Q, B, A]):
    """One operation. ``path`` is below the prefix and may have parts in braces. ``body`` None: none is read.

    ``answer`` is the type of what ``make``'s function answers; where ``media_type`` is not JSON, that is a
    Starlette response.
    """

    method: Literal["GET", "POST"] = "GET"
    path: str
    summary: str
    description: str = ""
    query: type[Q]
    body: type[B] | None = None
    answer: Any
    media_type: str = "application/json"
    make: Callable[[Context], Callable[[Call[Q, B]], Awaitable[A]]]


AnyResource: TypeAlias = Resource[Any, Any, Any]


def instant(text: str, place: str) -> Nanoseconds | None:
    """The time that a parameter names; None if it is empty. Raises RefusedError."""
    if not text:
        return None
    try:
        return parse_rfc3339(text)
    except ValueError as error:
        raise RefusedError(400, str(error), place) from None
