"""Notification templates: Alertmanager 0.34's data, functions and default templates, on Go's templates.

`load_templates` makes `Templates` of a configuration's files. Senders render `Field`s with them, in a
function that `Templates.compose` runs::

    templates = load_templates(["*.tmpl"], base="/etc/alertmanager")
    data = data_of(notification, external_url)
    text = templates.text(Field("receiver 'ops', slack_configs[0].title", "{{ .Status }}"), data)
"""

from tocsin.notify.template.data import Data, data_from_json, data_of
from tocsin.notify.template.deepcopy import copy_rendered
from tocsin.notify.template.errors import RenderError
from tocsin.notify.template.loading import load_templates
from tocsin.notify.template.templates import Field, Renderer, Templates

__all__ = [
    "Data",
    "Field",
    "RenderError",
    "Renderer",
    "Templates",
    "copy_rendered",
    "data_from_json",
    "data_of",
    "load_templates",
]
