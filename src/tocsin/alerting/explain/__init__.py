"""Why somebody was notified of an alert, or was not: the story that the decision record tells."""

from tocsin.alerting.explain.story import Story
from tocsin.alerting.explain.telling import Scene, explain
from tocsin.alerting.explain.text import render

__all__ = ["Scene", "Story", "explain", "render"]
