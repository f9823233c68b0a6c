"""What senders use: configured texts in, rendered texts out.

A sender writes its message in one function that takes a :class:`Renderer`, does no I/O, and may be called
twice; :meth:`Templates.compose` runs it on the event loop or, if it is large, on a thread::

    def message(render: Renderer) -> bytes:
        return json({"title": render.text(config.title), "text": render.text(config.text)})

    body = await templates.compose(data, message)
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Final, Literal, TypeAlias, TypeVar

from tocsin.dataclass import dataclass
from tocsin.gotemplate import TemplateSet
from tocsin.gotemplate.bounds import DEFAULT_BOUNDS, Bounds, Budget
from tocsin.gotemplate.errors import BoundError, EscapeError, TemplateError
from tocsin.gotemplate.gotime import LOCAL
from tocsin.gotemplate.gotime.bindings import Time
from tocsin.gotemplate.html import escape
from tocsin.notify.template.data import Data
from tocsin.notify.template.deepcopy import copy_rendered
from tocsin.notify.template.errors import RenderError, hint_of
from tocsin.notify.template.rendering import Rendering

Kind: TypeAlias = Literal["text", "html"]
T = TypeVar("T")

_COMPILED: Final = 1024
_AT_ONCE: Final = Bounds(
    steps=10_000, output_bytes=256 << 10, value_bytes=64 << 10, made_bytes=512 << 10, seconds=0.006
)
"""Bounds of a rendering on the event loop. Past one of them, the message is rendered on a thread."""
_AT_ONCE_WEIGHT: Final = 1500
_WORKERS: Final = 1


@dataclass(frozen=True, slots=True)
class Field:
    """A text of the configuration that is a template.

    ``place`` names it for people: ``receiver "ops", slack_configs[0].title``. The text may be a secret
    (a URL): it is in no error and no ``repr``.
    """

    place: str
    text: str

    def __repr__(self) -> str:
        return f"Field({self.place!r})"


class _Kept(threading.local):
    """The compiled templates of one thread."""

    def __init__(self) -> None:
        self.sets: OrderedDict[tuple[Kind, str], TemplateSet] = OrderedDict()


class Templates:
    """The templates of a configuration, which nothing changes once they are loaded.

    ``text`` and ``html`` hold what the files define. ``on_bound`` is called with the name of each bound that
    a rendering reaches (see :class:`RenderError`).
    """

    def __init__(
        self,
        text: TemplateSet,
        html: TemplateSet,
        *,
        bounds: Bounds = DEFAULT_BOUNDS,
        on_bound: Callable[[str], None] = lambda _bound: None,
        present: Callable[[], Time] | None = None,
    ) -> None:
        self._sets: Final = {"text": text, "html": html}
        self._bounds: Final = bounds
        self._at_once: Final = Bounds(
            steps=min(_AT_ONCE.steps, bounds.steps),
            depth=bounds.depth,
            output_bytes=min(_AT_ONCE.output_bytes, bounds.output_bytes),
            value_bytes=min(_AT_ONCE.value_bytes, bounds.value_bytes),
            made_bytes=min(_AT_ONCE.made_bytes, bounds.made_bytes),
            seconds=min(_AT_ONCE.seconds, bounds.seconds),
        )
        self._on_bound: Final = on_bound
        self._present: Final = present or _present
        self._local: Final = _Kept()
        self._worker: ThreadPoolExecutor | None = None

    def names(self) -> list[str]:
        """The templates that the files define, sorted."""
        return self._sets["text"].names()

    def check(self, field: Field, kind: Kind = "text") -> None:
        """Compile the field, so that the first notification need not. Raises RenderError, but not for a
        template that nobody defines: as text, and in Alertmanager, that fails when it is rendered."""
        try:
            self._compiled(kind, field.text)
        except TemplateError as error:
            if isinstance(error, EscapeError) and error.code == "ErrNoSuchTemplate":
                return
            raise self._render_error(field, error) from error

    def renderer(self, data: Data) -> Renderer:
        """Renders the fields of one message, which share the bounds."""
        return Renderer(self, self._rendering(data, self._bounds), quiet=False)

    def text(self, field: Field, data: Data) -> str:
        """One field as plain text. Raises RenderError. Takes as long as it takes: see :meth:`compose`.

        Bytes that are not UTF-8 come as Python's ``surrogateescape`` has them.
        """
        return self.render("text", field, self._rendering(data, self._bounds))

    def html(self, field: Field, data: Data) -> str:
        """One field as HTML, values escaped by their context. Raises RenderError."""
        return self.render("html", field, self._rendering(data, self._bounds))

    async def compose(self, data: Data, build: Callable[[Renderer], T]) -> T:
        """The result of ``build`` on the data, without holding the event loop for longer than some
        milliseconds. Small templates are rendered at once, large or slow ones on a thread: then ``build`` is
        called a second time. Raises what ``build`` raises.
        """
        if data.weight <= _AT_ONCE_WEIGHT:
            try:
                return build(Renderer(self, self._rendering(data, self._at_once), quiet=True))
            except RenderError as error:
                if error.bound in ("", "depth"):
                    if error.bound:
                        self._on_bound(error.bound)
                    raise
        if self._worker is None:
            self._worker = ThreadPoolExecutor(_WORKERS, "tocsin-templates")
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._worker, copy_context().run, self._build, data, build
            )
        except RenderError as error:
            if error.bound:
                self._on_bound(error.bound)
            raise

    def _build(self, data: Data, build: Callable[[Renderer], T]) -> T:
        return build(Renderer(self, self._rendering(data, self._bounds), quiet=True))

    def render(self, kind: Kind, field: Field, rendering: Rendering, quiet: bool = False) -> str:
        """For :class:`Renderer`: one field within a rendering. Raises RenderError."""
        text = field.text
        if not text or (kind == "text" and "{{" not in text):
            return text
        rendering.execute = self._execute_text if kind == "text" else self._execute_html
        try:
            return self._execute(kind, text, rendering)
        except TemplateError as error:
            if isinstance(error, BoundError) and not quiet:
                self._on_bound(error.bound)
            raise self._render_error(field, error) from error

    def _rendering(self, data: Data, bounds: Bounds) -> Rendering:
        return Rendering(bounds, time.monotonic, data, self._present)

    def _render_error(self, field: Field, error: TemplateError) -> RenderError:
        known = self._sets["text"]
        return RenderError(field.place, error, hint_of(error, known.functions, known.names()))

    def _execute(self, kind: Kind, text: str, rendering: Rendering) -> str:
        made = self._compiled(kind, text).execute("", rendering.data.value, rendering)
        rendering.put_out(len(made))
        return made

    def _execute_text(self, text: str, rendering: Rendering) -> str:
        return self._execute("text", text, rendering) if "{{" in text else text

    def _execute_html(self, text: str, rendering: Rendering) -> str:
        return self._execute("html", text, rendering)

    def _compiled(self, kind: Kind, text: str) -> TemplateSet:
        """The template set with the text as its template "". Each thread has its own set, so that none waits
        for another."""
        kept = self._local.sets
        found = kept.get((kind, text))
        if found is not None:
            kept.move_to_end((kind, text))
            return found
        made = self._sets[kind].clone()
        tree = made.parse("", text)
        # Also where it is blank and does not replace a "" of the files: the field itself is what is rendered.
        made.trees[""] = tree
        if kind == "html":
            made.trees.update(escape(made.trees, "", Budget(self._bounds, time.monotonic)))
        kept[kind, text] = made
        if len(kept) > _COMPILED:
            kept.popitem(last=False)
        return made


class Renderer:
    """Renders the fields of one message. All of them together stay within the bounds of one rendering."""

    __slots__ = ("_quiet", "_rendering", "_templates", "data")

    def __init__(self, templates: Templates, rendering: Rendering, *, quiet: bool) -> None:
        self.data: Final = rendering.data
        self._templates = templates
        self._rendering = rendering
        self._quiet = quiet

    def text(self, field: Field) -> str:
        """The field as plain text. Raises RenderError."""
        return self._templates.render("text", field, self._rendering, self._quiet)

    def html(self, field: Field) -> str:
        """The field as HTML. Raises RenderError."""
        return self._templates.render("html", field, self._rendering, self._quiet)

    def copy(self, place: str, value: Any) -> Any:
        """A copy of a tree of YAML in which each text was rendered, then read as YAML again.

        As Alertmanager does it with a webhook's ``payload``, with details and with fields: ``"{{ 1 }}"``
        becomes a number. Raises RenderError.
        """
        return copy_rendered(value, lambda text: self.text(Field(place, text)))


def _present() -> Time:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return Time(seconds, nanoseconds, LOCAL)
