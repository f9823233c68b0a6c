"""Why somebody was notified of an alert, or was not: the story that the decision record tells."""
