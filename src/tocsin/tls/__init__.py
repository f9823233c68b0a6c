"""TLS for every part that speaks it.

Settings, contexts, whom to trust, revocation, watched files, and the reasons of refusal.
"""
