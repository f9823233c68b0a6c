"""Why somebody was notified of an alert, or was not: the explanation made from the decision record."""
