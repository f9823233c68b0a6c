"""The base classes of all models."""

from __future__ import annotations

from typing import Annotated, Any, Final, Generic, TypeAlias, TypeVar, dataclass_transform

import msgspec

MAX_PAGE: Final = 1000
"""Items of a page."""
USUAL_PAGE: Final = 100


def said(text: str) -> msgspec.Meta:
    """What a field means, for the OpenAPI document."""
    return msgspec.Meta(description=text)


Time: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        description="RFC 3339, UTC, milliseconds; empty: not set",
        extra_json_schema={"examples": ["2026-11-24T01:02:03.000Z"]},
    ),
]
Seconds: TypeAlias = Annotated[float, said("seconds")]


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(msgspec.field,))
class _ModelMeta(msgspec.StructMeta):
    """Makes each model frozen and keyword-only, with names in camel case."""

    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> _ModelMeta:
        options = {"frozen": True, "kw_only": True, "rename": "camel", **options}
        return super().__new__(mcls, name, bases, namespace, **options)


class Model(msgspec.Struct, metaclass=_ModelMeta):
    """A JSON object. Names are ``group_by`` here and ``groupBy`` in JSON; every field is always there."""


class Query(Model, forbid_unknown_fields=True):
    """The parameters of a request. A parameter that is not declared is refused."""


class Body(Model, forbid_unknown_fields=True):
    """A request body. Fields that are not declared are refused."""


class Paging(Query):
    """The parameters of answers in pages."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE, description="items of a page")] = USUAL_PAGE
    after: Annotated[str, said("`next` of the page before; empty: the first page")] = ""


T = TypeVar("T")


class Page(Model, Generic[T]):
    """A page of items."""

    items: tuple[T, ...]
    next: Annotated[str, said("for `after`; empty: this is the last page")] = ""
    total: Annotated[int, said("items of all pages together, now; -1: they are not counted")] = 0


class Problem(Model):
    """Every answer that is not a success."""

    status: Annotated[int, said("the HTTP status")]
    error: Annotated[
        str,
        said(
            "for programs: bad_request, forbidden, not_found, method_not_allowed, conflict, too_large,"
            " unsupported_media_type, unavailable, timeout or internal"
        ),
    ]
    message: Annotated[str, said("for people")]
    place: Annotated[str, said("the part of the request that is wrong: `query limit`, `body receiver`")] = ""
