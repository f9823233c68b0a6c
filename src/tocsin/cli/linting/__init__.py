"""Finds what a configuration may say, and hardly means. ``rules.RULES`` lists what it finds."""
