"""What the templates of a set have in common: their functions and options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from tocsin.gotemplate.builtins import BUILTINS
from tocsin.gotemplate.values import Function

MissingKey: TypeAlias = Literal["default", "zero", "error"]
"""What a map gives for a key that it has not: no value, the zero value, or an error (Go's ``missingkey``)."""


class Environment:
    """Functions, Go's own among them unless they are named anew, and options."""

    __slots__ = ("functions", "missing_key")

    def __init__(self, functions: Mapping[str, Function], missing_key: MissingKey = "default") -> None:
        self.functions: Final = {**BUILTINS, **functions}
        self.missing_key: Final = missing_key
