"""Anti-entropy by digest: two nodes find what differs between them, at a cost that follows the difference.

``tree`` summarises one state, ``messages`` is the format on the wire, ``exchange`` the two sides of the talk.
"""
