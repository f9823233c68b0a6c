"""Which routes an alert takes, and why it does not take the others."""

from __future__ import annotations

from tocsin.alerting.explain.story import RouteStep
from tocsin.alerting.labels import Labels
from tocsin.alerting.quote import go_quote
from tocsin.alerting.route import Route


def routing_steps(root: Route, labels: Labels) -> list[RouteStep]:
    """Every route that is asked or passed over, parents first; those without ``why`` are what
    :meth:`Route.match` gives. Routes below one that does not match are left out."""
    found: list[RouteStep] = []
    _visit(root, labels, found)
    return found


def _visit(route: Route, labels: Labels, found: list[RouteStep]) -> bool:
    """Whether it matches."""
    receiver = route.options.receiver
    for matcher in route.matchers:
        value = labels.value(matcher.name)
        if not matcher.matches_labels(labels):
            has = f"{matcher.name} is {go_quote(value)}" if value else f"there is no label {matcher.name}"
            found.append(RouteStep(route.id, receiver, f"{matcher} does not match: {has}"))
            return False
    index = len(found)
    below = taken = False
    for child in route.children:
        if taken:
            why = "a route before it took the alert and does not continue"
            found.append(RouteStep(child.id, child.options.receiver, why))
        elif _visit(child, labels, found):
            below = True
            taken = not child.continue_
    found.insert(index, RouteStep(route.id, receiver, "routes below it took the alert" if below else ""))
    return True
