"""Errors of templates: parsing, escaping, execution."""

from __future__ import annotations

from typing import ClassVar


class TemplateError(Exception):
    """A template and the location in it, and what is wrong there.

    ``template`` is the name of the text: the file's, or the field's. ``line`` counts from 1, ``column`` from
    0 in bytes; 0 and None where there is none. ``word``: the text there, as Go's errors show it.
    """

    error_class: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        template: str = "",
        line: int = 0,
        column: int | None = None,
        word: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.template = template
        self.line = line
        self.column = column
        self.word = word

    @property
    def place(self) -> str:
        """``template:line:column``, as far as it is known."""
        place = self.template
        if self.line:
            place += f":{self.line}"
            if self.column is not None:
                place += f":{self.column}"
        return place

    def __str__(self) -> str:
        return f"template: {self.place}: {self.message}"


class ParseError(TemplateError):
    """The text is not a template."""

    error_class = "parse"


class EscapeError(TemplateError):
    """An HTML template whose output cannot be made safe. ``code`` is html/template's name of the reason."""

    error_class = "escape"

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        template: str = "",
        line: int = 0,
        column: int | None = None,
        word: str = "",
    ) -> None:
        super().__init__(message, template=template, line=line, column=column, word=word)
        self.code = code

    def __str__(self) -> str:
        return f"html/template: {self.place}: {self.message}"


class ExecError(TemplateError):
    """The template was executed and failed.

    ``executing``: the name of the ``define`` that was executed, None while no location is known.
    """

    error_class = "exec"

    def __init__(
        self,
        message: str,
        *,
        executing: str | None = None,
        template: str = "",
        line: int = 0,
        column: int | None = None,
        word: str = "",
    ) -> None:
        super().__init__(message, template=template, line=line, column=column, word=word)
        self.executing = executing

    def __str__(self) -> str:
        at = f" at <{self.word}>" if self.word else ""
        return f'template: {self.place}: executing "{self.executing or ""}"{at}: {self.message}'


class BoundError(ExecError):
    """The template has reached a bound. ``bound``: steps, depth, output, value or time."""

    def __init__(self, bound: str, message: str) -> None:
        super().__init__(message)
        self.bound = bound
