"""Client of a node's ``/api/tocsin/v1``: answers are decoded into the classes of :mod:`tocsin.models`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import msgspec

from tocsin.client.api import Api, ApiError
from tocsin.client.http import Answer
from tocsin.errors import RemoteError
from tocsin.models.base import Page, Problem

PREFIX: Final = "/api/tocsin/v1"

T = TypeVar("T")
Pairs = Iterable[tuple[str, str]]


def get(api: Api, path: str, model: type[T], query: Pairs = ()) -> T:
    """What is at ``path``. Raises :class:`~tocsin.client.api.ApiError` and RemoteError."""
    asked = urlencode(list(query))
    return _read(api, api.get(PREFIX + path + (f"?{asked}" if asked else "")), model)


def post(api: Api, path: str, body: Any, model: type[T]) -> T:
    """Post ``body`` to ``path``; the answer."""
    return _read(api, api.post(PREFIX + path, msgspec.json.encode(body)), model)


def pages(api: Api, path: str, model: type[T], query: Pairs = ()) -> Iterator[T]:
    """All items of all pages."""
    after, fixed = "", list(query)
    while True:
        page: Page[T] = get(api, path, Page[model], [*fixed, ("after", after)] if after else fixed)  # type: ignore[valid-type]
        yield from page.items
        after = page.next
        if not after:
            return


def as_json(item: Any) -> Any:
    """A model as the API has it."""
    return msgspec.to_builtins(item)


def _read(api: Api, answer: Answer, model: type[T]) -> T:
    if answer.status // 100 == 2:
        try:
            return msgspec.json.decode(answer.body, type=model)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RemoteError(f"{api.node_url.base} gave an answer that cannot be decoded: {error}") from None
    try:
        problem = msgspec.json.decode(answer.body, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        if answer.status == 404:
            message = (
                f"{api.node_url.base} has no {PREFIX}: is it a Tocsin node? (an Alertmanager cannot answer "
                "this: give a Tocsin node by --alertmanager.url)"
            )
        else:
            message = f"{api.node_url.base} answers with status {answer.status}"
        raise ApiError(message, answer.status, "") from None
    place = problem.place.removeprefix("body").strip()  # The tool made the body, not who reads this.
    text = f"{place}: {problem.message}" if place else problem.message
    raise ApiError(text, answer.status, problem.message)
