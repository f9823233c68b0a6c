"""The decision record: what was decided about each flush, kept so that it can be asked for later.

Its schema is described in docs/decisions-record.md.
"""
