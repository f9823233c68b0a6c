"""The templates of a configuration: the loader checks fields with them, notifiers render them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from tocsin.alerting.notification import Notification
from tocsin.config.texts import HTMLTemplate, Template
from tocsin.notify.integrations.base import IntegrationConfig, NotifyError, Render

if TYPE_CHECKING:  # Loaded when there is a template to render: many files have none.
    from tocsin.notify.template import Field, Renderer, Templates

T = TypeVar("T")


class TemplateFiles:
    """What ``templates:`` names, and the built-in templates; loaded when first asked for."""

    def __init__(
        self, globs: Iterable[str] = (), on_bound: Callable[[str], None] = lambda _bound: None
    ) -> None:
        self._globs = tuple(globs)
        self._on_bound = on_bound

    @cached_property
    def templates(self) -> Templates:
        """The loaded ones; :class:`~tocsin.errors.ConfigError` with file, line and hint."""
        from tocsin.notify.template import load_templates

        return load_templates(self._globs, on_bound=self._on_bound)

    def check(self, template: str) -> str:
        """Whether a field can be compiled: empty, or what is wrong with it."""
        if "{{" not in template:
            return ""
        from tocsin.notify.template import Field, RenderError

        kind = "html" if isinstance(template, HTMLTemplate) else "text"
        try:
            self.templates.check(Field("the template", template), "html" if kind == "html" else "text")
        except RenderError as error:
            return str(error)
        return ""


class TemplateRenderer:
    """Implements :class:`~tocsin.notify.integrations.base.Renderer`."""

    def __init__(self, files: TemplateFiles, external_url: str = "") -> None:
        self._files = files
        self.external_url = external_url

    def prepare(self, config: IntegrationConfig) -> None:
        """Compile the section's templates. Nothing is loaded for a section without any. A template that
        cannot be compiled fails with its first notification."""
        for _, template in config.all_templates():
            self._files.check(template)

    async def compose(self, notification: Notification, build: Callable[[Render], T]) -> T:
        """The result of ``build`` with a renderer on the data of ``notification``."""
        from tocsin.notify.template import RenderError, data_of

        data = data_of(notification, self.external_url, route_labels=dict(notification.route_labels))
        try:
            return await self._files.templates.compose(data, lambda renderer: build(_Render(renderer)))
        except RenderError as error:
            raise NotifyError(f"failed to render a template: {error}") from None


class _Render:
    """Renders, and names the location of a template in its error."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    @property
    def data(self) -> Any:
        return self._renderer.data

    def text(self, template: str) -> str:
        if "{{" not in template:
            return str(template)
        return self._renderer.text(_field(template))

    def html(self, template: str) -> str:
        return self._renderer.html(_field(template))

    def copy(self, value: Any) -> Any:
        return self._renderer.copy("a text of it", _texts(value))


def _field(template: str) -> Field:
    place = template.where if isinstance(template, Template) else ""
    return _made_field(place or "a template", str(template))


@lru_cache(maxsize=1024)
def _made_field(place: str, text: str) -> Field:
    from tocsin.notify.template import Field

    return Field(place, text)


def _texts(value: Any) -> Any:
    """Templates as the texts that they are: PyYAML takes no other kind of text."""
    if isinstance(value, dict):
        return {str(name): _texts(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_texts(each) for each in value]
    return str(value) if isinstance(value, str) else value
