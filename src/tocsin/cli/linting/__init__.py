"""Finds valid configuration that is probably not intended. ``rules.RULES`` lists the rules."""
