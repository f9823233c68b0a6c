"""The functions and options that the templates of a set share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from tocsin.gotemplate.builtins import BUILTINS
from tocsin.gotemplate.values import Function

MissingKey: TypeAlias = Literal["default", "zero", "error"]
"""What a map returns for a missing key: no value, the zero value, or an error (Go's ``missingkey``)."""


class Environment:
    """Functions, Go's own among them unless they are named anew, and options."""

    __slots__ = ("functions", "missing_key")

    def __init__(self, functions: Mapping[str, Function], missing_key: MissingKey = "default") -> None:
        self.functions: Final = {**BUILTINS, **functions}
        self.missing_key: Final = missing_key
