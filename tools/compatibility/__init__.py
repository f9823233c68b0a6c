"""The page docs/compatibility.md: ``python -m tools.compatibility`` writes it."""
