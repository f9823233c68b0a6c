"""The kinds of receiver: each is one module, and a line in :mod:`tocsin.notify.integrations.registry`.

docs/adding-a-receiver.md says how to write one.
"""
