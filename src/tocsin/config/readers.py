"""Readers: what a node of the tree is converted to, or the error at its location."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from tocsin.config.texts import HTMLTemplate, Inline, Secret, SecretTemplate, Template
from tocsin.config.yaml import Mapping, Node, Reader, Scalar, Sequence, describe, gathered

T = TypeVar("T")
T_Template = TypeVar("T_Template", bound=Template)


def unserved(
    reason: str, hint: str, reader: Reader[T] | None = None, default: T | None = None
) -> Reader[Any]:
    """A key that Alertmanager has and Tocsin does not support. A value is refused, or, with
    ``--config.accept-unserved``, read by ``reader`` (ignored without one) with a warning."""

    def read(node: Node) -> Any:
        if isinstance(node, Sequence) and not node.items:
            return default
        found = reader(node) if reader is not None else default
        if not node.mark.reading.accept_unserved:
            raise node.mark.error(reason, f"{hint}, or start the node with --config.accept-unserved")
        node.mark.reading.warn(f"{node.mark}: {reason}: accepted, and without effect")
        return found

    return read


def deferred(reader: Callable[[], Reader[T]]) -> Reader[T]:
    """A reader that is looked up at its first use: for sections that contain themselves."""
    return lambda node: reader()(node)


def list_of(item: Reader[T]) -> Reader[tuple[T, ...]]:
    """A list, each of its items read by ``item``."""

    def read(node: Node) -> tuple[T, ...]:
        if not isinstance(node, Sequence):
            raise node.mark.error(f"expected a list, found {describe(node)}", "begin each item with '- '")
        return tuple([item(each) for each in node.items])

    return read


def inline_list_of(item: Reader[T]) -> Reader[tuple[T, ...] | None]:
    """As :func:`list_of`, and shown on one line."""
    read = list_of(item)
    return lambda node: Inline(read(node))


def map_of(value: Reader[T]) -> Reader[dict[str, T]]:
    """A map with free keys, each of its values read by ``value``."""

    def read(node: Node) -> dict[str, T]:
        node = gathered(node)
        if not isinstance(node, Mapping):
            raise node.mark.error(f"expected a map, found {describe(node)}")
        return {name: value(each) for name, (_, each) in node.entries.items()}

    return read


def parsed(parse: Callable[[str], T], *, hint: str = "") -> Reader[T]:
    """Text that ``parse`` accepts; the text of its ``ValueError`` becomes the error."""

    def read(node: Node) -> T:
        try:
            return parse(text(node))
        except ValueError as error:
            raise node.mark.error(str(error), hint) from None

    return read


def text(node: Node) -> str:
    """Any scalar, as written; null is empty."""
    if not isinstance(node, Scalar):
        raise node.mark.error(f"expected text, found {describe(node)}")
    return "" if node.is_null else node.text


def secret(node: Node) -> Secret:
    """Text that is never shown."""
    return Secret(text(node))


def file_path(node: Node) -> str:
    """A file name, relative to the folder of the configuration file; empty stays empty."""
    return node.mark.beside(text(node))


def template(node: Node) -> Template:
    """A Go template."""
    return _loaded(Template(text(node)), node)


def html_template(node: Node) -> HTMLTemplate:
    """A Go template for HTML."""
    return _loaded(HTMLTemplate(text(node)), node)


def secret_template(node: Node) -> SecretTemplate:
    """A Go template that is never shown."""
    return _loaded(SecretTemplate(text(node)), node)


def _loaded(found: T_Template, node: Node) -> T_Template:
    found.where = str(node.mark)
    problem = node.mark.reading.compile(found)
    if problem:
        raise node.mark.error(problem, "fix the template")
    return found
