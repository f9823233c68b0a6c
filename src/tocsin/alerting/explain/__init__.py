"""Why somebody was notified of an alert, or was not: a story, out of the decision record and what is known."""

from tocsin.alerting.explain.story import Story
from tocsin.alerting.explain.telling import Scene, explain
from tocsin.alerting.explain.text import render

__all__ = ["Scene", "Story", "explain", "render"]
