"""Types of text: secrets, URLs with a password, templates."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

SECRET_TEXT: Final = "<secret>"  # noqa: S105 - what is shown instead of a secret


class Secret(str):
    """Text that is never shown: its ``repr`` and the re-marshalled configuration have ``<secret>`` for it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return SECRET_TEXT


class MaskedURL(str):
    """A URL whose password is shown as ``xxxxx``, as Go shows it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(self.masked)

    @property
    def masked(self) -> str:
        """What is shown."""
        try:
            parts = urlsplit(self)
        except ValueError:
            return SECRET_TEXT
        userinfo, at, host = parts.netloc.rpartition("@")
        if not at or ":" not in userinfo:
            return str(self)
        return parts._replace(netloc=f"{userinfo.partition(':')[0]}:xxxxx@{host}").geturl()

    @property
    def password(self) -> str:
        """As written; empty if there is none."""
        userinfo, _, _ = self.partition("://")[2].partition("/")[0].rpartition("@")
        return userinfo.partition(":")[2]


class Template(str):
    """The text of a Go template: compiled when the file is loaded, rendered for each notification."""

    where: str = ""
    """Its location for people: file, line and column, or the key whose default it is."""


class HTMLTemplate(Template):
    """A template whose values are escaped for HTML."""


class SecretTemplate(Secret, Template):
    """A template that is never shown."""


class Inline(tuple[Any, ...]):
    """A list that Alertmanager shows on one line."""

    __slots__ = ()
