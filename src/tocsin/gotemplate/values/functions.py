"""Functions that templates know by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tocsin.gotemplate.values.types import Signature, Type, Value


class Function:
    """A function that templates know by name: ``impl(*arguments)``, with the budget before all if budgeted.

    The arguments are checked against the signature and adapted before the call. `GoError` is an error
    returned.
    """

    __slots__ = ("budgeted", "impl", "name", "signature")

    def __init__(
        self,
        name: str,
        params: Sequence[Type],
        result: Type | Sequence[Type] | None,
        impl: Callable[..., Value],
        *,
        variadic: bool = False,
        fails: bool = False,
        budgeted: bool = False,
    ) -> None:
        self.name = name
        self.signature = Signature(params, result, variadic=variadic, fails=fails)
        self.impl = impl
        self.budgeted = budgeted
