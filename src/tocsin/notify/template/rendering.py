"""The state of one rendering: its budget, the time, and the labels of the route."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from tocsin.gotemplate.bounds import Bounds, Budget
from tocsin.gotemplate.errors import BoundError, TemplateError
from tocsin.gotemplate.gotime.bindings import Time
from tocsin.gotemplate.values import GoError
from tocsin.notify.template.data import Data

Execute: TypeAlias = Callable[[str, "Rendering"], str]
"""Renders a text within a rendering."""


class Rendering(Budget):
    """The budget of the fields of one message, which every function may ask for.

    ``present`` gives what ``now`` and ``since`` take as the present; it is asked once. ``execute`` renders
    the labels of the route, as the field is rendered that asks for them.
    """

    __slots__ = ("_busy", "_now", "_output", "_present", "_rendered", "data", "execute")

    def __init__(
        self,
        bounds: Bounds,
        clock: Callable[[], float],
        data: Data,
        present: Callable[[], Time],
    ) -> None:
        super().__init__(bounds, clock)
        self.data: Final = data
        self.execute: Execute | None = None
        self._present: Final = present
        self._now: Time | None = None
        self._rendered: dict[tuple[Execute | None, str], str] = {}
        self._busy: list[str] = []
        self._output = 0

    @property
    def now(self) -> Time:
        """The time, which does not change while a message is rendered."""
        if self._now is None:
            self._now = self._present()
        return self._now

    def put_out(self, size: int) -> None:
        """Count the length of a rendered field. Raises BoundError when all fields together are too long."""
        self._output += size
        self.check_output(self._output)

    def route_label(self, name: str) -> str:
        """The value of a label of the route, which may be a template that asks for other labels of it."""
        labels = self.data.route_labels
        raw = labels.get(name, "")
        if not raw or self.data.route_labels_rendered or self.execute is None:
            return raw
        key = (self.execute, name)
        found = self._rendered.get(key)
        if found is not None:
            return found
        if name in self._busy:
            raise GoError(f"route label cycle detected: {' -> '.join([*self._busy, name])}")
        self._busy.append(name)
        try:
            found = self.execute(raw, self)
        except BoundError:
            raise
        except TemplateError as error:
            raise GoError(str(error)) from None
        finally:
            self._busy.pop()
        self._rendered[key] = found
        return found
