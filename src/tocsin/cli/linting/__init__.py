"""Looks for what a configuration may say, and hardly means. ``rules.RULES`` lists what is looked for."""
