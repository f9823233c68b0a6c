"""Plays captures of what the real Alertmanager sent (tests/vectors/receivers) against a daemon."""
