"""Intents to notify: what nodes of one cluster announce so that two do not send the same notification.

The notification log says what *was* sent. An intent says what *is about to be* sent: that a node claims one
alert group for one receiver integration, is making an attempt, has made it, or has given it up. Intents are
never stored, carry durations and no clock times, and end by themselves: a node that hears nothing sends.
"""

from tocsin.alerting.intent.codec import KEY, Kind, content_of, key_of
from tocsin.alerting.intent.intents import GUARD, Intents, Lease, Obstacle

__all__ = ["GUARD", "KEY", "Intents", "Kind", "Lease", "Obstacle", "content_of", "key_of"]
