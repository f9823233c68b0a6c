"""``silences/import``: a silence of another cluster, or of a backup, under the id that it had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from tocsin.models.base import Body, Model, said

ID_PATTERN = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


class ImportedMatcher(Body):
    """As API v2 has it."""

    name: str
    value: str
    is_regex: bool
    is_equal: bool = True


class SilenceImport(Body):
    """A silence as API v2 shows it, without ``status`` and ``updatedAt``."""

    id: Annotated[
        str,
        msgspec.Meta(
            pattern=ID_PATTERN,
            max_length=36,  # In Python `$` would let a line end follow.
            description="a UUID in its usual form, lower case, with dashes",
        ),
    ]
    matchers: Annotated[tuple[ImportedMatcher, ...], msgspec.Meta(min_length=1, max_length=1024)]
    starts_at: Annotated[str, said("RFC 3339; in the past: now")]
    ends_at: Annotated[str, said("RFC 3339; not in the past")]
    created_by: str
    comment: str
    annotations: Annotated[Mapping[str, str], msgspec.Meta(max_length=1 << 15)] = msgspec.field(
        default_factory=dict
    )


class SilenceImported(Model):
    """The outcome of an import."""

    silence_id: str
    imported: Annotated[bool, said("false: an equal one was there, and is left alone")]
