"""Bounds of one execution of a template."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tocsin.dataclass import dataclass
from tocsin.gotemplate.errors import BoundError


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that one execution may take.

    The defaults are far beyond what a notification needs: they stop templates that would not end, or would
    fill the memory. Together they keep an execution below 64 MiB, even where Python takes four bytes for a
    character.
    """

    steps: int = 1_000_000
    """Nodes rendered within loops and called templates, and work of functions, in units of a microsecond."""
    depth: int = 100
    """Templates that call templates. (Go: 100,000.)"""
    output_bytes: int = 4 << 20
    value_bytes: int = 2 << 20
    """Bytes of a single value that a function makes."""
    made_bytes: int = 8 << 20
    """Bytes of all values together that functions make, small ones not counted."""
    seconds: float = 1.0


DEFAULT_BOUNDS: Final = Bounds()


class Budget:
    """The remaining budget of one execution. Functions that may take long or make large values get it as
    first argument.

    ``clock`` gives seconds and never goes back; it is read once for many steps. ``context``: the caller's
    data for its own functions.
    """

    __slots__ = ("_clock", "_deadline", "bounds", "check_at", "context", "made", "steps")

    _STRIDE: Final = 512

    def __init__(
        self,
        bounds: Bounds = DEFAULT_BOUNDS,
        clock: Callable[[], float] | None = None,
        context: object = None,
    ) -> None:
        self.bounds = bounds
        self.context = context
        self.steps = 0
        self.made = 0
        self._clock = clock
        self._deadline = clock() + bounds.seconds if clock is not None else 0.0
        self.check_at = min(self._STRIDE, bounds.steps)

    def spend(self, steps: int = 1) -> None:
        """Count work that was done or is about to be. Raises `BoundError` when steps or time are used up."""
        self.steps += steps
        if self.steps > self.check_at:
            self.check()

    def check(self) -> None:
        """Check steps and clock now. Raises `BoundError`."""
        if self.steps > self.bounds.steps:
            raise BoundError("steps", f"more than {self.bounds.steps} steps: the bound of steps is reached")
        if self._clock is not None and self._clock() > self._deadline:
            raise BoundError(
                "time", f"more than {self.bounds.seconds:g} seconds: the bound of time is reached"
            )
        self.check_at = min(self.steps + self._STRIDE, self.bounds.steps)

    def claim(self, size: int) -> None:
        """To be called before a value of that many bytes is made. Raises `BoundError` if it is too large."""
        if size > self.bounds.value_bytes:
            raise BoundError(
                "value",
                f"a value of more than {self.bounds.value_bytes} bytes: the bound of values is reached",
            )
        if size > 1024:
            self.made += size
            if self.made > self.bounds.made_bytes:
                raise BoundError(
                    "value",
                    f"values of more than {self.bounds.made_bytes} bytes together: "
                    "the bound of values is reached",
                )
            self.spend(size >> 10)

    def check_output(self, size: int) -> None:
        """Raises `BoundError` if that is more output than there may be."""
        if size > self.bounds.output_bytes:
            raise BoundError(
                "output", f"more than {self.bounds.output_bytes} bytes: the bound of output is reached"
            )
