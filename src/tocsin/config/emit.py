"""A configuration as text, the way Alertmanager shows it in ``/api/v2/status``.

Go marshals its configuration anew for that: defaults filled in, secrets masked, keys in its structs' order.
The layout rules of its YAML writer that differ from PyYAML's are here: text that could be read as another
type is in double quotes, and some lists stay on one line.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from tocsin.config.scalars import FALSE_WORDS, TRUE_WORDS
from tocsin.config.texts import Inline

_OTHER_WORDS = TRUE_WORDS | FALSE_WORDS | {"", "~", "null", "Null", "NULL"}
_NUMBER = re.compile(
    r"[-+]?(0[xXbBoO][0-9a-fA-F_]+|(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?|\.(inf|Inf|INF))|\.(nan|NaN|NAN)",
    re.ASCII,
)
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?", re.ASCII)
_BEYOND = re.compile("[\U00010000-\U0010ffff]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?", re.ASCII)


class _Dumper(yaml.SafeDumper):
    """Block style, two spaces, lists not indented below their key."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if text in _OTHER_WORDS or any(form.fullmatch(text) for form in (_NUMBER, _SEXAGESIMAL, _DATE)):
        style = '"'
    elif _BEYOND.search(text):
        style = '"'  # Go's writer escapes them, and nothing can be escaped elsewhere.
    elif "\n" in text:
        style = "|"
    node: yaml.ScalarNode = dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)
    return node


def _inline(dumper: yaml.SafeDumper, items: Inline) -> yaml.SequenceNode:
    node: yaml.SequenceNode = dumper.represent_sequence("tag:yaml.org,2002:seq", list(items), flow_style=True)
    return node


def _word(dumper: yaml.SafeDumper, value: bool | float | None) -> yaml.ScalarNode:
    """A bool, number or null: a plain word (with no resolvers, plain is text to the dumper)."""
    written = "null" if value is None else str(value).lower()
    node: yaml.ScalarNode = dumper.represent_scalar("tag:yaml.org,2002:str", written)
    return node


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Inline, _inline)
for _type in (bool, int, float, type(None)):
    _Dumper.add_representer(_type, _word)
# Text that libyaml's resolver would take for a bool or number is quoted above, by Go's rules alone.
_Dumper.yaml_implicit_resolvers = {}


def emit(shown: dict[str, Any]) -> str:
    """The YAML text of maps, lists, text, numbers and bools."""
    made: str = yaml.dump(
        shown, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True
    )
    return made
